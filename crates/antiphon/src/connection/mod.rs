//! State of a two-way connection, shared between the session's task, its callers, the calls it runs
//! for the peer, and the subscriptions of both sides.
//!
//! The task owns the socket; everything else holds a [`SessionHandle`] and never touches the
//! socket. Messages are put into the outbox, and the task is woken and takes them all at once. One
//! lock guards the state. It is held briefly, and never while user code runs.
//!
//! | file | what it does |
//! |---|---|
//! | `handle.rs` | [`SessionHandle`]: the outbox, backpressure, the end |
//! | `calls.rs`, `pending.rs` | our pending calls, and their table |
//! | `running.rs`, `tasks.rs` | the peer's running calls, and their table |
//! | `outgoing.rs`, `queues.rs` | the peer's subscriptions to our streams, and their queues |
//! | `incoming.rs`, `inbox.rs` | our subscriptions to the peer's streams, and their queues |
//! | `limits.rs`, `end.rs` | [`ConnectionLimits`]; [`End`]: why a session is over |

mod calls;
mod end;
mod handle;
mod inbox;
mod incoming;
mod limits;
mod outgoing;
mod pending;
mod queues;
mod running;
mod tasks;

pub(crate) use calls::{Refused, Waiting};
pub(crate) use end::End;
pub(crate) use handle::SessionHandle;
pub(crate) use inbox::{Inbox, InboxEnd, InboxSender};
pub(crate) use limits::ConnectionLimits;
pub(crate) use pending::{CallEnd, NewCall, Progress};
pub(crate) use queues::Outgoing;
pub(crate) use tasks::{Cancels, Ticket};
