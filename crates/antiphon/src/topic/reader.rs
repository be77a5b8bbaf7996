//! Reading of a subscription in the process of its topic.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::feed::Feed;
use super::gaps::Missed;
use super::item::Item;
use super::queue::{Next, Over};

/// An error in place of an item of a [`Subscription`](crate::Subscription) that is read in its process.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// Items are missing, because they were not taken in time, or are not in the history any more. The
    /// stream continues.
    Gap {
        /// How many; `None` if nobody knows.
        missed: Option<u64>,
    },
    /// An item cannot be read from its JSON text. The stream continues.
    Decode(serde_json::Error),
    /// The items were not taken in time, and the topic's [`Overflow`](crate::Overflow) does not allow
    /// to leave any out. The subscription is over.
    Lagged,
    /// The key has more than 256 bytes, or the topic has too many keys, or no memory for so many items behind
    /// a cursor. There is no subscription.
    Refused,
}

impl SubscriptionError {
    /// Whether the stream ends after this error.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Lagged | Self::Refused)
    }
}

impl fmt::Display for SubscriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { missed: Some(1) } => f.write_str("one item is missing"),
            Self::Gap { missed: Some(n) } => write!(f, "{n} items are missing"),
            Self::Gap { missed: None } => f.write_str("items may be missing"),
            Self::Decode(error) => write!(f, "an item cannot be read: {error}"),
            Self::Lagged => f.write_str("too many items have waited"),
            Self::Refused => f.write_str("the topic has no room for this subscription"),
        }
    }
}

impl std::error::Error for SubscriptionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

/// What a reader has seen of its subscription.
#[derive(Default)]
pub(super) struct Reader {
    /// The number of the last item, whether it was left out or not.
    seq: u64,
    /// An item behind a gap that was reported.
    behind: Option<Arc<Item>>,
    /// Whether the end was reported.
    over: bool,
}

/// What is missing, with the items that were dropped; `None` if nobody knows.
fn together(missed: Option<Missed>, dropped: u64) -> Option<u64> {
    match missed {
        Some(Missed::Unknown) => None,
        Some(Missed::Some(count)) => Some(count.saturating_add(dropped)),
        None => Some(dropped),
    }
}

/// An item, or an error in its place.
type NextItem = Poll<Option<Result<Arc<Item>, SubscriptionError>>>;

impl Reader {
    /// Begins to count anew: what waits has other numbers now.
    pub(super) fn renumber(&mut self) {
        self.seq = 0;
    }

    /// The next item of the feed.
    pub(super) fn poll(&mut self, feed: &Feed, cx: &Context<'_>) -> NextItem {
        if let Some(item) = self.behind.take() {
            return Poll::Ready(Some(Ok(item)));
        }
        if feed.is_refused() {
            return self.end(Some(SubscriptionError::Refused));
        }
        match feed.poll(cx) {
            Next::Empty => Poll::Pending,
            Next::Item {
                seq, item, missed, ..
            } => {
                let dropped = seq.saturating_sub(self.seq + 1);
                self.seq = seq;
                let missed = together(missed, dropped);
                if missed == Some(0) {
                    return Poll::Ready(Some(Ok(item)));
                }
                self.behind = Some(item);
                Poll::Ready(Some(Err(SubscriptionError::Gap { missed })))
            }
            Next::Over { why, seq, missed } => {
                let dropped = seq.saturating_sub(self.seq);
                self.seq = seq;
                let missed = together(missed, dropped);
                if missed != Some(0) && !self.over {
                    return Poll::Ready(Some(Err(SubscriptionError::Gap { missed })));
                }
                self.end(match why {
                    Over::Lagged => Some(SubscriptionError::Lagged),
                    Over::Closed | Over::CutOff => None,
                })
            }
        }
    }

    /// Reports the end, once.
    fn end(&mut self, why: Option<SubscriptionError>) -> NextItem {
        let is_new = !std::mem::replace(&mut self.over, true);
        Poll::Ready(why.filter(|_| is_new).map(Err))
    }
}
