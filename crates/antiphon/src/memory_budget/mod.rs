//! Budgets of the bytes that a server holds for its peers, over all connections and transports.
//!
//! There are two: one for requests, from their first byte until they are answered, and one for
//! responses, from the moment they are written until the kernel has taken them. Whoever holds such
//! bytes has a [`Reservation`] for them, and extends it before it holds more. A reservation belongs
//! to the [`Account`] of a connection, so that no connection can take all.
//!
//! Up to [`FREE`] bytes a holder needs no reservation: the number of holders is bounded, and the
//! usual small message costs nothing here.
//!
//! | file | contents |
//! |---|---|
//! | `pool.rs` | one budget, and the rule that keeps some of it for newcomers |
//! | `account.rs` | [`Account`]: the share of one connection in both budgets |
//! | `payload.rs` | [`Payload`]: the text of an outgoing message with its reservation, and how it grows |
//! | `turn.rs` | threads that may block: they make large results one after the other |
//! | `reservation.rs` | [`Reservation`]: the bytes of one holder, returned when it is dropped |

use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject};

pub(crate) mod account;
mod payload;
mod pool;
mod reservation;
mod turn;

pub(crate) use account::{Account, Direction};
pub(crate) use payload::{Payload, Wait};
pub(crate) use pool::MemoryBudgets;
pub(crate) use reservation::Reservation;
pub(crate) use turn::may_block;

use crate::error::RetryAfter;

/// Bytes that a holder may keep without a reservation.
pub(crate) const FREE: usize = 4 * 1024;

/// The error of a reservation that the budget, or the share of the connection, does not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exhausted;

/// When a caller may try again: by then slow readers have made room, or were cut.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<Exhausted> for ErrorObject {
    /// The error of a call whose result does not fit into the memory for responses.
    fn from(_: Exhausted) -> Self {
        Self::of(ErrorCode::OVERLOADED).with_data(&RetryAfter::from(RETRY_AFTER))
    }
}
