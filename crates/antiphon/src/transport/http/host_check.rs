//! Checks of Host and Origin, in front of every HTTP entry point.
//!
//! A web page can make the user's browser send requests to servers on the user's own machine. Three
//! headers identify such requests: `Host` is the name that the browser believes it talks to (a page
//! that uses DNS rebinding to point its own name at 127.0.0.1 still sends its own name), `Origin`
//! names the page that sends the request, and `Sec-Fetch-Site` says whether that page belongs to
//! another site.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{HeaderValue, Uri};

use crate::transport::http::allow_list;
use crate::transport::http::authority::HostPort;
use crate::transport::http::headers::{Fields, Occurrence};
use crate::transport::http::refusal::Refusal;

/// The host names that a server answers to, and the web pages that may call it.
///
/// By default: the loopback names, and only the server's own pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Accepts any canonical IP address as host name: the listener is not bound to loopback.
    any_address: bool,
    /// Accepts any host name: `Host` is checked in front of this service.
    any_host: bool,
    /// Values of `Host` that need no parsing: loopback names with a port that the server listens
    /// on.
    usual: Vec<HeaderValue>,
}

/// The result of the checks for a request that is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    /// The origin that may read the response, if it is on the allow list: the response gets CORS
    /// headers.
    pub(crate) cors: Option<HeaderValue>,
}

impl Guard {
    /// Also accepts this host name. The port is not compared.
    ///
    /// # Errors
    ///
    /// A sentence that says why no request could have this host.
    pub(crate) fn allow_host(&mut self, host: &str) -> Result<(), String> {
        self.hosts.push(allow_list::host(host)?);
        Ok(())
    }

    /// Also accepts pages of this origin, such as `https://app.example` or `http://localhost:3000`.
    ///
    /// # Errors
    ///
    /// A sentence that says why no page could have this origin.
    pub(crate) fn allow_origin(&mut self, origin: &str) -> Result<(), String> {
        self.origins.push(allow_list::origin(origin)?);
        Ok(())
    }

    /// Records a port that this server listens on.
    pub(crate) fn note_port(&mut self, port: u16) {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let spelled = names.map(|name| HeaderValue::from_str(&format!("{name}:{port}")));
        self.usual.extend(spelled.into_iter().flatten());
    }

    pub(crate) fn allow_any_address(&mut self) {
        self.any_address = true;
    }

    pub(crate) fn allow_any_host(&mut self) {
        self.any_host = true;
    }

    /// Whether only loopback names are accepted.
    pub(crate) fn is_loopback_only(&self) -> bool {
        !self.any_address && !self.any_host && self.hosts.iter().all(|host| is_loopback_name(host))
    }

    /// Checks a request; refuses it if its host or origin is not allowed.
    pub(crate) fn check(&self, fields: &Fields<'_>, target: &Uri) -> Result<Admission, Refusal> {
        if self.is_usual(fields, target) {
            return Ok(Admission { cors: None });
        }
        let Some(host) = host(fields, target)? else {
            return Err(Refusal::bad_request("no Host header"));
        };
        if !self.any_host && !self.is_our_name(&normal(host.host)) {
            return Err(Refusal::forbidden(
                "this server does not answer to that Host; `--allow-host NAME` would let it",
            ));
        }
        self.check_origin(fields, host)
    }

    /// Fast path: whether the request has a usual `Host` and does not come from a web page, so
    /// nothing has to be parsed.
    fn is_usual(&self, fields: &Fields<'_>, target: &Uri) -> bool {
        let (Occurrence::Once(host), Occurrence::Never, None) =
            (fields.host, fields.origin, fields.sec_fetch_site)
        else {
            return false;
        };
        target.authority().is_none() && self.usual.iter().any(|usual| usual == host)
    }

    fn check_origin(&self, fields: &Fields<'_>, host: HostPort<'_>) -> Result<Admission, Refusal> {
        let origin = match fields.origin {
            Occurrence::Once(origin) => origin,
            Occurrence::Often => return Err(cross_site()),
            // Browsers send Origin with every POST. A cross-site request without one comes from a
            // form or a link, and neither may make calls.
            Occurrence::Never
                if fields
                    .sec_fetch_site
                    .is_some_and(|site| site == "cross-site") =>
            {
                return Err(cross_site());
            }
            Occurrence::Never => return Ok(Admission { cors: None }),
        };
        let text = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        if self.origins.contains(&text) {
            let cors = Some(origin.clone());
            return Ok(Admission { cors });
        }
        if self.is_own_page(&text, host) {
            return Ok(Admission { cors: None });
        }
        Err(cross_site())
    }

    /// Whether the page comes from this server: it has the same port, and the host name of the
    /// request or another name of this server. `any_address` is ignored here: pages of other IP
    /// addresses are not this server's pages.
    fn is_own_page(&self, origin: &str, host: HostPort<'_>) -> bool {
        let Some(page) = origin.strip_prefix("http://").and_then(HostPort::parse) else {
            return false;
        };
        let name = normal(page.host);
        let ours =
            name == normal(host.host) || is_loopback_name(&name) || self.hosts.contains(&name);
        ours && page.port.unwrap_or(80) == host.port.unwrap_or(80)
    }

    fn is_our_name(&self, host: &str) -> bool {
        is_loopback_name(host)
            || self.hosts.iter().any(|ours| ours == host)
            || (self.any_address && address(host).is_some())
    }
}

fn cross_site() -> Refusal {
    Refusal::forbidden(
        "pages of that origin may not call this server; `--allow-origin ORIGIN` would let them",
    )
}

/// Checks the form of `Host` and of the request's target, for a request whose host may be any: on a
/// Unix socket, or for a health check. There a request may also have no host, or an empty one.
pub(crate) fn check_form(fields: &Fields<'_>, target: &Uri) -> Result<(), Refusal> {
    match (fields.host, target.authority()) {
        (Occurrence::Once(host), None) if host.is_empty() => Ok(()),
        _ => host(fields, target).map(drop),
    }
}

/// The host that the request is for, if it names one. Two `Host` headers, a request target that
/// disagrees with `Host`, and whatever is no plain host and port are refused, since proxies and
/// servers may read them in different ways.
fn host<'a>(fields: &Fields<'a>, target: &'a Uri) -> Result<Option<HostPort<'a>>, Refusal> {
    let header = match fields.host {
        Occurrence::Never => None,
        Occurrence::Often => return Err(Refusal::bad_request("two Host headers")),
        Occurrence::Once(value) => match value.to_str().ok().and_then(HostPort::parse) {
            None => return Err(Refusal::bad_request("the Host header is no host")),
            host => host,
        },
    };
    let Some(authority) = target.authority() else {
        return Ok(header);
    };
    if !matches!(target.scheme_str(), None | Some("http" | "https")) {
        return Err(Refusal::bad_request("the request's target is no HTTP URL"));
    }
    let Some(target) = HostPort::parse(authority.as_str()) else {
        return Err(Refusal::bad_request("the request's target has no host"));
    };
    match header {
        Some(header) if !same(header, target) => Err(Refusal::bad_request(
            "Host and the request's target disagree",
        )),
        _ => Ok(Some(target)),
    }
}

fn same(a: HostPort<'_>, b: HostPort<'_>) -> bool {
    normal(a.host) == normal(b.host) && a.port == b.port
}

/// Lower case, without the trailing dot.
fn normal(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Whether a name, in lower case and without a trailing dot, is one of the server's own on loopback.
///
/// `address::loopback` answers another question: may a secret go to that host unencrypted? This name
/// comes from a caller, and nobody looks it up. It has to be one that browsers send for this machine,
/// in the form in which they write it.
fn is_loopback_name(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Parses an IP address in its canonical form: no decimal, octal or short form, no zone.
fn address(host: &str) -> Option<IpAddr> {
    if let Some(inner) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        let address: Ipv6Addr = inner.parse().ok()?;
        return (address.to_string() == inner).then_some(address.into());
    }
    host.parse::<Ipv4Addr>().ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::request::Parts;

    fn check(guard: &Guard, head: &Parts) -> Result<Admission, Refusal> {
        guard.check(&Fields::of(&head.headers), &head.uri)
    }

    fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::post(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn status(guard: &Guard, target: &str, headers: &[(&str, &str)]) -> u16 {
        check(guard, &head(target, headers))
            .map_or_else(|refusal| refusal.status().as_u16(), |_| 200)
    }

    #[test]
    fn only_names_of_ours_are_answered_to() {
        let local = Guard::default();
        let mut public = Guard::default();
        public.allow_any_address();
        public.allow_host("API.example.").unwrap();
        for (host, on_local, on_public) in [
            ("localhost", 200, 200),
            ("localhost:8060", 200, 200),
            ("LOCALHOST.", 200, 200),
            ("127.0.0.1:1", 200, 200),
            ("127.9.9.9", 200, 200),
            ("[::1]:8060", 200, 200),
            ("10.0.0.7", 403, 200),
            ("[2001:db8::1]", 403, 200),
            ("api.example", 403, 200),
            ("api.EXAMPLE.:8060", 403, 200),
            ("evil.example", 403, 403),
            ("127.0.0.1.evil.example", 403, 403),
            ("localhost.evil.example", 403, 403),
            ("2130706433", 403, 403),
            ("0x7f000001", 403, 403),
            ("127.1", 403, 403),
            ("0177.0.0.1", 403, 403),
            ("[::ffff:127.0.0.1]", 403, 200),
            ("[0:0:0:0:0:0:0:1]", 403, 403),
            ("localhost:", 400, 400),
            ("localhost:65536", 400, 400),
            ("localhost:x", 400, 400),
            ("user@localhost", 400, 400),
            ("local host", 400, 400),
            ("", 400, 400),
        ] {
            assert_eq!(
                status(&local, "/", &[("host", host)]),
                on_local,
                "local {host:?}"
            );
            assert_eq!(
                status(&public, "/", &[("host", host)]),
                on_public,
                "public {host:?}"
            );
        }
    }

    #[test]
    fn a_request_must_have_one_name() {
        let guard = Guard::default();
        assert_eq!(status(&guard, "/", &[]), 400);
        assert_eq!(
            status(&guard, "/", &[("host", "localhost"), ("host", "localhost")]),
            400
        );
        assert_eq!(status(&guard, "http://localhost/", &[]), 200);
        assert_eq!(
            status(&guard, "http://evil.example/", &[("host", "localhost")]),
            400
        );
        assert_eq!(
            status(&guard, "http://LOCALHOST:1/", &[("host", "localhost:1")]),
            200
        );
        assert_eq!(status(&guard, "http://evil.example/", &[]), 403);
        for odd in [
            "http://user@localhost/",
            "http://localhost:x/",
            "ftp://localhost/",
        ] {
            assert_eq!(status(&guard, odd, &[]), 400, "{odd}");
            assert_eq!(status(&guard, odd, &[("host", "localhost")]), 400, "{odd}");
        }
    }

    #[test]
    fn where_any_host_will_do_it_has_its_form_all_the_same() {
        for (target, hosts, fits) in [
            ("/", &[][..], true),
            ("/", &[""], true),
            ("/", &["evil.example"], true),
            ("http://evil.example/", &[], true),
            ("/", &["evil.example", "evil.example"], false),
            ("/", &["evil.example:"], false),
            ("http://evil.example/", &[""], false),
            ("http://evil.example/", &["localhost"], false),
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            let head = head(target, &headers);
            let checked = check_form(&Fields::of(&head.headers), &head.uri);
            assert_eq!(checked.is_ok(), fits, "{target} {hosts:?}");
        }
    }

    #[test]
    fn only_pages_of_ours_and_those_named_may_call() {
        let mut guard = Guard::default();
        guard.allow_origin("https://App.example/").unwrap();
        for (origin, expected) in [
            ("http://localhost:8060", 200),
            ("http://127.0.0.1:8060", 200),
            ("https://app.example", 200),
            ("https://APP.example", 200),
            ("http://localhost:3000", 403),
            ("https://localhost:8060", 403),
            ("http://app.example", 403),
            ("https://app.example:8443", 403),
            ("https://app.example.evil", 403),
            ("https://evil-app.example", 403),
            ("http://evil.example:8060", 403),
            ("http://localhost:8060@evil.example", 403),
            ("null", 403),
            ("", 403),
        ] {
            let headers = [("host", "localhost:8060"), ("origin", origin)];
            assert_eq!(status(&guard, "/", &headers), expected, "{origin:?}");
        }
    }

    #[test]
    fn a_cross_site_request_without_an_origin_is_refused() {
        let guard = Guard::default();
        let with = |site| [("host", "localhost"), ("sec-fetch-site", site)];
        assert_eq!(status(&guard, "/", &with("cross-site")), 403);
        assert_eq!(status(&guard, "/", &with("same-origin")), 200);
        assert_eq!(status(&guard, "/", &with("none")), 200);
    }

    #[test]
    fn cors_is_for_pages_that_were_named() {
        let mut guard = Guard::default();
        guard.allow_origin("https://app.example").unwrap();
        let named = head(
            "/",
            &[("host", "localhost"), ("origin", "https://app.example")],
        );
        let own = head(
            "/",
            &[("host", "localhost"), ("origin", "http://localhost")],
        );
        assert_eq!(
            check(&guard, &named).ok().unwrap().cors.unwrap(),
            "https://app.example"
        );
        assert_eq!(check(&guard, &own).ok().unwrap().cors, None);
    }
}
