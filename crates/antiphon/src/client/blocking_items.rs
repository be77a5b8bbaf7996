//! Items of a subscription for programs without `async`.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use super::subscription::{self, StreamError};
use crate::topic::{Cursor, Event};

/// The items of a subscription, each of which is waited for on the current thread; see
/// [`client::Subscription`](crate::client::Subscription), and
/// [`Client::subscribe`](crate::blocking::Client::subscribe).
///
/// It is an iterator, which ends with the subscription. Dropping it unsubscribes.
#[must_use = "it is over when it is dropped"]
pub struct Subscription<T> {
    items: subscription::Subscription<T>,
    runtime: Handle,
    /// Keeps the thread that drives the connection.
    _alive: Arc<dyn Send + Sync>,
}

impl<T: DeserializeOwned> Subscription<T> {
    pub(super) fn new(
        items: subscription::Subscription<T>,
        runtime: Handle,
        alive: Arc<dyn Send + Sync>,
    ) -> Self {
        Self {
            items,
            runtime,
            _alive: alive,
        }
    }

    /// Waits for the next item with its key and its cursor; otherwise like the iterator.
    pub fn next_event(&mut self) -> Option<Result<Event<T>, StreamError>> {
        wait_for(&self.runtime, self.items.next_event())
    }

    /// Where another subscription would go on; see
    /// [`client::Subscription::cursor`](crate::client::Subscription::cursor).
    #[must_use]
    pub fn cursor(&self) -> Option<&Cursor> {
        self.items.cursor()
    }
}

impl<T: DeserializeOwned> Iterator for Subscription<T> {
    type Item = Result<T, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        wait_for(&self.runtime, self.items.next())
    }
}

/// Runs a future on this thread. The runtime, which is driven by another thread, has its timers and
/// sockets.
fn wait_for<F: Future>(runtime: &Handle, future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    // Not `Handle::block_on`, which refuses to run in a thread that runs `async` code.
    let _entered = runtime.enter();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            // A wake-up that was meant for somebody else is one poll too many.
            Poll::Pending => thread::park(),
        }
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Subscription")
            .field(&self.items)
            .finish()
    }
}
