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
//! | `outbound_calls.rs`, `outbound_table.rs`, `outbound_tests.rs` | our pending calls, and their table |
//! | `inbound_calls.rs`, `inbound_table.rs` | the peer's running calls, and their table |
//! | `publisher.rs`, `publisher_queues.rs` | the peer's subscriptions to our streams, and their queues |
//! | `source.rs`, `bell.rs` | [`Source`]: the stream of one subscription; how it wakes the session's task |
//! | `subscriber.rs`, `subscriber_queues.rs` | our subscriptions to the peer's streams, and their queues |
//! | `received.rs` | [`Received`]: a message of the peer, and what is reserved for parts of it that stay |
//! | `limits.rs`, `end.rs` | [`ConnectionLimits`]; [`End`]: why a session is over |

mod bell;
mod end;
mod handle;
mod inbound_calls;
mod inbound_table;
mod limits;
mod outbound_calls;
mod outbound_table;
#[cfg(test)]
mod outbound_tests;
mod publisher;
mod publisher_queues;
mod received;
mod source;
mod subscriber;
mod subscriber_queues;

pub(crate) use end::End;
pub(crate) use handle::SessionHandle;
pub(crate) use inbound_table::{Cancels, Ticket};
pub(crate) use limits::{CANCELLED, ConnectionLimits};
pub(crate) use outbound_calls::{Refused, Waiting};
pub(crate) use outbound_table::{BatchRoom, CallEnd, NewCall, Progress};
pub(crate) use publisher::Offered;
pub(crate) use publisher_queues::{Arrivals, Outgoing};
pub(crate) use received::Received;
pub(crate) use source::{Source, Taken};
pub(crate) use subscriber_queues::{Inbox, InboxEnd, InboxSender, is_id};
