//! Message that may be a response, where each comes with a request of its own.

use antiphon_proto::message::Likeness;
use antiphon_proto::{Entry, Incoming, Response};
use bytes::Bytes;

use super::answer::{Answered, reject};
use super::dispatcher::{Dispatcher, Reading};

/// A message that was parsed.
pub(crate) type Calls = Incoming;

/// What a peer has said.
pub(crate) enum Heard {
    /// What the dispatcher can begin.
    Calls(Calls),
    /// A response to a call of ours.
    Answer(Response),
    /// One that is not valid.
    BadAnswer,
    /// No message, and the response that says so.
    Nothing(Answered),
}

/// Reads a message without a batch.
pub(crate) async fn hear(dispatcher: &Dispatcher, message: Bytes) -> Heard {
    let read = match dispatcher.read(message, 0) {
        Reading::Done(read) => read,
        Reading::Elsewhere(parsing) => parsing.await,
    };
    match read {
        Ok(Incoming::Single(Entry::Response(response))) => Heard::Answer(response),
        Ok(Incoming::Single(Entry::Invalid(invalid))) if invalid.likeness() == Likeness::Answer => {
            Heard::BadAnswer
        }
        Ok(incoming) => Heard::Calls(incoming),
        Err(rejection) => Heard::Nothing(Answered {
            code: Some(rejection.error().code()),
            ..reject(&rejection).into()
        }),
    }
}
