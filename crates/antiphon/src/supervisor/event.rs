//! Events of a supervisor: messages of workers, exits, requests.

use std::process::ExitStatus;

use antiphon_proto::ErrorObject;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::report::Report;
use super::worker_state::WorkerId;
use crate::context::Context;
use crate::dispatch::Dispatcher;
use crate::router::{Router, RouterError};

/// Events that may wait. Who says more waits until there is room.
const EVENTS: usize = 256;

/// Something that has happened.
#[derive(Debug)]
pub(crate) enum Event {
    Message(WorkerId, WorkerMessage),
    Ended(WorkerId, Option<ExitStatus>),
    Request(Request, oneshot::Sender<Result<Value, ErrorObject>>),
}

/// What a process says about itself.
#[derive(Debug)]
pub(crate) enum WorkerMessage {
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
pub(crate) enum Request {
    Status,
    /// What was counted of all methods, by all workers.
    #[cfg(feature = "metrics")]
    Metrics,
    /// `by` is the worker that passes it on.
    Kill {
        id: WorkerId,
        by: Option<WorkerId>,
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
pub(crate) async fn ask(events: &Events, request: Request) -> Result<Value, ErrorObject> {
    let gone = |_| ErrorObject::new(-32000, "The server is stopping");
    let (answer, answered) = oneshot::channel();
    let requested = events.send(Event::Request(request, answer)).await;
    requested.map_err(|_| gone(()))?;
    answered.await.map_err(|_| gone(()))?
}

/// What a process may call at its supervisor.
pub(crate) fn methods_for(id: &WorkerId, events: &Events) -> Result<Dispatcher, RouterError> {
    let tell_supervisor = |make: fn(Value) -> Option<WorkerMessage>| {
        let (id, events) = (id.clone(), events.clone());
        move |about: Value| {
            let event = make(about).map(|word| Event::Message(id.clone(), word));
            let events = events.clone();
            async move {
                if let Some(event) = event {
                    let _ = events.send(event).await;
                }
            }
        }
    };
    let (asking, by) = (events.clone(), id.clone());
    let requested = events.clone();
    #[cfg(feature = "metrics")]
    let measured = events.clone();
    let router = Router::default();
    #[cfg(feature = "metrics")]
    let router = router.method_fn("metrics", move || {
        let events = measured.clone();
        async move { ask(&events, Request::Metrics).await }
    });
    router
        .method_fn("reached", tell_supervisor(|_| Some(WorkerMessage::Reached)))
        .method_fn("ready", tell_supervisor(|_| Some(WorkerMessage::Ready)))
        .method_fn(
            "alive",
            tell_supervisor(|report| {
                serde_json::from_value(report)
                    .ok()
                    .map(WorkerMessage::Alive)
            }),
        )
        .method_fn(
            "leaves",
            tell_supervisor(|why| Some(WorkerMessage::Leaves(why.as_str()?.to_owned()))),
        )
        .method_fn("status", move |_: Context| {
            let events = requested.clone();
            async move { ask(&events, Request::Status).await }
        })
        .method_fn("kill_actor", move |id: WorkerId| {
            let (events, by) = (asking.clone(), Some(by.clone()));
            async move { ask(&events, Request::Kill { id, by }).await }
        })
        .build()
}
