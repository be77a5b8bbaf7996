//! Hosts and origins that a user allows, brought into the form in which requests name them.
//!
//! An entry that no request could ever match is a mistake: either the right page is refused, or
//! somebody believes that something is allowed which is not. So it is refused with what is wrong.

use std::net::Ipv6Addr;

use crate::transport::http::authority::{HostPort, is_usual_name};

/// The name that the `Host` of a request is compared with: lower case, without the port and the
/// last dot, IPv6 in brackets.
///
/// # Errors
///
/// A sentence that says why no request could have this host.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let wrong = |reason: &str| format!("{text:?} cannot be allowed as a host: {reason}");
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    if let Some(reason) = general_fault(text) {
        return Err(wrong(reason));
    }
    if text.contains("://") || text.contains('/') {
        return Err(wrong("give the name alone, without scheme and path"));
    }
    let Some(HostPort { host, .. }) = HostPort::parse(text) else {
        return Err(wrong("it is no host name"));
    };
    match canonical(host, Ipv6Addr::to_string) {
        Some(host) => Ok(host.strip_suffix('.').unwrap_or(&host).to_owned()),
        None => Err(wrong(
            "it is no host name, and no address in its usual form",
        )),
    }
}

/// The text that the `Origin` of a request is compared with: lower case, without a slash at the end
/// and without the default port, as browsers write it.
///
/// # Errors
///
/// A sentence that says why no web page could have this origin, or why it must not be allowed.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let wrong = |reason: &str| format!("{text:?} cannot be allowed as an origin: {reason}");
    if text.eq_ignore_ascii_case("null") {
        return Err(wrong(
            "every sandboxed frame and every local file has it, of whatever page",
        ));
    }
    if let Some(reason) = general_fault(text) {
        return Err(wrong(reason));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(wrong("it needs a scheme, as in https://app.example"));
    };
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        "ws" | "wss" => {
            return Err(wrong(
                "give the address of the page, which begins with http:// or https://",
            ));
        }
        "file" => return Err(wrong("pages in files have no origin of their own")),
        scheme if is_scheme(scheme) => None,
        _ => return Err(wrong("it begins with no scheme")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#', '\\']) {
        return Err(wrong("an origin has no path"));
    }
    let Some(HostPort { host, port }) = HostPort::parse(authority) else {
        return Err(wrong("behind the scheme there is no host, or no port"));
    };
    let Some(host) = canonical(host, written_by_browsers) else {
        return Err(wrong(
            "its host is no name, and no address in its usual form",
        ));
    };
    Ok(match port.filter(|port| Some(*port) != default_port) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// What is wrong with a text that is neither a host nor an origin.
fn general_fault(text: &str) -> Option<&'static str> {
    Some(match text {
        "" => "it is empty",
        _ if text.contains('*') => "there are no patterns, so name each one",
        _ if text.contains('@') => "it has user information",
        _ if !text.is_ascii() => "write it as browsers do, with xn--… for each such label",
        _ if text.contains(|c: char| c.is_whitespace() || c.is_control()) => "it contains a space",
        _ => return None,
    })
}

fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The host in lower case, an IPv6 address in one form; `None` if nobody would write it so.
fn canonical(host: &str, text: impl Fn(&Ipv6Addr) -> String) -> Option<String> {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = match address {
        Some(address) => return Some(format!("[{}]", text(&address.parse().ok()?))),
        None => host.to_ascii_lowercase(),
    };
    is_usual_name(&host).then_some(host)
}

/// An IPv6 address as browsers write it in an origin: without dots, also where it stands for an IPv4
/// address.
fn written_by_browsers(address: &Ipv6Addr) -> String {
    match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_brought_into_the_form_that_browsers_send() {
        for (text, expected) in [
            ("https://app.example", "https://app.example"),
            ("https://App.EXAMPLE/", "https://app.example"),
            ("HTTPS://app.example:443", "https://app.example"),
            ("http://app.example:80/", "http://app.example"),
            ("https://app.example:80", "https://app.example:80"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://app.example.", "https://app.example."),
            (
                "https://xn--bcher-kva.example",
                "https://xn--bcher-kva.example",
            ),
            ("http://127.0.0.1:08060", "http://127.0.0.1:8060"),
            ("http://[0:0:0:0:0:0:0:1]:8060", "http://[::1]:8060"),
            ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("tauri://localhost", "tauri://localhost"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_origin_that_no_page_has_is_refused_with_the_reason() {
        for (text, reason) in [
            ("null", "sandboxed"),
            ("NULL", "sandboxed"),
            ("", "empty"),
            ("*", "patterns"),
            ("https://*.example", "patterns"),
            ("app.example", "scheme"),
            ("app.example:8060", "scheme"),
            ("//app.example", "scheme"),
            ("https:app.example", "scheme"),
            ("://app.example", "scheme"),
            ("1https://app.example", "scheme"),
            ("wss://app.example", "http"),
            ("file:///home/page.html", "files"),
            ("https://", "no host"),
            ("https:///", "no host"),
            ("https://:443", "no host"),
            ("https://app.example/page", "no path"),
            ("https://app.example//", "no path"),
            ("https://app.example?a", "no path"),
            ("https://app.example#a", "no path"),
            ("https://user@app.example", "user"),
            ("https://app.example:", "no port"),
            ("https://app.example:0", "no port"),
            ("https://app.example:65536", "no port"),
            ("https://app.example:x", "no port"),
            ("https://bücher.example", "xn--"),
            ("https://app example", "space"),
            ("https://app.example, https://b.example", "space"),
            (" https://app.example", "space"),
            ("https://127.1", "usual form"),
            ("https://a..example", "usual form"),
            ("https://[::1", "no host"),
        ] {
            let error = origin(text).unwrap_err();
            assert!(error.contains(&format!("{text:?}")), "{error}");
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_host_is_brought_into_the_form_that_is_compared() {
        for (text, expected) in [
            ("api.example", "api.example"),
            ("API.example.", "api.example"),
            ("API.example.:8080", "api.example"),
            ("my_service", "my_service"),
            ("10.0.0.7:80", "10.0.0.7"),
            ("::1", "[::1]"),
            ("2001:DB8:0::1", "[2001:db8::1]"),
            ("[2001:db8:0:0::1]:8080", "[2001:db8::1]"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_host_that_no_request_has_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "empty"),
            ("*", "patterns"),
            ("*.example", "patterns"),
            ("https://api.example", "without scheme"),
            ("api.example/rpc", "without scheme"),
            ("user@api.example", "user"),
            ("bücher.example", "xn--"),
            ("api example", "space"),
            ("api.example:", "no host name"),
            ("api.example:x", "no host name"),
            ("api.example:65536", "no host name"),
            (":8060", "no host name"),
            ("127.1", "usual form"),
            ("0x7f000001", "usual form"),
            ("api..example", "usual form"),
            (".", "usual form"),
            ("[::1", "no host name"),
            ("a,b", "no host name"),
        ] {
            let error = host(text).unwrap_err();
            assert!(error.contains(&format!("{text:?}")), "{error}");
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
