//! Result of publishing: the number of an item, now or when the supervisor has given one.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use antiphon_proto::{ErrorCode, ErrorObject, Printable};
use tokio::sync::oneshot;

/// What has become of an item that was published: a future of its number.
///
/// Within one process the number is known at once. In a worker it is known when the supervisor has
/// put the item into the history of the topic and on its way to all workers. If a broker keeps the items, it
/// is the broker's number, known when the broker has the item. Publishing does not depend on this value: it may be dropped, and an error is then logged.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use antiphon::Topic;
///
/// let prices = Topic::builder("prices").history(10).build();
/// prices.publish("gold", &2043.5);
/// assert_eq!(prices.publish("gold", &2044.0).await?, 2);
/// assert_eq!(prices.publish("iron", &0.9).number(), Some(1));
/// # Ok(())
/// # }
/// ```
pub struct Published(State);

enum State {
    /// A number that is known.
    Known(u64),
    /// `None` once the error was taken.
    Failed(Option<PublishError>),
    Waits(oneshot::Receiver<Answer>),
}

/// The number that the supervisor has given.
pub(super) type Answer = Result<u64, PublishError>;

impl Published {
    pub(super) fn known(number: u64) -> Self {
        Self(State::Known(number))
    }

    pub(super) fn failed(error: PublishError) -> Self {
        Self(State::Failed(Some(error)))
    }

    pub(super) fn waits(answer: oneshot::Receiver<Answer>) -> Self {
        Self(State::Waits(answer))
    }

    /// The number of the item, if it is known already: within one process always, unless it was not
    /// published.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self.0 {
            State::Known(number) => Some(number),
            State::Failed(_) | State::Waits(_) => None,
        }
    }
}

impl Future for Published {
    /// The number of the item within its key.
    type Output = Result<u64, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = match &mut self.0 {
            State::Known(number) => return Poll::Ready(Ok(*number)),
            State::Failed(error) => Err(error.take().unwrap_or(PublishError::Disconnected)),
            State::Waits(answer) => match Pin::new(answer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(answer) => answer.unwrap_or(Err(PublishError::Disconnected)),
            },
        };
        self.0 = match &outcome {
            Ok(number) => State::Known(*number),
            Err(_) => State::Failed(None),
        };
        Poll::Ready(outcome)
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let State::Failed(Some(error)) = &self.0 {
            log(error);
        }
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Published").field(&self.number()).finish()
    }
}

/// Logs an error that nobody awaits. A program's log bounds the lines of one kind.
pub(super) fn log(error: &PublishError) {
    let error = Printable(error);
    tracing::error!("an item of a topic was not published: {error}");
}

/// Why an item was not published.
///
/// As the error of a method it is −32000; the caller gets no text of a serializer.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// The key has more than 256 bytes.
    KeyTooLong,
    /// The item takes more than [`max_waiting`](crate::TopicBuilder::max_waiting), or in a worker more
    /// than 32 MiB, or more than a message of the broker may have.
    TooLarge,
    /// The item has no JSON form.
    NotJson(serde_json::Error),
    /// Too many items of this worker are on their way to the supervisor: they are published faster
    /// than they are passed on. Nobody gets this one.
    QueueFull,
    /// The broker that keeps the items of this topic is away, or does not take this one. Nobody gets it.
    Unavailable,
    /// The supervisor is gone, or the worker has lost it, or the broker has not answered: nobody knows
    /// whether the item was published.
    Disconnected,
}

/// Why an item was not published, as a supervisor tells its worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotPublished {
    TooLarge,
    QueueFull,
    Unavailable,
    /// Nobody knows whether it was.
    Unknown,
}

impl NotPublished {
    pub(super) fn code(self) -> u32 {
        match self {
            Self::TooLarge => 0,
            Self::QueueFull => 1,
            Self::Unavailable => 2,
            Self::Unknown => 3,
        }
    }

    pub(super) fn of_code(code: u32) -> Option<Self> {
        let all = [
            Self::TooLarge,
            Self::QueueFull,
            Self::Unavailable,
            Self::Unknown,
        ];
        all.into_iter().find(|one| one.code() == code)
    }
}

impl From<NotPublished> for PublishError {
    fn from(why: NotPublished) -> Self {
        match why {
            NotPublished::TooLarge => Self::TooLarge,
            NotPublished::QueueFull => Self::QueueFull,
            NotPublished::Unavailable => Self::Unavailable,
            NotPublished::Unknown => Self::Disconnected,
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooLong => f.write_str("the key is too long"),
            Self::TooLarge => f.write_str("the item is too large"),
            Self::NotJson(error) => write!(f, "the item has no JSON form: {error}"),
            Self::QueueFull => f.write_str("items are published faster than they are passed on"),
            Self::Unavailable => f.write_str("the broker of the topic does not take the item"),
            Self::Disconnected => f.write_str(
                "the supervisor is gone, or the broker: whether the item was published is unknown",
            ),
        }
    }
}

impl std::error::Error for PublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotJson(error) => Some(error),
            _ => None,
        }
    }
}

impl From<PublishError> for ErrorObject {
    fn from(error: PublishError) -> Self {
        let text = match &error {
            PublishError::NotJson(_) => "the item has no JSON form".to_owned(),
            error => error.to_string(),
        };
        Self::new(ErrorCode::OVERLOADED, format!("Not published: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_publishing_is_an_error_of_a_method() {
        let not_json = serde_json::from_str::<u8>("secret").unwrap_err();
        for (error, part) in [
            (PublishError::KeyTooLong, "key is too long"),
            (PublishError::TooLarge, "item is too large"),
            (PublishError::NotJson(not_json), "has no JSON form"),
            (PublishError::QueueFull, "faster than they are passed on"),
            (PublishError::Unavailable, "does not take the item"),
            (PublishError::Disconnected, "supervisor is gone"),
        ] {
            let object = ErrorObject::from(error);
            assert_eq!(object.code(), ErrorCode::OVERLOADED);
            assert!(object.message().contains(part), "{object:?}");
            assert!(!object.message().contains("line 1"), "{object:?}");
        }
    }

    #[tokio::test]
    async fn a_number_comes_when_it_is_given() {
        let (given, answer) = oneshot::channel();
        let mut waits = Published::waits(answer);
        assert_eq!(waits.number(), None);
        given.send(Ok(7)).unwrap();
        assert_eq!((&mut waits).await.unwrap(), 7);
        assert_eq!(waits.number(), Some(7));
        assert_eq!((&mut waits).await.unwrap(), 7);
        let (given, answer) = oneshot::channel::<Answer>();
        drop(given);
        let lost = Published::waits(answer).await;
        assert!(matches!(lost, Err(PublishError::Disconnected)));
        let full = Published::failed(PublishError::QueueFull);
        assert_eq!(full.number(), None);
        assert!(matches!(full.await, Err(PublishError::QueueFull)));
    }
}
