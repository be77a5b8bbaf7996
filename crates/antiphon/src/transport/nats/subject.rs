//! Subjects of methods: a name, percent-encoded where a subject may not hold it.
//!
//! Dots of a name separate the words of its subject, as long as no word becomes empty. All bytes but
//! letters, digits, `-` and `_` are written as `%XX`. So a name cannot leave the place of its service,
//! whatever it holds, and two names never share a subject.

use std::fmt::Write as _;

/// The most bytes in the subject of a method. Nobody serves a longer name.
pub(crate) const MAX_SUBJECT: usize = 1024;

/// The subjects of a service.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    prefix: String,
}

impl Subjects {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// The subject of a method; `None` if it would be too long.
    pub(crate) fn of_method(&self, name: &str) -> Option<String> {
        let mut subject = format!("{}.rpc.", self.prefix);
        encode(name, true, &mut subject);
        (subject.len() <= MAX_SUBJECT).then_some(subject)
    }

    /// The method to which a subject belongs; `None` if it belongs to none.
    pub(crate) fn method_of(&self, subject: &str) -> Option<String> {
        let rest = subject.strip_prefix(self.prefix.as_str())?;
        decode(rest.strip_prefix(".rpc.")?, true)
    }

    /// What a server with these methods subscribes to: each namespace as a whole, and methods outside of
    /// namespaces one by one. In order, each once.
    pub(crate) fn of_service<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut subjects: Vec<_> = names
            .filter_map(|name| self.of_method(name))
            .map(|subject| self.served_by(&subject))
            .collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }

    /// The subscription that a subject belongs to.
    pub(crate) fn served_by(&self, subject: &str) -> String {
        let start = self.prefix.len() + ".rpc.".len();
        let name = subject.get(start..).unwrap_or_default();
        match name.split_once('.') {
            Some((namespace, _)) => format!("{}.rpc.{namespace}.>", self.prefix),
            None => subject.to_owned(),
        }
    }

    /// Where a server takes messages about calls that it runs.
    pub(crate) fn of_calls(&self, server: &str) -> String {
        format!("{}.ctl.{server}", self.prefix)
    }
}

/// A text as one word of a subject.
pub(super) fn encode_word(text: &str) -> String {
    let mut word = String::new();
    encode(text, false, &mut word);
    word
}

/// The text that is encoded as this word, and not otherwise.
pub(super) fn decode_word(word: &str) -> Option<String> {
    decode(word, false)
}

/// With `words`, dots separate words.
fn encode(name: &str, words: bool, out: &mut String) {
    let bytes = name.as_bytes();
    for (place, &byte) in bytes.iter().enumerate() {
        let is_word = |place: Option<usize>| {
            place
                .and_then(|place| bytes.get(place))
                .is_some_and(|neighbour| *neighbour != b'.')
        };
        let is_dot = words && byte == b'.';
        let separates = is_dot && is_word(place.checked_sub(1)) && is_word(Some(place + 1));
        if separates || byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if bytes.is_empty() {
        out.push('%');
    }
}

/// The name that is encoded like this, and not otherwise.
fn decode(text: &str, words: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (plain, encoded) = rest.split_at(at);
        bytes.extend_from_slice(plain.as_bytes());
        if encoded == "%" {
            rest = "";
            break;
        }
        bytes.push(u8::from_str_radix(encoded.get(1..3)?, 16).ok()?);
        rest = encoded.get(3..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    let name = String::from_utf8(bytes).ok()?;
    let mut again = String::new();
    encode(&name, words, &mut again);
    (again == text).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether NATS takes a text as the subject of a message that stays below a prefix.
    fn stays_below(subject: &str, prefix: &str) -> bool {
        let mut words = subject.split('.');
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'>');
        subject.starts_with(prefix) && words.all(|word| !word.is_empty() && word.bytes().all(plain))
    }

    #[test]
    fn a_name_and_its_subject_lead_to_each_other_and_no_name_leaves_the_service() {
        fn check(name: &str, expected: &str) {
            let subjects = Subjects::new("shop");
            let subject = subjects.of_method(name).unwrap();
            assert_eq!(subject, format!("shop.rpc.{expected}"), "{name:?}");
            assert!(stays_below(&subject, "shop.rpc."), "{name:?}");
            assert_eq!(subjects.method_of(&subject).as_deref(), Some(name));
        }
        check("add", "add");
        check("calc.add", "calc.add");
        check("a.b.c-d_9", "a.b.c-d_9");
        check("", "%");
        check("%", "%25");
        check("%2E", "%252E");
        check(".", "%2E");
        check("..", "%2E%2E");
        check(".a", "%2Ea");
        check("a.", "a%2E");
        check("a..b", "a%2E%2Eb");
        check("*", "%2A");
        check(">", "%3E");
        check("calc.>", "calc.%3E");
        check("calc.*", "calc.%2A");
        check("a b\t\r\n", "a%20b%09%0D%0A");
        check("a\0", "a%00");
        check("$SYS.x", "%24SYS.x");
        check("größe", "gr%C3%B6%C3%9Fe");
        check("/x:y", "%2Fx%3Ay");
        check(&"x".repeat(256), &"x".repeat(256));
        check(&"€".repeat(85), &"%E2%82%AC".repeat(85));
    }

    #[test]
    fn a_subject_that_no_name_has_belongs_to_no_method() {
        fn check(subject: &str) {
            assert_eq!(Subjects::new("shop").method_of(subject), None, "{subject}");
        }
        check("shop.rpc.");
        check("shop.rpc.a..b");
        check("shop.rpc.%61");
        check("shop.rpc.%2a");
        check("shop.rpc.a%2Eb");
        check("shop.rpc.%ff");
        check("shop.rpc.%FF");
        check("shop.rpc.%4");
        check("shop.rpc.%+1");
        check("shop.rpc.a%");
        check("shop.rpc.a b");
        check("shop.ctl.a");
        check("shops.rpc.a");
        check("other.rpc.a");
        assert_eq!(Subjects::new("shop").of_method(&"*".repeat(400)), None);
    }

    #[test]
    fn a_service_subscribes_to_namespaces_and_to_single_methods() {
        let names = [
            "add",
            "calc.add",
            "calc.deep.x",
            "a.",
            "b",
            "calc",
            "calc.add",
        ];
        let subjects = Subjects::new("p.q").of_service(names.into_iter());
        assert_eq!(
            subjects,
            [
                "p.q.rpc.a%2E",
                "p.q.rpc.add",
                "p.q.rpc.b",
                "p.q.rpc.calc",
                "p.q.rpc.calc.>"
            ]
        );
    }
}
