//! Version 1 of the PROXY protocol: one line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::HeaderError;

const START: &[u8] = b"PROXY ";

const END: &[u8] = b"\r\n";

/// The longest line with its end, in bytes.
const LONGEST: usize = 107;

/// The shortest line of each kind, which may be read at once.
const SHORTEST: &[(&[u8], usize)] = &[
    (b"PROXY UNKNOW", b"PROXY UNKNOWN\r\n".len()),
    (b"PROXY TCP4 ", b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n".len()),
    (b"PROXY TCP6 ", b"PROXY TCP6 :: :: 1 1\r\n".len()),
];

/// Whether these first bytes can be those of a line.
pub(super) fn may_begin_with(bytes: &[u8]) -> bool {
    match bytes.len() <= START.len() {
        true => START.starts_with(bytes),
        false => bytes.starts_with(START),
    }
}

/// Reads the rest of a line that begins like this.
pub(super) async fn read<S>(socket: &mut S, start: &[u8]) -> Result<Option<SocketAddr>, HeaderError>
where
    S: AsyncRead + Unpin,
{
    let kind = SHORTEST.iter().find(|(word, _)| start.starts_with(word));
    let Some((_, shortest)) = kind else {
        return Err(HeaderError::Malformed("it is of an unknown kind"));
    };
    let mut line = [0; LONGEST];
    let mut filled = start.len();
    line[..filled].copy_from_slice(start);
    while !line[..filled].ends_with(END) {
        // What is behind the line is not ours. The line may end at the next byte but one, or at the
        // next one behind its first half.
        let missing = if line[..filled].ends_with(&END[..1]) {
            1
        } else {
            2
        };
        let end = (filled + missing).max(*shortest);
        if end > LONGEST {
            return Err(HeaderError::Malformed("its line is too long"));
        }
        socket.read_exact(&mut line[filled..end]).await?;
        filled = end;
        let text = &line[..filled - 1];
        if text.contains(&b'\n') || text[..text.len() - 1].contains(&b'\r') {
            return Err(HeaderError::Malformed("its line ends too early"));
        }
    }
    let text = std::str::from_utf8(&line[START.len()..filled - END.len()]);
    text.ok()
        .and_then(parse)
        .ok_or(HeaderError::Malformed("its line cannot be understood"))
}

/// Parses what is between `PROXY ` and the end of the line.
fn parse(text: &str) -> Option<Option<SocketAddr>> {
    let mut words = text.split(' ');
    let is_address = match words.next()? {
        // What else it says has no meaning.
        "UNKNOWN" => return Some(None),
        "TCP4" => |word: &str| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |word: &str| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return None,
    };
    let (source, _) = (is_address(words.next()?)?, is_address(words.next()?)?);
    let (port, _) = (parse_port(words.next()?)?, parse_port(words.next()?)?);
    match words.next() {
        None => Some(Some(SocketAddr::new(source, port))),
        Some(_) => None,
    }
}

fn parse_port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = word == "0" || !word.starts_with('0');
    word.parse().ok().filter(|_| is_plain && is_short)
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::found;

    #[tokio::test]
    async fn a_line_names_the_client() {
        let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let unknown = format!("PROXY UNKNOWN {longest} {longest} 65535 65535\r\n");
        assert_eq!(unknown.len(), 107);
        let tcp6 = format!("PROXY TCP6 {longest} {longest} 65535 65535\r\n");
        let shown = format!("[{longest}]:65535");
        for (line, expected) in [
            (
                "PROXY TCP4 192.0.2.1 192.0.2.9 4711 443\r\n",
                Some("192.0.2.1:4711"),
            ),
            ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n", Some("1.1.1.1:1")),
            (
                "PROXY TCP4 127.0.0.1 127.0.0.1 0 65535\r\n",
                Some("127.0.0.1:0"),
            ),
            (
                "PROXY TCP6 2001:db8::1 2001:db8::9 4711 443\r\n",
                Some("[2001:db8::1]:4711"),
            ),
            ("PROXY TCP6 :: :: 1 1\r\n", Some("[::]:1")),
            (&tcp6, Some(&shown)),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN 192.0.2.1 192.0.2.9 4711 443\r\n", None),
            (&unknown, None),
        ] {
            let found = found(line.as_bytes()).await;
            assert_eq!(found, Ok(expected.map(str::to_owned)), "{line}");
        }
    }

    #[tokio::test]
    async fn any_other_line_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
        assert_eq!(long.len(), 108);
        let endless = format!("PROXY TCP4 {}", "1".repeat(5000));
        for line in [
            "PROXY TCP4 192.0.2.1 192.0.2.9 4711\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 4711 443 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 4711 443 \r\n",
            "PROXY TCP4  192.0.2.1 192.0.2.9 4711 443\r\n",
            "PROXY TCP4\t192.0.2.1 192.0.2.9 4711 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 04711 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 +4711 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 65536 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 -1 44444443\r\n",
            "PROXY TCP4 192.0.2.01 192.0.2.9 4711 443\r\n",
            "PROXY TCP4 192.0.2.1 2001:db8::9 4711 443\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::9 4711 443\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.9 4711 443\r\n",
            "PROXY TCP6 [2001:db8::1] 2001:db8::9 4711 443\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.9 4711 443\r\n",
            "PROXY UNKNOWNX\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 4711 443\n\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 4711 443\rx\r\n",
            "PROXY TCP4 192.0.2.1\r\n192.0.2.9 4711 443\r\n",
            "PROXY TCP4 1.1.1.1\nPROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY UNKNOWN é\r\nbehind",
            "proxy TCP4 192.0.2.1 192.0.2.9 4711 443\r\n",
            &long,
            &endless,
        ] {
            if line.contains('é') {
                // Ignored, as everything behind UNKNOWN is, but it has to be text.
                assert!(found(b"PROXY UNKNOWN \xff\xfe\r\n").await.is_err());
                continue;
            }
            assert!(found(line.as_bytes()).await.is_err(), "{line}");
        }
    }
}
