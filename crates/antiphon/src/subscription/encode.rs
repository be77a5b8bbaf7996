//! Encoding of subscription messages.
//!
//! ```text
//! {"jsonrpc":"2.0","method":M,"params":{"subscription":ID,"seq":1,"result":…}}
//! {"jsonrpc":"2.0","method":M,"params":{"subscription":ID,"seq":2,"end":"complete"}}
//! {"jsonrpc":"2.0","method":M,"params":{"subscription":ID,"seq":1,"missed":3,"cursor":C,"result":…}}
//! {"jsonrpc":"2.0","method":M,"params":{"subscription":ID,"seq":2,"cursor":C,"key":K,"result":…}}
//! {"jsonrpc":"2.0","method":M,"params":{"subscription":ID,"seq":3,"missed":null,"end":"lagged"}}
//! {"jsonrpc":"2.0","method":M,"params":{"subscription":ID,"cursor":C}}
//! ```

use antiphon_proto::{ErrorCode, ErrorObject};

use super::items::ItemPlace;
use crate::topic::{Item, Missed};

/// Why a subscription has ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The stream has ended.
    Complete,
    /// The subscriber has unsubscribed.
    Unsubscribed,
    /// The subscriber did not keep up.
    Lagged,
    /// The server is shutting down.
    Shutdown,
    /// The stream has ended with an error.
    Error(ErrorObject),
}

impl Ending {
    /// Whether the subscription would end in the same way if it were begun again: nobody has cut it.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Complete | Self::Unsubscribed => true,
            Self::Lagged | Self::Shutdown => false,
            Self::Error(error) => error.code() != ErrorCode::OVERLOADED,
        }
    }
}

/// The common start of all messages of one subscription.
#[derive(Clone, Debug)]
pub(crate) struct MessageFormat {
    head: Box<[u8]>,
    plain: bool,
}

impl MessageFormat {
    pub(crate) fn new(method: &str, id: &str, plain: bool) -> Self {
        let mut head = b"{\"jsonrpc\":\"2.0\",\"method\":".to_vec();
        // Serializing a string to memory does not fail.
        let _ = serde_json::to_writer(&mut head, method);
        head.extend_from_slice(b",\"params\":{\"subscription\":");
        let _ = serde_json::to_writer(&mut head, id);
        Self {
            head: head.into(),
            plain,
        }
    }

    /// Appends the text before an item; [`TAIL`](Self::TAIL) follows it.
    pub(crate) fn begin(&self, seq: u64, text: &mut Vec<u8>) {
        if text.capacity() == 0 {
            text.reserve(self.head.len() + 128);
        }
        self.head(seq, text);
        text.extend_from_slice(b",\"result\":");
    }

    /// Appends the message of an item of a topic, which has the end of it as text.
    pub(crate) fn shared(
        &self,
        seq: u64,
        item: &Item,
        all: bool,
        missed: Option<Missed>,
        text: &mut Vec<u8>,
    ) {
        if text.capacity() == 0 {
            text.reserve(self.head.len() + item.plain().len() + 128);
        }
        self.head(seq, text);
        if !self.plain {
            if let Some(missed) = missed {
                write_missed(missed, text);
            }
            item.write_place(all, text);
        }
        text.extend_from_slice(item.plain());
    }

    /// Inserts the place of an item behind the sequence number of its message, which
    /// [`begin`](Self::begin) has begun.
    pub(crate) fn insert_place(&self, seq: u64, place: &ItemPlace, text: &mut Vec<u8>) {
        if self.plain {
            return;
        }
        let mut members = Vec::new();
        // Serializing to memory does not fail.
        if let Some(missed) = &place.missed {
            members.extend_from_slice(b",\"missed\":");
            let _ = serde_json::to_writer(&mut members, missed);
        }
        if let Some(cursor) = &place.cursor {
            members.extend_from_slice(b",\"cursor\":");
            let _ = serde_json::to_writer(&mut members, cursor);
        }
        if let Some(key) = &place.key {
            members.extend_from_slice(b",\"key\":");
            let _ = serde_json::to_writer(&mut members, &**key);
        }
        let mut head = Vec::new();
        self.head(seq, &mut head);
        let at = head.len().min(text.len());
        text.splice(at..at, members);
    }

    /// Appends the message that says where a subscription begins, which is no item. Returns `false` if plain
    /// subscribers would not know what it is.
    pub(crate) fn start(&self, cursor: &str, text: &mut Vec<u8>) -> bool {
        if !self.plain {
            text.extend_from_slice(&self.head);
            text.extend_from_slice(b",\"cursor\":");
            // Serializing a string to memory does not fail.
            let _ = serde_json::to_writer(&mut *text, cursor);
            text.extend_from_slice(Self::TAIL);
        }
        !self.plain
    }

    /// The most bytes that a message has beside the text and the key of an item of a topic.
    pub(crate) fn around(&self) -> usize {
        self.head.len() + 160
    }

    pub(crate) const TAIL: &'static [u8] = b"}}";

    /// The last message, with what is missing before it; `None` if plain subscribers do not get one for this
    /// ending.
    pub(crate) fn end(&self, seq: u64, missed: Option<Missed>, ending: &Ending) -> Option<Vec<u8>> {
        let word = match ending {
            Ending::Error(_) => "",
            // A plain subscriber does not know `end` and would wait forever.
            Ending::Lagged if self.plain => {
                let error = ErrorObject::new(ErrorCode::OVERLOADED, "the subscriber lagged");
                return self.end(seq, missed, &Ending::Error(error));
            }
            _ if self.plain => return None,
            Ending::Complete => "complete",
            Ending::Unsubscribed => "unsubscribed",
            Ending::Lagged => "lagged",
            Ending::Shutdown => "shutdown",
        };
        let mut text = Vec::with_capacity(self.head.len() + 64);
        self.head(seq, &mut text);
        if let Some(missed) = missed.filter(|_| !self.plain) {
            write_missed(missed, &mut text);
        }
        match ending {
            Ending::Error(error) => {
                text.extend_from_slice(b",\"error\":");
                text.extend_from_slice(error.to_json().as_bytes());
            }
            _ => {
                text.extend_from_slice(b",\"end\":\"");
                text.extend_from_slice(word.as_bytes());
                text.push(b'"');
            }
        }
        text.extend_from_slice(Self::TAIL);
        Some(text)
    }

    fn head(&self, seq: u64, text: &mut Vec<u8>) {
        text.extend_from_slice(&self.head);
        if !self.plain {
            text.extend_from_slice(b",\"seq\":");
            // Serializing a number to memory does not fail.
            let _ = serde_json::to_writer(&mut *text, &seq);
        }
    }
}

/// Rare, so it is not a part of what every message costs.
#[cold]
fn write_missed(missed: Missed, text: &mut Vec<u8>) {
    match missed {
        Missed::Unknown => text.extend_from_slice(b",\"missed\":null"),
        Missed::Some(count) => {
            text.extend_from_slice(b",\"missed\":");
            // Serializing a number to memory does not fail.
            let _ = serde_json::to_writer(text, &count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_a_subscription() {
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        let item = |format: &MessageFormat| {
            let mut text = Vec::new();
            format.begin(7, &mut text);
            text.extend_from_slice(b"[1]");
            text.extend_from_slice(MessageFormat::TAIL);
            Some(String::from_utf8(text).unwrap())
        };
        let error = Ending::Error(ErrorObject::new(7, "no"));

        let full = MessageFormat::new("tick\"s", "0x1", false);
        let head = r#"{"jsonrpc":"2.0","method":"tick\"s","params":{"subscription":"0x1""#;
        let with = |rest: &str| Some(format!("{head},\"seq\":7,{rest}}}}}"));
        assert_eq!(item(&full), with(r#""result":[1]"#));
        assert_eq!(
            text(full.end(7, None, &Ending::Complete)),
            with(r#""end":"complete""#)
        );
        assert_eq!(
            text(full.end(7, None, &Ending::Unsubscribed)),
            with(r#""end":"unsubscribed""#)
        );
        assert_eq!(
            text(full.end(7, None, &Ending::Lagged)),
            with(r#""end":"lagged""#)
        );
        assert_eq!(
            text(full.end(7, None, &Ending::Shutdown)),
            with(r#""end":"shutdown""#)
        );
        for (missed, expected) in [
            (Missed::Some(3), r#""missed":3,"end":"lagged""#),
            (Missed::Unknown, r#""missed":null,"end":"lagged""#),
        ] {
            let end = full.end(7, Some(missed), &Ending::Lagged);
            assert_eq!(text(end), with(expected));
        }
        assert_eq!(
            text(full.end(7, None, &error)),
            with(r#""error":{"code":7,"message":"no"}"#)
        );

        let mut start = Vec::new();
        assert!(full.start("5-1-0", &mut start));
        let expected = format!("{head},\"cursor\":\"5-1-0\"}}}}");
        assert_eq!(text(Some(start)), Some(expected));

        let plain = MessageFormat::new("tick\"s", "0x1", true);
        assert!(!plain.start("5-1-0", &mut Vec::new()));
        let with = |rest: &str| Some(format!("{head},{rest}}}}}"));
        assert_eq!(item(&plain), with(r#""result":[1]"#));
        assert_eq!(plain.end(7, None, &Ending::Complete), None);
        let lagged = with(r#""error":{"code":-32000,"message":"the subscriber lagged"}"#);
        assert_eq!(text(plain.end(7, None, &Ending::Lagged)), lagged);
        assert_eq!(
            text(plain.end(7, None, &error)),
            with(r#""error":{"code":7,"message":"no"}"#)
        );
    }
}
