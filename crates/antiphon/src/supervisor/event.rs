//! Events of a supervisor: messages from workers, exits, requests.

use std::process::ExitStatus;

use antiphon_proto::ErrorObject;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::report::Report;
use super::worker_state::WorkerId;
use crate::context::Context;
use crate::dispatch::Dispatcher;
use crate::router::{Router, RouterError};

/// Capacity of the event queue. Senders wait while it is full.
const EVENT_QUEUE: usize = 256;

/// An event for the supervisor.
#[derive(Debug)]
pub(crate) enum Event {
    Message(WorkerId, WorkerMessage),
    Ended(WorkerId, Option<ExitStatus>),
    Request(Request, oneshot::Sender<Result<Value, ErrorObject>>),
}

/// A message from a worker or successor.
#[derive(Debug)]
pub(crate) enum WorkerMessage {
    /// Its `main` has reached `start`.
    Reached,
    /// It is serving.
    Ready,
    /// Heartbeat.
    Alive(Report),
    /// It asks to be replaced, with the reason.
    Leaves(String),
    /// The same, because something has gone wrong: as if it had died.
    Fails(String),
}

/// A request to the supervisor.
#[derive(Debug)]
pub(crate) enum Request {
    Status,
    /// Metrics of all methods, summed over all workers.
    #[cfg(feature = "metrics")]
    Metrics,
    /// `by` is the worker that forwards the request, if any.
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
    mpsc::channel(EVENT_QUEUE)
}

/// Sends a request to the supervisor and waits for the response.
pub(crate) async fn ask(events: &Events, request: Request) -> Result<Value, ErrorObject> {
    let gone = |_| ErrorObject::new(-32000, "The server is stopping");
    let (answer, answered) = oneshot::channel();
    let sent = events.send(Event::Request(request, answer)).await;
    sent.map_err(|_| gone(()))?;
    answered.await.map_err(|_| gone(()))?
}

/// Methods of the supervisor that a worker or successor may call on the control channel.
pub(crate) fn methods_for(id: &WorkerId, events: &Events) -> Result<Dispatcher, RouterError> {
    let tell_supervisor = |make: fn(Value) -> Option<WorkerMessage>| {
        let (id, events) = (id.clone(), events.clone());
        move |about: Value| {
            let event = make(about).map(|message| Event::Message(id.clone(), message));
            let events = events.clone();
            async move {
                if let Some(event) = event {
                    let _ = events.send(event).await;
                }
            }
        }
    };
    let (kill_events, by) = (events.clone(), id.clone());
    let status_events = events.clone();
    #[cfg(feature = "metrics")]
    let metrics_events = events.clone();
    let router = Router::new();
    #[cfg(feature = "metrics")]
    let router = router.method_fn("metrics", move || {
        let events = metrics_events.clone();
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
        .method_fn(
            "fails",
            tell_supervisor(|why| Some(WorkerMessage::Fails(why.as_str()?.to_owned()))),
        )
        .method_fn("status", move |_: Context| {
            let events = status_events.clone();
            async move { ask(&events, Request::Status).await }
        })
        .method_fn("kill_actor", move |id: WorkerId| {
            let (events, by) = (kill_events.clone(), Some(by.clone()));
            async move { ask(&events, Request::Kill { id, by }).await }
        })
        .build()
}
