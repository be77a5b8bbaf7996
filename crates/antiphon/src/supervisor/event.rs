//! What happens to a supervisor: what its workers say, how they end, and what it is asked.

use std::process::ExitStatus;

use antiphon_proto::ErrorObject;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::report::Report;
use super::worker_state::Id;
use crate::context::Context;
use crate::dispatch::Dispatcher;
use crate::router::{Router, RouterError};

/// Events that may wait. Who says more waits until there is room.
const EVENTS: usize = 256;

/// Something that has happened.
#[derive(Debug)]
pub(crate) enum Event {
    Said(Id, Word),
    Ended(Id, Option<ExitStatus>),
    Asked(Question, oneshot::Sender<Result<Value, ErrorObject>>),
}

/// What a process says about itself.
#[derive(Debug)]
pub(crate) enum Word {
    /// It has come to `start`.
    Reached,
    /// It serves.
    Ready,
    Alive(Report),
    /// It wants to be replaced.
    Leaves(String),
}

/// What a supervisor is asked for.
#[derive(Debug)]
pub(crate) enum Question {
    Status,
    /// What was counted of all methods, by all workers.
    #[cfg(feature = "metrics")]
    Metrics,
    /// `by` is the worker that passes it on.
    Kill {
        id: Id,
        by: Option<Id>,
    },
    Reload,
    Stop,
    Upgrade,
}

pub(crate) type Events = mpsc::Sender<Event>;

pub(crate) fn channel() -> (Events, mpsc::Receiver<Event>) {
    mpsc::channel(EVENTS)
}

/// Asks the supervisor and waits for what it says.
pub(crate) async fn ask(events: &Events, question: Question) -> Result<Value, ErrorObject> {
    let gone = |_| ErrorObject::new(-32000, "The server is stopping");
    let (answer, answered) = oneshot::channel();
    let asked = events.send(Event::Asked(question, answer)).await;
    asked.map_err(|_| gone(()))?;
    answered.await.map_err(|_| gone(()))?
}

/// What a process may call at its supervisor.
pub(crate) fn offered(id: &Id, events: &Events) -> Result<Dispatcher, RouterError> {
    let say = |make: fn(Value) -> Option<Word>| {
        let (id, events) = (id.clone(), events.clone());
        move |about: Value| {
            let event = make(about).map(|word| Event::Said(id.clone(), word));
            let events = events.clone();
            async move {
                if let Some(event) = event {
                    let _ = events.send(event).await;
                }
            }
        }
    };
    let (asking, by) = (events.clone(), id.clone());
    let asked = events.clone();
    #[cfg(feature = "metrics")]
    let measured = events.clone();
    let router = Router::default();
    #[cfg(feature = "metrics")]
    let router = router.method_fn("metrics", move || {
        let events = measured.clone();
        async move { ask(&events, Question::Metrics).await }
    });
    router
        .method_fn("reached", say(|_| Some(Word::Reached)))
        .method_fn("ready", say(|_| Some(Word::Ready)))
        .method_fn(
            "alive",
            say(|report| serde_json::from_value(report).ok().map(Word::Alive)),
        )
        .method_fn(
            "leaves",
            say(|why| Some(Word::Leaves(why.as_str()?.to_owned()))),
        )
        .method_fn("status", move |_: Context| {
            let events = asked.clone();
            async move { ask(&events, Question::Status).await }
        })
        .method_fn("kill_actor", move |id: Id| {
            let (events, by) = (asking.clone(), Some(by.clone()));
            async move { ask(&events, Question::Kill { id, by }).await }
        })
        .build()
}
