//! Shutdown of a server: its phases, as connections observe them.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Whether a server has been told to stop, whether calls still have time, and whether connections
/// have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown {
    /// Set before the token is cancelled, so that looking needs no lock.
    stopping: Arc<AtomicBool>,
    /// Whether others take care of connections that have queued up.
    queue_is_left: Arc<AtomicBool>,
    stop: CancellationToken,
    /// Calls in flight are answered with an error.
    overdue: CancellationToken,
    kill: CancellationToken,
}

impl Shutdown {
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.cancel();
    }

    pub(crate) fn leave_queue(&self) {
        self.queue_is_left.store(true, Ordering::Release);
    }

    pub(crate) fn leaves_queue(&self) -> bool {
        self.queue_is_left.load(Ordering::Acquire)
    }

    /// The time of calls in flight is over. Connections have a moment more, to tell.
    pub(crate) fn end_calls(&self) {
        self.stop();
        self.overdue.cancel();
    }

    pub(crate) fn kill(&self) {
        self.stop();
        self.kill.cancel();
    }

    pub(crate) async fn killed(&self) {
        self.kill.cancelled().await;
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// For those who wait for the stop on their own. It is not for them to cancel.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits until calls in flight have to end.
    /// Completes when the server is told to stop.
    pub(crate) fn told(&self) -> WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }

    pub(crate) fn overdue(&self) -> WaitForCancellationFutureOwned {
        self.overdue.clone().cancelled_owned()
    }

    /// Runs a future until it is done or the server is told to stop; then it is `None`.
    ///
    /// A connection is polled for each of its requests. To ask the token each time would cost more
    /// than some requests do, so it is asked when the task's waker has changed, or the flag is set.
    pub(crate) async fn until_stopped<F: Future>(
        &self,
        mut future: Pin<&mut F>,
    ) -> Option<F::Output> {
        let mut stopped = pin!(self.stop.cancelled());
        let mut registered: Option<Waker> = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            let known = registered
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()));
            if known && !self.is_stopping() {
                return Poll::Pending;
            }
            registered = Some(cx.waker().clone());
            stopped.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    /// Runs a future until it is done or cut off.
    pub(crate) async fn until_killed<F: Future>(&self, future: F) -> Option<F::Output> {
        self.kill.run_until_cancelled(future).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_stop_is_noticed_however_often_the_future_was_polled_before() {
        let shutdown = Shutdown::default();
        let stopper = shutdown.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            stopper.stop();
        });
        let mut ticking = pin!(async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let ended: Option<()> = shutdown.until_stopped(ticking.as_mut()).await;
        assert_eq!(ended, None);
        assert!(shutdown.is_stopping());
        assert_eq!(shutdown.until_stopped(pin!(async { 7 })).await, Some(7));
    }
}
