//! Equal calls at the same time: one is forwarded, and all are answered with its result.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use antiphon_proto::{ErrorObject, RawJson};
use serde_json::value::RawValue;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;

use crate::context::Context;
use crate::error::internal_error;

/// How much progress of one call may wait for its caller. What comes then is left out.
pub(super) const MAX_PROGRESS: usize = 16;

/// The longest progress that is passed on, in bytes.
pub(super) const MAX_PROGRESS_BYTES: usize = 16 * 1024;

/// What the other server has answered.
pub(super) type Outcome = Result<RawJson, ErrorObject>;

/// Calls that are under way, by their names and parameters.
#[derive(Default)]
pub(super) struct Flights {
    table: Arc<Table>,
    joined: AtomicU64,
}

#[derive(Default)]
struct Table(Mutex<Flying>);

#[derive(Default)]
struct Flying {
    calls: HashMap<Arc<[u8]>, (u64, Weak<Flight>)>,
    next: u64,
}

/// One call that is under way, as long as somebody waits for it.
struct Flight {
    outcome: watch::Receiver<Option<Outcome>>,
    progress: broadcast::Sender<Arc<RawValue>>,
    task: AbortHandle,
    /// Its place in the table.
    key: Arc<[u8]>,
    number: u64,
    table: Arc<Table>,
}

/// One of those who wait for a call.
pub(super) struct Passenger {
    flight: Arc<Flight>,
    told: broadcast::Receiver<Arc<RawValue>>,
}

/// What takes the progress of a call.
pub(super) type Teller = broadcast::Sender<Arc<RawValue>>;

impl Table {
    fn lock(&self) -> MutexGuard<'_, Flying> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody joins this call any more.
    fn remove(&self, key: &[u8], number: u64) {
        let mut flying = self.lock();
        if flying.calls.get(key).is_some_and(|(own, _)| *own == number) {
            flying.calls.remove(key);
        }
    }
}

impl Flights {
    /// How many calls were answered with the result of another one.
    pub(super) fn joined(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    /// Joins the call of this key, or begins it. It runs in a task of its own, since those who wait may
    /// go away at any time; it ends with the last of them.
    pub(super) fn join<F>(&self, key: Arc<[u8]>, begin: impl FnOnce(Teller) -> F) -> Passenger
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut flying = self.table.lock();
        let known = flying
            .calls
            .get(&key)
            .and_then(|(_, known)| known.upgrade());
        if let Some(flight) = known {
            drop(flying);
            self.joined.fetch_add(1, Ordering::Relaxed);
            let told = flight.progress.subscribe();
            return Passenger { flight, told };
        }
        let (progress, told) = broadcast::channel(MAX_PROGRESS);
        let (done, outcome) = watch::channel(None);
        let number = flying.next;
        flying.next += 1;
        let calling = begin(progress.clone());
        let (table, own) = (Arc::downgrade(&self.table), Arc::clone(&key));
        let task = tokio::spawn(async move {
            let outcome = calling.await;
            // Who comes now is answered with what is true now.
            if let Some(table) = table.upgrade() {
                table.remove(&own, number);
            }
            let _ = done.send(Some(outcome));
        });
        let flight = Arc::new(Flight {
            outcome,
            progress,
            task: task.abort_handle(),
            key: Arc::clone(&key),
            number,
            table: Arc::clone(&self.table),
        });
        flying.calls.insert(key, (number, Arc::downgrade(&flight)));
        Passenger { flight, told }
    }
}

impl Passenger {
    /// Waits for the outcome, and passes on progress meanwhile.
    pub(super) async fn outcome(mut self, ctx: &Context) -> Outcome {
        let mut outcome = self.flight.outcome.clone();
        loop {
            let next = {
                let (mut done, mut told) = (
                    pin!(outcome.wait_for(Option::is_some)),
                    pin!(self.told.recv()),
                );
                poll_fn(|cx| match done.as_mut().poll(cx) {
                    Poll::Ready(done) => Poll::Ready(Err(done.ok().and_then(|done| done.clone()))),
                    Poll::Pending => told.as_mut().poll(cx).map(Ok),
                })
                .await
            };
            match next {
                Ok(Ok(value)) => ctx.progress(&*value).await,
                Ok(Err(RecvError::Lagged(_))) => {}
                // It lives as long as the flight does.
                Ok(Err(RecvError::Closed)) => return Err(lost()),
                Err(done) => {
                    // What was told before the answer is passed on before it.
                    while let Ok(value) = self.told.try_recv() {
                        ctx.progress(&*value).await;
                    }
                    return done.unwrap_or_else(|| Err(lost()));
                }
            }
        }
    }
}

/// The error of a call whose task has ended without an outcome.
fn lost() -> ErrorObject {
    internal_error(&"a call that was forwarded for several has ended without an outcome")
}

/// Passes on progress, if it is short enough.
pub(super) fn tell(teller: &Teller, value: Box<RawValue>) {
    if value.get().len() <= MAX_PROGRESS_BYTES {
        // Somebody always waits.
        let _ = teller.send(value.into());
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
        self.table.remove(&self.key, self.number);
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::router::Router;

    fn key(text: &str) -> Arc<[u8]> {
        text.as_bytes().into()
    }

    async fn context() -> Context {
        let (give, take) = tokio::sync::oneshot::channel();
        let give = Mutex::new(Some(give));
        let router = Router::new().method_fn("m", move |ctx: Context| {
            if let Some(give) = give.lock().unwrap().take() {
                let _ = give.send(ctx);
            }
        });
        let dispatcher = router.build().unwrap();
        dispatcher
            .handle(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#)
            .await;
        take.await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn equal_calls_are_one_and_later_ones_are_new() {
        let (flights, runs, ctx) = (
            Flights::default(),
            Arc::new(AtomicUsize::new(0)),
            context().await,
        );
        let call = |text: &'static str| {
            let runs = Arc::clone(&runs);
            flights.join(key(text), move |_| async move {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
                Ok(RawJson::from_value(&run).unwrap())
            })
        };
        let all = [call("a"), call("a"), call("b"), call("a")];
        let mut results = Vec::new();
        for one in all {
            results.push(one.outcome(&ctx).await.unwrap().as_str().to_owned());
        }
        assert_eq!(results, ["0", "0", "1", "0"]);
        assert_eq!(flights.joined(), 2);
        assert_eq!(call("a").outcome(&ctx).await.unwrap().as_str(), "2");
        assert!(flights.table.lock().calls.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_goes_on_for_those_who_stay_and_ends_with_the_last() {
        let (flights, ctx) = (Flights::default(), context().await);
        let ended = Arc::new(());
        let call = || {
            let held = Arc::clone(&ended);
            flights.join(key("a"), move |_| async move {
                sleep(Duration::from_secs(1)).await;
                drop(held);
                Ok(RawJson::from_value(&1).unwrap())
            })
        };
        let (first, second) = (call(), call());
        drop(first);
        assert_eq!(second.outcome(&ctx).await.unwrap().as_str(), "1");
        drop(call());
        sleep(Duration::from_millis(1)).await;
        assert_eq!(
            Arc::strong_count(&ended),
            1,
            "nobody waits, so it was cancelled"
        );
        assert!(flights.table.lock().calls.is_empty());
    }

    #[tokio::test]
    async fn a_call_that_panics_is_an_error_for_all() {
        let (flights, ctx) = (Flights::default(), context().await);
        async fn fails() -> Outcome {
            panic!("it fails")
        }
        let call = || flights.join(key("a"), |_| fails());
        let (first, second) = (call(), call());
        for one in [first, second] {
            assert_eq!(one.outcome(&ctx).await.unwrap_err().code().0, -32603);
        }
    }
}
