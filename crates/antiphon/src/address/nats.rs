//! Address of a service behind NATS servers.

use std::fmt;

use super::authority::authority;
#[cfg(feature = "server")]
use super::loopback::is_loopback;
use super::nats_files::NatsFiles;

/// The port of a NATS server, unless another is given.
const DEFAULT_PORT: u16 = 4222;

/// The most NATS servers in one address.
const MAX_SERVERS: usize = 16;

/// The most bytes in a prefix.
const MAX_PREFIX: usize = 128;

/// Where a service is reached through a broker: one of several NATS servers of a cluster, and the prefix
/// of the service's subjects.
///
/// ```
/// use antiphon::Address;
///
/// let Address::Nats(address) = "nats://one.example,two.example:4223/shop".parse()? else { panic!() };
/// assert_eq!(address.servers[1], ("two.example".to_owned(), 4223));
/// assert_eq!(address.prefix, "shop");
/// assert_eq!(address.to_string(), "nats://one.example:4222,two.example:4223/shop");
/// # Ok::<(), antiphon::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsAddress {
    /// Whether the connection to the NATS server has to use TLS (`nats+tls:`). Without it, the NATS server
    /// decides.
    pub secure: bool,
    /// Host names or IP addresses, IPv6 without brackets, and ports. There is at least one.
    pub servers: Vec<(String, u16)>,
    /// User name and password, in this order. They are in no text form.
    pub login: Option<(String, String)>,
    /// What the subjects of the service begin with: words of letters, digits, `-` and `_`, with dots
    /// between them.
    pub prefix: String,
    /// Files with credentials and certificates.
    pub files: Box<NatsFiles>,
}

impl NatsAddress {
    /// Parses what follows `nats://` or `nats+tls://`.
    pub(super) fn parse<E>(
        rest: &str,
        secure: bool,
        parse_place: impl Fn(&str, u16) -> Result<(Option<String>, u16), E>,
        fault: impl Fn(String) -> E,
    ) -> Result<Self, E> {
        let malformed = |reason: &str| fault(reason.to_owned());
        let (rest, files) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Box::new(NatsFiles::parse(query).map_err(&fault)?)),
            None => (rest, Box::default()),
        };
        let (places, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, places) = match places.rsplit_once('@') {
            Some((login, places)) => (Some(login), places),
            None => (None, places),
        };
        let login = match login.map(|login| login.split_once(':')) {
            None => None,
            Some(Some((user, password))) if !user.is_empty() => {
                Some((user.to_owned(), password.to_owned()))
            }
            Some(_) => return Err(malformed("a login is written `USER:PASSWORD@`")),
        };
        if files.credentials() + usize::from(login.is_some()) > 1 {
            return Err(malformed(
                "there is more than one of a login, `creds=`, `nkey=`, `token=` and `login=`",
            ));
        }
        let mut servers = Vec::new();
        for place in places.split(',') {
            let (host, port) = parse_place(place, DEFAULT_PORT)?;
            let host = host.ok_or_else(|| malformed("a NATS server needs a host"))?;
            servers.push((host, port));
        }
        if servers.len() > MAX_SERVERS {
            return Err(malformed("there are more than 16 NATS servers"));
        }
        if !is_prefix(prefix) {
            return Err(malformed(
                "`nats:` needs a prefix for subjects, as in `nats://localhost/shop`: words of \
                 letters, digits, `-` and `_`, with dots between them, 128 bytes at most",
            ));
        }
        Ok(Self {
            secure,
            servers,
            login,
            prefix: prefix.to_owned(),
            files,
        })
    }

    /// The same address for others, who have files of their own.
    #[cfg(feature = "server")]
    pub(crate) fn without_files(&self) -> Self {
        Self {
            files: Box::default(),
            ..self.clone()
        }
    }

    /// Whether all NATS servers are on this machine.
    #[cfg(feature = "server")]
    pub(crate) fn is_local(&self) -> bool {
        self.servers.iter().all(|(host, _)| is_loopback(host))
    }
}

/// The addresses in a list with commas between them. Those before the prefix of a service behind NATS
/// servers are part of its address.
pub(crate) fn split_list(list: &str) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    for part in list.split(',') {
        let is_open = |last: &&mut String| {
            let rest = ["nats://", "nats+tls://"].map(|scheme| last.strip_prefix(scheme));
            rest.into_iter().flatten().any(|rest| !rest.contains('/'))
        };
        match addresses.last_mut().filter(is_open) {
            Some(last) => {
                last.push(',');
                last.push_str(part.trim());
            }
            None => addresses.push(part.trim().to_owned()),
        }
    }
    addresses
}

/// Whether a text is a prefix of subjects, none of whose words means anything to NATS.
fn is_prefix(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() <= MAX_PREFIX
        && (text.split('.')).all(|word| !word.is_empty() && word.bytes().all(plain))
}

impl fmt::Display for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = (self.servers.iter()).map(|(host, port)| authority(host, *port));
        let places: Vec<_> = places.collect();
        let tls = if self.secure { "+tls" } else { "" };
        let (places, files) = (places.join(","), &self.files);
        write!(f, "nats{tls}://{places}/{}{files}", self.prefix)
    }
}

impl fmt::Debug for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NatsAddress")
            .field(&self.to_string())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::address::AddressError;
    use crate::address::parse::parse_authority;

    use super::*;

    fn parse(text: &str, secure: bool) -> Result<NatsAddress, AddressError> {
        let place = |place: &str, port| parse_authority(place, Some(port));
        NatsAddress::parse(text, secure, place, |reason| AddressError::Malformed {
            reason,
        })
    }

    #[test]
    fn an_address_is_parsed_and_its_text_has_no_login() {
        fn check(text: &str, expected: Option<&str>) {
            let parsed = parse(text, false);
            let shown = parsed.map(|address| address.to_string());
            assert_eq!(shown.ok().as_deref(), expected, "{text}");
        }
        check("h/p", Some("nats://h:4222/p"));
        check("h:1,[::1]:2/a.b-c_9", Some("nats://h:1,[::1]:2/a.b-c_9"));
        check("user:s3cret@h/p", Some("nats://h:4222/p"));
        check("user:p@ss:w@h/p", Some("nats://h:4222/p"));
        check("user@h/p", None);
        check(":x@h/p", None);
        check("h", None);
        check("h/", None);
        check("h/a..b", None);
        check("h/.a", None);
        check("h/a.", None);
        check("h/*", None);
        check("h/a.>", None);
        check("h/a b", None);
        check("h/a/b", None);
        check("h/p?x=y", None);
        check(
            "h/p?creds=a/b.creds",
            Some("nats://h:4222/p?creds=a/b.creds"),
        );
        check(
            "h/p?cert=c.pem&ca=/a.pem&key=k&nkey=n",
            Some("nats://h:4222/p?nkey=n&ca=/a.pem&cert=c.pem&key=k"),
        );
        check("h/p?token=t&ca=a", Some("nats://h:4222/p?token=t&ca=a"));
        check("h/p?login=l", Some("nats://h:4222/p?login=l"));
        check("h/p?", None);
        check("h/p?creds", None);
        check("h/p?creds=", None);
        check("h/p?creds=a&creds=b", None);
        check("h/p?creds=a&nkey=b", None);
        check("user:s3cret@h/p?token=t", None);
        check("h/p?key=k", None);
        check("h/p?creds=a?b", None);
        check("/p", None);
        check("h,/p", None);
        check("h:99999/p", None);
        check(&format!("h/{}", "x".repeat(129)), None);
        check(&format!("{}h/p", "h,".repeat(16)), None);
    }

    #[test]
    fn a_list_keeps_the_servers_of_an_address_together() {
        fn check(list: &str, expected: &[&str]) {
            assert_eq!(split_list(list), expected, "{list}");
        }
        check(":1", &[":1"]);
        check(":1, tcp://h:2 ,:3", &[":1", "tcp://h:2", ":3"]);
        check("nats://a,b:1/p,:2", &["nats://a,b:1/p", ":2"]);
        check(
            ":2,nats://a/p,nats://b,c/q",
            &[":2", "nats://a/p", "nats://b,c/q"],
        );
        check("nats://a,:2", &["nats://a,:2"]);
        check("nats+tls://a,b/p,:2", &["nats+tls://a,b/p", ":2"]);
    }

    #[test]
    fn no_debug_text_has_the_password() {
        let parsed = parse("user:s3cret@h/p", true);
        assert!(!format!("{:?}", parsed.unwrap()).contains("s3cret"));
    }
}
