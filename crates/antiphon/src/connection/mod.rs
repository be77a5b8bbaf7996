//! State of a two-way connection: what a session's task shares with its callers, with the calls it
//! runs for the peer, and with the subscriptions of both.
//!
//! The task owns the socket; all others hold a [`SessionHandle`] and never touch it. They leave messages in
//! the outbox and wake the task, which takes them all at once. One lock guards all of it and is held
//! for a few steps at a time, never while code of a user runs.
//!
//! | file | what it does |
//! |---|---|
//! | `handle.rs` | [`SessionHandle`]: the outbox, room in it, the end |
//! | `calls.rs`, `pending.rs` | calls of ours that wait for the peer's answer, and their table |
//! | `running.rs`, `tasks.rs` | calls of the peer's that wait for a method, and their table |
//! | `outgoing.rs`, `queues.rs` | subscriptions of the peer's to streams of ours, and their queues |
//! | `incoming.rs`, `inbox.rs` | subscriptions of ours to streams of the peer's, and their queues |
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
