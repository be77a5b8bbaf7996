//! Items of a subscription at another server, with their places.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use antiphon_proto::{ErrorCode, ErrorObject, RawJson};
use serde_json::value::RawValue;

use super::fault;
use crate::client::subscription::{StreamError, Subscription};
use crate::error::internal_error;
use crate::memory_budget::Payload;
use crate::subscription::{ItemPlace, ItemStream, Room, write_item};
use crate::topic::Event;

/// The longest key that is passed on, in bytes: as that of a topic.
const MAX_KEY: usize = 256;

/// The items of a subscription at another server.
pub(super) struct ForwardedItems {
    subscription: Subscription<Box<RawValue>>,
    /// How many items are missing before the next one; `Some(None)` if nobody knows.
    missed: Option<Option<u64>>,
    /// Where the item stands that was written last.
    place: Option<ItemPlace>,
}

impl ForwardedItems {
    pub(super) fn new(subscription: Subscription<Box<RawValue>>) -> Self {
        Self {
            subscription,
            missed: None,
            place: None,
        }
    }

    /// Notes that so many items are missing.
    fn miss(&mut self, more: Option<u64>) {
        self.missed = Some(match (self.missed, more) {
            (None, more) => more,
            (Some(Some(known)), Some(more)) => Some(known.saturating_add(more)),
            _ => None,
        });
    }

    /// Notes what is missing before the end.
    fn end(&mut self) {
        self.place = self.missed.take().map(|missed| ItemPlace {
            missed: Some(missed),
            ..ItemPlace::default()
        });
    }

    fn write(
        &mut self,
        event: &Event<RawJson>,
        out: &mut Payload,
        room: &Room,
    ) -> Result<(), ErrorObject> {
        let raw = serde_json::from_str::<&RawValue>(event.item.as_str());
        let raw = raw.map_err(|error| internal_error(&error))?;
        write_item(&raw, out, room)?;
        let cursor = event.cursor.as_ref().map(|cursor| cursor.as_str());
        // It may become the id of an event, which is a line.
        let cursor = cursor.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
        self.place = Some(ItemPlace {
            missed: self.missed.take(),
            cursor: cursor.map(Into::into),
            key: event.key.clone().filter(|key| key.len() <= MAX_KEY),
        });
        Ok(())
    }
}

impl ItemStream for ForwardedItems {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut Payload,
        room: &Room,
    ) -> Poll<Option<Result<(), ErrorObject>>> {
        loop {
            let Some(next) = ready!(self.subscription.poll_event(cx)) else {
                self.end();
                return Poll::Ready(None);
            };
            let error = match next {
                Ok(event) => return Poll::Ready(Some(self.write(&event, out, room))),
                Err(error) => error,
            };
            let end = match error {
                StreamError::Gap { missed } => {
                    self.miss(missed);
                    continue;
                }
                StreamError::Interrupted | StreamError::Decode(_) => {
                    self.miss(None);
                    continue;
                }
                StreamError::Lagged => {
                    ErrorObject::new(ErrorCode::OVERLOADED, "The subscriber lagged")
                }
                StreamError::Shutdown => fault::unavailable(true),
                StreamError::Failed(error) => error,
                StreamError::Lost(error) => fault::of(&error),
            };
            self.end();
            return Poll::Ready(Some(Err(end)));
        }
    }

    fn take_place(mut self: Pin<&mut Self>) -> Option<ItemPlace> {
        self.place.take()
    }
}
