//! Names of methods, single ones or all that begin alike.

/// A name of a method, or what names begin with: `eth_getBlock*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    text: Box<str>,
    is_prefix: bool,
}

impl Pattern {
    /// Reads a pattern: a star at its end stands for any more characters, also none.
    pub(super) fn new(pattern: &str) -> Self {
        let prefix = pattern.strip_suffix('*');
        Self {
            text: prefix.unwrap_or(pattern).into(),
            is_prefix: prefix.is_some(),
        }
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match self.is_prefix {
            true => name.starts_with(&*self.text),
            false => name == &*self.text,
        }
    }
}

/// The method that ends the subscriptions of another one, whose name says that it opens some, as those
/// of Ethereum and Substrate: `eth_subscribe`, `chain_subscribeNewHeads`.
pub(super) fn conventional(name: &str) -> Option<String> {
    let (space, rest) = name.split_once("_subscribe")?;
    let is_word = rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase());
    (!space.is_empty() && is_word).then(|| format!("{space}_unsubscribe{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_the_rest_of_a_name() {
        for (pattern, name, expected) in [
            ("add", "add", true),
            ("add", "adding", false),
            ("add*", "add", true),
            ("add*", "adding", true),
            ("add*", "ad", false),
            ("*", "anything", true),
            ("a*b", "a*b", true),
            ("a*b", "axb", false),
            ("", "a", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn some_names_say_that_a_method_opens_subscriptions() {
        for (name, expected) in [
            ("eth_subscribe", Some("eth_unsubscribe")),
            ("chain_subscribeNewHeads", Some("chain_unsubscribeNewHeads")),
            ("newsletter_subscribers", None),
            ("_subscribe", None),
            ("subscribe", None),
            ("news.subscribe", None),
            ("eth_unsubscribe", None),
            ("eth_call", None),
        ] {
            assert_eq!(conventional(name).as_deref(), expected, "{name}");
        }
    }
}
