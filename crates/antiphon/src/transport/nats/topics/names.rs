//! Subjects and streams of topics.
//!
//! All bytes but letters, digits, `-` and `_` are written as `%XX`, so that a name or a key is one word.

use super::super::subject::{decode_word, encode_word};

/// The most bytes of the name of a topic that goes over a broker.
const MAX_NAME: usize = 128;

/// The subjects of all topics of servers with one prefix.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

/// A topic, by its name as a word.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct TopicName {
    word: String,
    /// The first, second… of this name.
    nth: u32,
}

impl TopicName {
    /// `None` if the name is too long.
    pub(super) fn new(name: &str, nth: u32) -> Option<Self> {
        (name.len() <= MAX_NAME).then(|| Self {
            word: encode_word(name),
            nth,
        })
    }
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// Where servers send items to each other.
    pub(super) fn passed_on(&self, topic: &TopicName, key: &str) -> String {
        let (prefix, word, nth) = (&self.prefix, &topic.word, topic.nth);
        format!("{prefix}.topic.{word}.{nth}.{}", encode_word(key))
    }

    /// All of these.
    pub(super) fn all_passed_on(&self) -> String {
        format!("{}.topic.*.*.*", self.prefix)
    }

    /// The topic and the key of such a subject; `None` if it is none.
    pub(super) fn read_passed_on(&self, subject: &str) -> Option<(TopicName, String)> {
        let rest = subject.strip_prefix(self.prefix.as_str())?;
        let mut words = rest.strip_prefix(".topic.")?.split('.');
        let topic = TopicName {
            word: words.next()?.to_owned(),
            nth: words.next()?.parse().ok()?,
        };
        let key = decode_word(words.next()?)?;
        words.next().is_none().then_some((topic, key))
    }

    /// Where servers tell how much they have sent.
    pub(super) fn beats(&self) -> String {
        format!("{}.topic-beat", self.prefix)
    }

    /// Where items go that a stream keeps.
    pub(super) fn kept(&self, topic: &TopicName, key: &str) -> String {
        let (prefix, word, nth) = (&self.prefix, &topic.word, topic.nth);
        format!("{prefix}.kept-topic.{word}.{nth}.{}", encode_word(key))
    }

    /// All subjects of a topic that a stream keeps.
    pub(super) fn all_kept(&self, topic: &TopicName) -> String {
        let (prefix, word, nth) = (&self.prefix, &topic.word, topic.nth);
        format!("{prefix}.kept-topic.{word}.{nth}.*")
    }

    /// The key of such a subject.
    pub(super) fn read_kept(subject: &str) -> Option<String> {
        decode_word(subject.rsplit('.').next()?)
    }

    /// The stream of a topic.
    pub(super) fn stream(&self, topic: &TopicName) -> String {
        let (word, nth) = (&topic.word, topic.nth);
        format!("{}+{word}+{nth}", encode_word(&self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_key_are_words() {
        let names = Names::new("shop.eu");
        for (name, key, topic, word) in [
            ("news", "weather", "news", "weather"),
            ("market.ticks", "a.b", "market%2Eticks", "a%2Eb"),
            ("*", ">", "%2A", "%3E"),
            ("", "", "%", "%"),
            ("a b", "größe\n", "a%20b", "gr%C3%B6%C3%9Fe%0A"),
        ] {
            let name = TopicName::new(name, 3).unwrap();
            let subject = names.passed_on(&name, key);
            assert_eq!(subject, format!("shop.eu.topic.{topic}.3.{word}"));
            let read = names.read_passed_on(&subject).unwrap();
            assert_eq!(read, (name.clone(), key.to_owned()));
            let kept = names.kept(&name, key);
            assert_eq!(kept, format!("shop.eu.kept-topic.{topic}.3.{word}"));
            assert_eq!(Names::read_kept(&kept).as_deref(), Some(key));
            assert_eq!(names.stream(&name), format!("shop%2Eeu+{topic}+3"));
        }
        assert_eq!(TopicName::new(&"x".repeat(MAX_NAME + 1), 0), None);
        for subject in [
            "shop.eu.topic.a.0",
            "shop.eu.topic.a.0.b.c",
            "shop.eu.topic.a.x.b",
            "shop.eu.topic.a.0.%2",
            "shop.topic.a.0.b",
            "",
        ] {
            assert_eq!(names.read_passed_on(subject), None, "{subject}");
        }
    }
}
