//! Version 2 of the PROXY protocol: a binary header.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::HeaderError;

/// The first bytes of a header.
pub(super) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The most bytes behind the fixed part: addresses, and extensions, which are skipped.
const LONGEST: usize = 4096;

/// The lengths of the addresses and ports of each family, in bytes.
const LENGTH_V4: usize = 12;
const LENGTH_V6: usize = 36;
const LENGTH_UNIX: usize = 216;

/// Whose connection it is.
enum Command {
    /// The proxy's own, to see whether the server is there.
    Local,
    Proxy,
}

/// Reads the rest of a header, behind its signature.
pub(super) async fn read<S>(socket: &mut S) -> Result<Option<SocketAddr>, HeaderError>
where
    S: AsyncRead + Unpin,
{
    let mut fixed = [0; 4];
    socket.read_exact(&mut fixed).await?;
    let [command, family, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let command = match command {
        0x20 => Command::Local,
        0x21 => Command::Proxy,
        _ => {
            return Err(HeaderError::Malformed(
                "it is of an unknown version or kind",
            ));
        }
    };
    if length > LONGEST {
        return Err(HeaderError::Malformed("it is too long"));
    }
    let mut rest = [0; LONGEST];
    let rest = &mut rest[..length];
    socket.read_exact(rest).await?;
    match command {
        Command::Local => Ok(None),
        Command::Proxy => parse(family, rest),
    }
}

/// The address of the client in a header of this family.
fn parse(family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
    let short = HeaderError::Malformed("its addresses are cut");
    match family {
        // The proxy does not know.
        0x00 => Ok(None),
        0x11 => match rest.first_chunk::<LENGTH_V4>() {
            Some(&[a, b, c, d, _, _, _, _, high, low, _, _]) => {
                let port = u16::from_be_bytes([high, low]);
                Ok(Some((Ipv4Addr::new(a, b, c, d), port).into()))
            }
            None => Err(short),
        },
        0x21 => match (rest.first_chunk::<16>(), rest.get(32..LENGTH_V6)) {
            (Some(&source), Some(&[high, low, _, _])) => {
                let port = u16::from_be_bytes([high, low]);
                Ok(Some((Ipv6Addr::from(source), port).into()))
            }
            _ => Err(short),
        },
        // The client is on the machine of the proxy.
        0x31 => match rest.len() < LENGTH_UNIX {
            true => Err(short),
            false => Ok(None),
        },
        _ => Err(HeaderError::Malformed(
            "its addresses are of an unknown kind",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::found;
    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, rest].concat()
    }

    fn v4() -> Vec<u8> {
        [192, 0, 2, 1, 192, 0, 2, 9, 0x12, 0x67, 1, 187].to_vec()
    }

    fn v6() -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::1".parse().unwrap();
        [&source.octets()[..], &[9; 16], &[0x12, 0x67, 1, 187]].concat()
    }

    #[tokio::test]
    async fn a_header_names_the_client() {
        let extended = |mut rest: Vec<u8>, length: usize| {
            rest.resize(length, 0xee);
            rest
        };
        for (command, family, rest, expected) in [
            (0x21, 0x11, v4(), Some("192.0.2.1:4711")),
            (0x21, 0x11, extended(v4(), 4096), Some("192.0.2.1:4711")),
            (0x21, 0x21, v6(), Some("[2001:db8::1]:4711")),
            (0x21, 0x21, extended(v6(), 300), Some("[2001:db8::1]:4711")),
            (0x21, 0x31, vec![b'/'; 216], None),
            (0x21, 0x00, Vec::new(), None),
            (0x21, 0x00, extended(v4(), 100), None),
            (0x20, 0x00, Vec::new(), None),
            // The proxy's own connection, whatever else it says.
            (0x20, 0x11, v4(), None),
            (0x20, 0xff, extended(v4(), 100), None),
        ] {
            let whole = header(command, family, &rest);
            let expected = Ok(expected.map(str::to_owned));
            assert_eq!(found(&whole).await, expected, "{command:x} {family:x}");
        }
    }

    #[tokio::test]
    async fn any_other_header_is_refused() {
        for (command, family, rest) in [
            (0x22, 0x11, v4()),
            (0x11, 0x11, v4()),
            (0x31, 0x11, v4()),
            (0x01, 0x11, v4()),
            (0x21, 0x11, v4()[..11].to_vec()),
            (0x21, 0x21, v6()[..35].to_vec()),
            (0x21, 0x21, v4()),
            (0x21, 0x31, vec![0; 215]),
            // Datagrams, and what does not exist.
            (0x21, 0x12, v4()),
            (0x21, 0x22, v6()),
            (0x21, 0x10, v4()),
            (0x21, 0x41, v6()),
            (0x21, 0x11, vec![0; 4097]),
            (0x20, 0x00, vec![0; 65535]),
        ] {
            let whole = header(command, family, &rest);
            assert!(found(&whole).await.is_err(), "{command:x} {family:x}");
        }
    }
}
