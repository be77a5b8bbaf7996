//! Messages of a subscription: notifications that carry an item, or end it.

use std::sync::Arc;

use antiphon_proto::{ErrorObject, RawJson};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::StreamError;
use crate::topic::Cursor;

/// The longest JSON text of a cursor, in bytes: a server takes no longer one.
const MAX_CURSOR: usize = 256;

/// The parameters of a notification that carries an item.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    pub(super) seq: Option<u64>,
    /// `Some` even for null, which is a valid item.
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) result: Option<&'a RawValue>,
    /// `Some` even for null: nobody knows how many.
    #[serde(borrow, default, deserialize_with = "present")]
    missed: Option<&'a RawValue>,
    #[serde(borrow)]
    cursor: Option<&'a RawValue>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    end: Option<String>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

fn present<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// An item that is not decoded yet.
pub(super) struct RawItem {
    pub(super) json: RawJson,
    pub(super) key: Option<Arc<str>>,
    pub(super) cursor: Option<Cursor>,
}

/// How a subscription has ended.
pub(super) enum Ending {
    /// The server's stream is complete.
    Complete,
    /// The server stops.
    Shutdown,
    Error(StreamError),
}

impl Message<'_> {
    /// How many items are missing before this one, with those whose numbers were left out; `None` if
    /// nobody knows.
    pub(super) fn missed(&self, left_out: u64) -> Option<u64> {
        let Some(missed) = self.missed else {
            return Some(left_out);
        };
        let count: u64 = serde_json::from_str(missed.get()).ok()?;
        Some(count.saturating_add(left_out))
    }

    /// The place of the item, if it has one. What is no cursor of ours is none.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        let text = self.cursor?.get();
        let fits = text.len() <= MAX_CURSOR;
        serde_json::from_str(text).ok().filter(|_| fits)
    }

    /// The key under which the item was published, if the server tells it.
    pub(super) fn key(&self) -> Option<Arc<str>> {
        let key: String = serde_json::from_str(self.key?.get()).ok()?;
        Some(key.into())
    }

    /// How it ends the subscription, if it does.
    pub(super) fn ending(&self) -> Option<Ending> {
        if let Some(error) = self.error {
            return Some(Ending::Error(StreamError::Failed(failure(error))));
        }
        Some(match self.end.as_deref()? {
            "lagged" => Ending::Error(StreamError::Lagged),
            "shutdown" => Ending::Shutdown,
            _ => Ending::Complete,
        })
    }
}

/// The error that ends a stream: an error object, or whatever other servers send.
fn failure(error: &RawValue) -> ErrorObject {
    let text = error.get();
    ErrorObject::from_json(text).unwrap_or_else(|| match serde_json::from_str::<String>(text) {
        Ok(text) => ErrorObject::new(0, text),
        Err(_) => ErrorObject::new(0, "the stream has failed").with_data(error),
    })
}
