//! The client's address from `Forwarded` (RFC 7239) or `X-Forwarded-For`, as trusted proxies write it.
//!
//! Each proxy appends the address that it sees, so entries are believed from the right: the last one is
//! by the peer of the connection, and an entry is by the proxy that the entry behind it names. The
//! first address that is no trusted proxy is the client. What is left of it may be anybody's, so it is
//! not even looked at: its quotes cannot swallow what a proxy has appended.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::address::client_address::ClientAddress;
use crate::address::trusted_proxies::TrustedProxies;

/// The most entries that are looked at.
const MAX_ENTRIES: usize = 32;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// In place of a value that is not ASCII.
const NO_ENTRY: &str = "?";

/// The client of a request that came through this proxy. If the fields tell nothing that is sure, or
/// contradict each other, it is the proxy itself.
pub(super) fn client(
    headers: &HeaderMap,
    trusted: &TrustedProxies,
    proxy: ClientAddress,
) -> ClientAddress {
    let values = |name: HeaderName| headers.get_all(name).into_iter().rev().map(text);
    let standard = values(FORWARDED).flat_map(elements).map(standard_entry);
    let usual = values(X_FORWARDED_FOR).flat_map(|list| list.rsplit(',').map(usual_entry));
    let found = match (walk(standard, trusted), walk(usual, trusted)) {
        (Some(one), Some(other)) if one != other => None,
        (Some(one), _) => one,
        (None, other) => other.flatten(),
    };
    match (found, proxy) {
        (Some(address), _) => ClientAddress::Known(address),
        (None, ClientAddress::None) => ClientAddress::Hidden,
        (None, proxy) => proxy,
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or(NO_ENTRY)
}

/// Walks entries from the right. `None` if there are none; an address only if one is sure.
fn walk(
    entries: impl Iterator<Item = Option<IpAddr>>,
    trusted: &TrustedProxies,
) -> Option<Option<IpAddr>> {
    let mut sure = None;
    for entry in entries.take(MAX_ENTRIES) {
        let known = *sure.get_or_insert(None);
        match entry {
            Some(address) => sure = Some(Some(address)),
            None => return Some(known),
        }
        if entry.is_some_and(|address| !trusted.has(address)) {
            break;
        }
    }
    sure
}

/// The elements of a `Forwarded` field, from the right. A comma in quotes separates nothing.
fn elements(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let list = rest?;
        let mut quoted = false;
        let separator = list.bytes().rposition(|byte| {
            quoted ^= byte == b'"';
            byte == b',' && !quoted
        });
        let Some(at) = separator else {
            rest = None;
            return Some(list);
        };
        rest = Some(&list[..at]);
        Some(&list[at + 1..])
    })
}

/// The address in an element of `Forwarded`: that of its only `for`. `None` if there is no other part
/// than well-formed ones, or the address is not told (`unknown`, `_hidden`).
fn standard_entry(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in element.split(';') {
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        let value = unquoted(value)?;
        if !is_token(name) {
            return None;
        }
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
    let node = found?;
    match node.strip_prefix('[') {
        Some(_) => bracketed(node),
        None => with_port(node),
    }
}

/// The address in an entry of `X-Forwarded-For`. IPv6 stands there with or without brackets.
fn usual_entry(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim_matches([' ', '\t']);
    if let Ok(address) = entry.parse::<Ipv6Addr>() {
        return Some(IpAddr::V6(address).to_canonical());
    }
    match entry.strip_prefix('[') {
        Some(_) => bracketed(entry),
        None => with_port(entry),
    }
}

/// What a quoted value says. There is nothing in an address that would have to be escaped.
fn unquoted(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix('"') {
        Some(behind) => behind.strip_suffix('"')?,
        None => value,
    };
    (!inner.is_empty() && !inner.contains(['"', '\\'])).then_some(inner)
}

fn is_token(name: &str) -> bool {
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(of_token)
}

/// `[IPv6]`, with or without a port.
fn bracketed(node: &str) -> Option<IpAddr> {
    let (address, behind) = node.strip_prefix('[')?.split_once(']')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let is_whole = behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port);
    is_whole.then(|| IpAddr::V6(address).to_canonical())
}

/// An IPv4 address, with or without a port.
fn with_port(node: &str) -> Option<IpAddr> {
    let (address, port) = match node.split_once(':') {
        Some((address, port)) => (address, Some(port)),
        None => (node, None),
    };
    let address: Ipv4Addr = address.parse().ok()?;
    port.is_none_or(is_port).then_some(IpAddr::V4(address))
}

/// A port, or a name in place of one (`_name`).
fn is_port(port: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match port.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(of_name),
        None => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client behind 10.0.0.1, where 10.0.0.0/8 and 2001:db8:f::/48 are trusted.
    fn found(fields: &[(&str, &str)]) -> String {
        let list = ["10.0.0.0/8,2001:db8:f::/48".to_owned()];
        let trusted = TrustedProxies::parse(&list).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let client = client(&headers, &trusted, proxy.into());
        client.ip().unwrap().to_string()
    }

    const PROXY: &str = "10.0.0.1";

    #[test]
    fn the_first_address_from_the_right_that_is_no_proxy_is_the_client() {
        for (list, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("  192.0.2.1\t", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            // An address of this machine is one like any other.
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            // Forged by the client, and appended to by one or more proxies.
            ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
            ("10.0.0.9, 192.0.2.1", "192.0.2.1"),
            ("6.6.6.6,192.0.2.1,10.0.0.2", "192.0.2.1"),
            ("192.0.2.1, 10.0.0.2, 2001:db8:f::2", "192.0.2.1"),
            ("192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1"),
            ("rubbish, 192.0.2.1", "192.0.2.1"),
            ("\", 192.0.2.1", "192.0.2.1"),
            // All are proxies: the first one is the client.
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            // Malformed where the walk comes: the last one that is sure.
            ("rubbish, 10.0.0.2", "10.0.0.2"),
            ("192.0.2.1, , 10.0.0.2", "10.0.0.2"),
            ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("", PROXY),
            (",", PROXY),
            ("192.0.2.1,", PROXY),
            ("unknown", PROXY),
            ("rubbish", PROXY),
            ("192.0.2.1, rubbish", PROXY),
            ("192.0.2.1.5", PROXY),
            ("192.0.2.01", PROXY),
            ("192.0.2.1:", PROXY),
            ("192.0.2.1:65536", PROXY),
            ("192.0.2.1:+1", PROXY),
            ("192.0.2.1 6.6.6.6", PROXY),
            ("\"192.0.2.1\"", PROXY),
            ("[192.0.2.1]", PROXY),
            ("[2001:db8::1", PROXY),
            ("[2001:db8::1]x", PROXY),
            ("fe80::1%eth0", PROXY),
            ("é", PROXY),
        ] {
            assert_eq!(found(&[("x-forwarded-for", list)]), expected, "{list}");
        }
    }

    #[test]
    fn the_standard_field_says_the_same() {
        for (list, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("For=\"192.0.2.1\"", "192.0.2.1"),
            ("for=\"192.0.2.1:4711\"", "192.0.2.1"),
            ("for=\"192.0.2.1:_port\"", "192.0.2.1"),
            ("for=\"[2001:db8::1]\"", "2001:db8::1"),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            (
                "for=192.0.2.1;proto=https;by=10.0.0.1;host=\"h:1\"",
                "192.0.2.1",
            ),
            ("proto=https; for=192.0.2.1", "192.0.2.1"),
            ("for=192.0.2.1;host=\"a,b\"", "192.0.2.1"),
            ("for=6.6.6.6, for=192.0.2.1", "192.0.2.1"),
            ("for=192.0.2.1, for=10.0.0.2", "192.0.2.1"),
            ("for=192.0.2.1, for=\"[2001:db8:f::2]\"", "192.0.2.1"),
            // Quotes of the client do not reach what a proxy appends.
            ("for=6.6.6.6;x=\", for=192.0.2.1", "192.0.2.1"),
            ("for=\"6.6.6.6, for=192.0.2.1", "192.0.2.1"),
            ("for=\"6.6.6.6\\\", for=192.0.2.1", "192.0.2.1"),
            ("for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("proto=https, for=10.0.0.2", "10.0.0.2"),
            ("for=unknown", PROXY),
            ("for=_hidden", PROXY),
            ("for=\"_hidden:1\"", PROXY),
            ("", PROXY),
            ("192.0.2.1", PROXY),
            ("for=", PROXY),
            ("for=\"\"", PROXY),
            ("for=\"192.0.2.1", PROXY),
            ("for=192.0.2.1\"", PROXY),
            ("for=\"192.0.2\\.1\"", PROXY),
            ("for=2001:db8::1", PROXY),
            ("for=[2001:db8::1]x", PROXY),
            ("for=192.0.2.1;", PROXY),
            ("for = 192.0.2.1", PROXY),
            // Injected through another part of the element.
            ("for=192.0.2.1;host=\"x\";for=\"6.6.6.6\"", PROXY),
            ("for=192.0.2.1;for=192.0.2.1", PROXY),
        ] {
            assert_eq!(found(&[("forwarded", list)]), expected, "{list}");
        }
    }

    #[test]
    fn lines_are_one_list_and_two_fields_must_agree() {
        let x = "x-forwarded-for";
        let standard = "forwarded";
        for (fields, expected) in [
            (&[(x, "192.0.2.1"), (x, "10.0.0.2")][..], "192.0.2.1"),
            (&[(x, "6.6.6.6"), (x, "192.0.2.1")], "192.0.2.1"),
            (
                &[(standard, "for=6.6.6.6"), (standard, "for=192.0.2.1")],
                "192.0.2.1",
            ),
            (
                &[(x, "192.0.2.1"), (standard, "for=192.0.2.1")],
                "192.0.2.1",
            ),
            (
                &[(x, "192.0.2.1, 10.0.0.2"), (standard, "for=192.0.2.1")],
                "192.0.2.1",
            ),
            (&[(x, "192.0.2.1"), (standard, "for=6.6.6.6")], PROXY),
            (&[(x, "192.0.2.1"), (standard, "for=unknown")], PROXY),
            (&[(x, "192.0.2.1"), (standard, "rubbish")], PROXY),
            (&[(x, "rubbish"), (standard, "for=192.0.2.1")], PROXY),
            (&[("x-real-ip", "6.6.6.6")], PROXY),
            (&[], PROXY),
        ] {
            assert_eq!(found(fields), expected, "{fields:?}");
        }
    }

    /// Whatever a client sends, it does not get around what a proxy appends.
    #[test]
    fn no_text_of_a_client_reaches_the_entry_of_a_proxy() {
        const ALPHABET: &[u8] = b"\"\\,;=[]:. \t_for10a";
        // A xorshift generator: the same texts in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..3_000 {
            let length = next(24);
            let text = (0..length).map(|_| char::from(ALPHABET[next(ALPHABET.len())]));
            let text: String = text.collect();
            for (name, entry) in [
                ("forwarded", "for=192.0.2.1;proto=https"),
                ("forwarded", "for=\"192.0.2.1:1\";host=\"a,b\""),
                ("x-forwarded-for", "192.0.2.1"),
            ] {
                let appended = format!("{text}, {entry}");
                assert_eq!(found(&[(name, &appended)]), "192.0.2.1", "{appended}");
                let lines = [(name, &*text), (name, entry)];
                assert_eq!(found(&lines), "192.0.2.1", "{lines:?}");
                // Alone it may say anything, and nothing panics.
                found(&[(name, &text)]);
            }
        }
    }

    #[test]
    fn only_so_many_entries_are_looked_at() {
        let list = |proxies: usize| {
            let proxies = (0..proxies).map(|at| format!(", 10.0.1.{at}"));
            format!("192.0.2.1{}", proxies.collect::<String>())
        };
        let found = |proxies| found(&[("x-forwarded-for", &list(proxies))]);
        assert_eq!(found(MAX_ENTRIES - 1), "192.0.2.1");
        assert_eq!(found(MAX_ENTRIES), "10.0.1.0");
        assert_eq!(found(200), "10.0.1.168");
    }

    #[test]
    fn a_proxy_without_an_address_hides_whom_it_does_not_name() {
        let trusted = TrustedProxies::parse(&["unix".to_owned()]).unwrap();
        let mut headers = HeaderMap::new();
        let of = |headers: &HeaderMap| client(headers, &trusted, ClientAddress::None);
        assert_eq!(of(&headers), ClientAddress::Hidden);
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("unknown"));
        assert_eq!(of(&headers), ClientAddress::Hidden);
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"));
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(of(&headers), address.into());
    }
}
