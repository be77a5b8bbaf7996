//! Budget of messages that nobody has asked for: notifications without a listener, calls of methods
//! that do not exist, progress, cancellations, and text that is no message.
//!
//! An honest server may be chatty: a language server sends its log, and the diagnostics of a whole
//! workspace. It does not do so at megabytes a second for minutes.

use antiphon_proto::{Entry, Incoming};

use super::byte_budget::ByteBudget;
use super::event_loop::Session;
use super::phase::StopReason;
use super::wire::Wire;

/// Bytes that may come at once.
const BURST: usize = 64 * 1024 * 1024;

/// Bytes that may come in each second beyond that.
const PER_SECOND: usize = 8 * 1024 * 1024;

/// What a message costs beside its bytes: even the shortest one has to be parsed.
const PER_MESSAGE: usize = 512;

#[derive(Debug)]
pub(crate) struct Unasked(ByteBudget);

impl Unasked {
    pub(super) fn new() -> Self {
        Self(ByteBudget::new(BURST, PER_SECOND))
    }
}

impl<W: Wire> Session<W> {
    /// Counts messages that nobody has asked for, of so many bytes together.
    ///
    /// # Errors
    ///
    /// If there were too many.
    pub(super) fn count_unasked(
        &mut self,
        messages: usize,
        bytes: usize,
    ) -> Result<(), StopReason> {
        let Some(Unasked(budget)) = &mut self.unasked else {
            return Ok(());
        };
        if messages == 0 {
            return Ok(());
        }
        let cost = bytes.saturating_add(messages.saturating_mul(PER_MESSAGE));
        let spent = budget.spend(cost, || 0);
        spent.map_err(|_| StopReason::policy("the peer sends too much that nobody has asked for"))
    }

    /// How many entries are neither calls nor notifications for a method of ours.
    pub(super) fn strangers(&self, message: &Incoming) -> usize {
        if self.unasked.is_none() {
            return 0;
        }
        let entries = match message {
            Incoming::Single(entry) => std::slice::from_ref(entry),
            Incoming::Batch(entries) => entries,
        };
        let is_known = |entry: &&Entry| match entry {
            Entry::Request(request) => self.dispatcher.knows(request),
            _ => false,
        };
        entries.len() - entries.iter().filter(is_known).count()
    }
}
