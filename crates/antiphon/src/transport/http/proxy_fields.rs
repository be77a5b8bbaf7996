//! Header fields that only proxies add: a request with one of them did not come here directly.
//!
//! A proxy on the same machine connects from a loopback address, although its clients may be
//! anywhere. So every request that carries such a field is treated as coming from another machine.
//! Fields that clients send by themselves, such as `X-Request-Id` or `traceparent`, prove nothing
//! and are not listed. `docs/deploy.md` shows the list to operators.

/// Names of such fields, in lower case.
const NAMES: &[&str] = &[
    // Of the standards.
    "via",
    "cdn-loop",
    // The client's address, as proxies and web servers write it.
    "client-ip",
    "http-client-ip",
    "http-x-forwarded-for",
    "proxy-client-ip",
    "remote-addr",
    "remote-ip",
    "true-client-ip",
    "wl-proxy-client-ip",
    "x-client-ip",
    "x-clientip",
    "x-cluster-client-ip",
    "x-coming-from",
    "x-original-forwarded-for",
    "x-original-to",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-real-port",
    "x-realip",
    "x-remote-addr",
    "x-remote-ip",
    "x-true-client-ip",
    "x-true-ip",
    // Host, scheme and path of the original request.
    "front-end-https",
    "x-host",
    "x-original-host",
    "x-original-proto",
    "x-original-uri",
    "x-original-url",
    "x-real-host",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
    // Marks of single products and providers.
    "ali-cdn-real-ip",
    "cdn-src-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-ew-via",
    "cf-ipcountry",
    "cf-pseudo-ipv4",
    "cf-ray",
    "cf-visitor",
    "cf-worker",
    "disguised-host",
    "do-connecting-ip",
    "eo-connecting-ip",
    "fastly-client",
    "fastly-client-ip",
    "fastly-ff",
    "fastly-ssl",
    "fly-client-ip",
    "incap-client-ip",
    "x-amz-cf-id",
    "x-amzn-trace-id",
    "x-arr-log-id",
    "x-arr-ssl",
    "x-bluecoat-via",
    "x-cdn-src-ip",
    "x-fd-healthprobe",
    "x-nf-client-connection-ip",
    "x-nginx-proxy",
    "x-varnish",
];

/// Beginnings of names. The first two include `Forwarded`, `Forwarded-For`, `X-Forwarded` and
/// `X-Forwarded-…`.
const PREFIXES: &[&str] = &[
    "forwarded",
    "x-forwarded",
    "fly-forwarded-",
    "tailscale-",
    "x-appengine-",
    "x-azure-",
    "x-envoy-",
    "x-sucuri-",
    "x-vercel-",
];

/// Whether only a proxy adds a field of this name, which is in lower case.
pub(super) fn proves_a_proxy(name: &str) -> bool {
    let letter = name.as_bytes().first().map_or(0, |byte| bit(*byte));
    let letters = LETTERS_BY_LENGTH.get(name.len()).copied();
    (letters.unwrap_or_default() & letter != 0 && NAMES.contains(&name))
        || (PREFIX_LETTERS & letter != 0 && PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// The first letters of the names of each length. Nearly all other names fail at this, so that a
/// field costs one look-up, not a search.
const LETTERS_BY_LENGTH: [u32; 32] = {
    let mut letters = [0; 32];
    let mut rest = NAMES;
    while let [name, others @ ..] = rest {
        letters[name.len()] |= bit(name.as_bytes()[0]);
        rest = others;
    }
    letters
};

const PREFIX_LETTERS: u32 = {
    let mut letters = 0;
    let mut rest = PREFIXES;
    while let [prefix, others @ ..] = rest {
        letters |= bit(prefix.as_bytes()[0]);
        rest = others;
    }
    letters
};

/// The bit of a letter; 0 for other characters.
const fn bit(byte: u8) -> u32 {
    if byte.is_ascii_lowercase() {
        1 << (byte - b'a')
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_found() {
        for name in NAMES {
            assert!(proves_a_proxy(name), "{name}");
        }
        for prefix in PREFIXES {
            assert!(proves_a_proxy(&format!("{prefix}x")), "{prefix}");
        }
        for name in [
            "forwarded",
            "forwarded-for",
            "x-forwarded",
            "x-forwarded-for",
        ] {
            assert!(proves_a_proxy(name), "{name}");
        }
    }

    #[test]
    fn what_clients_send_by_themselves_proves_nothing() {
        for name in [
            "",
            "-",
            "accept",
            "cache-control",
            "connection",
            "cookie",
            "from",
            "te",
            "traceparent",
            "user-agent",
            "x-api-key",
            "x-b3-traceid",
            "x-correlation-id",
            "x-real-i",
            "x-real-ips",
            "x-request-id",
            "x-requested-with",
            "cf-access-client-id",
            "x-a-name-that-is-longer-than-all-names-in-the-list",
        ] {
            assert!(!proves_a_proxy(name), "{name}");
        }
    }
}
