//! Mark of a request: whether it may have been sent, or never will be.
//!
//! A transport may keep a request for later, and so may outlive the call: a service with a queue, or
//! an HTTP/2 connection whose server allows no more streams. A call that ends before its body was taken
//! takes it away. Who comes first decides, so that a request of which a caller was told that nothing
//! was sent is not sent afterwards either.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether a request may have been sent, be it in part.
#[derive(Default)]
pub(super) struct SentMark {
    sent: AtomicBool,
    /// The body of the last attempt, if its transport takes it when it needs it.
    body: Mutex<Option<Arc<BodyState>>>,
}

impl SentMark {
    pub(super) fn set(&self, sent: bool) {
        self.sent.store(sent, Ordering::Relaxed);
    }

    /// The state of the body of one attempt. That of the attempt before is not taken any more.
    pub(super) fn watch(&self) -> Arc<BodyState> {
        let state = Arc::<BodyState>::default();
        let before = self.lock().replace(Arc::clone(&state));
        if before.is_some_and(|before| !before.give_up()) {
            self.set(true);
        }
        state
    }

    /// Makes sure that nothing is sent from now on, if nothing was sent before: returns whether that
    /// is so. A transport that tells nothing of the body has to have ended.
    pub(super) fn retract(&self) -> bool {
        let is_kept = self.lock().as_ref().is_none_or(|body| body.give_up());
        is_kept && !self.sent.load(Ordering::Relaxed)
    }

    /// The server has guaranteed that it did nothing with what was sent, and will not.
    #[cfg_attr(
        not(feature = "client"),
        allow(dead_code, reason = "it calls through services only")
    )]
    pub(super) fn disregard(&self) {
        if let Some(body) = self.lock().take() {
            body.give_up();
        }
        self.set(false);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<BodyState>>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SentMark {
    /// Nobody waits for the response any more.
    fn drop(&mut self) {
        self.retract();
    }
}

const UNTOUCHED: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Whether a body was taken by its transport, or taken away by its call: one or the other.
#[derive(Debug, Default)]
pub(super) struct BodyState(AtomicU8);

impl BodyState {
    /// Takes the body; `false` if it must not be sent any more.
    pub(super) fn take(&self) -> bool {
        self.decide(TAKEN)
    }

    /// Takes it away from the transport; `false` if that has taken it before.
    fn give_up(&self) -> bool {
        self.decide(GIVEN_UP)
    }

    fn decide(&self, outcome: u8) -> bool {
        let order = Ordering::Relaxed;
        let decided = self.0.compare_exchange(UNTOUCHED, outcome, order, order);
        decided.is_ok() || decided == Err(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_either_taken_or_given_up() {
        // What happens before, whether the call takes it back then, and whether the body can be taken.
        type Before = fn(&SentMark, &BodyState);
        let table: [(&str, Before, bool, bool); 6] = [
            ("nothing", |_, _| {}, true, false),
            ("taken", |_, body| assert!(body.take()), false, true),
            ("given up", |mark, _| assert!(mark.retract()), true, false),
            ("another attempt", |mark, _| drop(mark.watch()), true, false),
            ("set", |mark, _| mark.set(true), false, false),
            (
                "refused",
                |mark, body| {
                    assert!(body.take());
                    mark.disregard();
                },
                true,
                true,
            ),
        ];
        for (name, before, is_retracted, can_be_taken) in table {
            let mark = SentMark::default();
            let body = mark.watch();
            before(&mark, &body);
            assert_eq!(mark.retract(), is_retracted, "{name}");
            drop(mark);
            assert_eq!(body.take(), can_be_taken, "{name}");
        }
        let mark = SentMark::default();
        assert!(mark.watch().take());
        // What was taken before stays sent, whatever becomes of the next attempt.
        mark.watch();
        assert!(!mark.retract());
    }
}
