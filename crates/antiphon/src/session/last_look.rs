//! Last look at a connection whose deadline has passed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// The shortest time after which the runtime has certainly asked the system for input again: a timer of it
/// fires after that.
const LOOK: Duration = Duration::from_millis(1);

/// A moment between a deadline for input and its consequence.
///
/// The runtime asks the system for input, then fires its timers. On a busy system any time can pass between
/// the two, and what the peer has sent meanwhile, in time, is not known yet.
#[derive(Default, Debug)]
pub(crate) struct LastLook(Option<Pin<Box<Sleep>>>);

impl LastLook {
    /// Ready at the second question: nothing had arrived at the deadline.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let look = self.0.get_or_insert_with(|| Box::pin(sleep(LOOK)));
        ready!(look.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(())
    }

    /// Something has arrived, or the deadline has moved.
    pub(crate) fn reset(&mut self) {
        if self.0.is_some() {
            self.0 = None;
        }
    }
}
