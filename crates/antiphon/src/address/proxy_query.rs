//! The part `proxy=true` of a server's address: connections begin with a PROXY protocol header.

/// Splits `proxy=…` off the query of an address. What is left is an address without it. The error is
/// what is wrong.
pub(crate) fn split_proxy(text: &str) -> Result<(String, bool), String> {
    let Some((place, query)) = text.split_once('?') else {
        return Ok((text.to_owned(), false));
    };
    let (mut proxy, mut others) = (None, Vec::new());
    for member in query.split('&') {
        let asked_for = match member.strip_prefix("proxy=") {
            Some("true") => true,
            Some("false") => false,
            Some(word) => return Err(format!("`proxy={word}`: it is `proxy=true` or left out")),
            None => {
                others.push(member);
                continue;
            }
        };
        if proxy.replace(asked_for).is_some() {
            return Err(format!("`{member}` is there a second time"));
        }
    }
    let left = match others.is_empty() {
        true => place.to_owned(),
        false => format!("{place}?{}", others.join("&")),
    };
    Ok((left, proxy.unwrap_or_default()))
}

/// The address with `proxy=true` in its query.
pub(crate) fn with_proxy(address: &str) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}proxy=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_split_and_put_together_again() {
        for (text, left, proxy) in [
            ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1", false),
            (":1?proxy=true", ":1", true),
            ("http://h:1/?proxy=true", "http://h:1/", true),
            ("http://h:1?proxy=false", "http://h:1", false),
            (
                "tcp://h:1?framing=content-length&proxy=true",
                "tcp://h:1?framing=content-length",
                true,
            ),
            (
                "unix:/x?mode=0660&proxy=true&group=g",
                "unix:/x?mode=0660&group=g",
                true,
            ),
            ("http://h:1?x", "http://h:1?x", false),
        ] {
            let split = split_proxy(text).unwrap();
            assert_eq!((&*split.0, split.1), (left, proxy), "{text}");
            let again = split_proxy(&with_proxy(left)).unwrap();
            assert_eq!((&*again.0, again.1), (left, true), "{text}");
        }
        for text in [
            ":1?proxy=yes",
            ":1?proxy=",
            ":1?proxy=true&proxy=true",
            ":1?proxy=TRUE",
        ] {
            assert!(split_proxy(text).is_err(), "{text}");
        }
    }
}
