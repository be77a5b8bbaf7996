//! Producer of items: a method's future together with the stream that it returns.
//!
//! A stream may borrow from `self` and from the arguments of the method that made it: `impl Stream`
//! captures `&self` unless it says otherwise. So it cannot leave the future in which the method
//! ran. That future stays pinned, with everything that the stream borrows from, and becomes the
//! source of the items: each poll writes one item, then the future suspends until it is polled for
//! the next.

use std::fmt;
use std::future::poll_fn;
use std::mem::{replace, take};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use antiphon_proto::ErrorObject;
use futures_core::Stream;
use serde::Serialize;

use super::items::{ItemStream, Items, Room, write};
use crate::memory_budget::Payload;

/// Completes when the stream ends. An error before the stream exists is the error of the call.
type Running = Pin<Box<dyn Future<Output = Result<(), ErrorObject>> + Send>>;

/// The receiver of the stream that a method returns.
pub struct Producer(ItemSlot);

/// A running method, and later its stream.
pub(crate) struct Produced {
    running: Running,
    slot: ItemSlot,
}

/// The state shared by the future and its owner. Only one of them runs at a time, so the lock is
/// never contended.
#[derive(Clone, Default)]
struct ItemSlot(Arc<Mutex<Exchange>>);

#[derive(Default)]
struct Exchange {
    /// The buffer for the next item. It is here only while the future is polled.
    out: Payload,
    /// What an item may take.
    room: Option<Room>,
    /// Whether the future has suspended because a step is done: the stream exists, or an item was
    /// written.
    done: bool,
}

impl ItemSlot {
    /// Ignores poisoning: after a panic the subscription ends, and the state is not read again.
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Producer {
    /// Writes the items of a stream. `split` turns each into a value, or into the error that ends
    /// the stream.
    ///
    /// # Errors
    ///
    /// That error, or an internal error for an item that cannot be serialized.
    pub async fn run<S, T>(
        self,
        stream: S,
        split: impl Fn(S::Item) -> Result<T, ErrorObject>,
    ) -> Result<(), ErrorObject>
    where
        S: Stream,
        T: Serialize,
    {
        let mut stream = pin!(stream);
        self.0.lock().done = true;
        suspend().await;
        // An item is serialized before the next suspension point, so it need not be `Send`.
        while let Some(written) = poll_fn(|cx| {
            let item = ready!(stream.as_mut().poll_next(cx));
            Poll::Ready(item.map(|item| self.write(&split(item)?)))
        })
        .await
        {
            written?;
            suspend().await;
        }
        Ok(())
    }

    /// The item's `Serialize` runs under the lock. It cannot deadlock: it has no access to a
    /// producer.
    fn write<T: Serialize>(&self, item: &T) -> Result<(), ErrorObject> {
        let slot = &mut *self.0.lock();
        if let Some(room) = &slot.room {
            write(item, &mut slot.out, room)?;
        }
        slot.done = true;
        Ok(())
    }
}

/// Suspends until the next poll. The owner sees that a step is done, so no waker is needed.
async fn suspend() {
    let mut has_suspended = false;
    poll_fn(|_| match replace(&mut has_suspended, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

impl Produced {
    /// `run` creates the future that runs the method and then passes the stream to the producer.
    pub(crate) fn new<F>(run: impl FnOnce(Producer) -> F) -> Self
    where
        F: Future<Output = Result<(), ErrorObject>> + Send + 'static,
    {
        let slot = ItemSlot::default();
        Self {
            running: Box::pin(run(Producer(slot.clone()))),
            slot,
        }
    }

    /// Runs the method until it has returned its stream.
    ///
    /// # Errors
    ///
    /// The error of the method.
    pub(crate) async fn open(mut self) -> Result<Items, ErrorObject> {
        poll_fn(|cx| match self.running.as_mut().poll(cx) {
            Poll::Pending if take(&mut self.slot.lock().done) => Poll::Ready(Ok(())),
            poll => poll,
        })
        .await?;
        Ok(Items::Stream(Box::pin(self)))
    }
}

impl ItemStream for Produced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut Payload,
        room: &Room,
    ) -> Poll<Option<Result<(), ErrorObject>>> {
        let mut slot = self.slot.lock();
        slot.out = take(out);
        slot.room.get_or_insert_with(|| room.clone());
        drop(slot);
        let poll = self.running.as_mut().poll(cx);
        let mut slot = self.slot.lock();
        *out = take(&mut slot.out);
        match poll {
            Poll::Pending if take(&mut slot.done) => Poll::Ready(Some(Ok(()))),
            Poll::Pending => Poll::Pending,
            Poll::Ready(end) => Poll::Ready(end.err().map(Err)),
        }
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;
    use crate::memory_budget::Account;

    /// What one poll of the stream below returns; `None` is `Poll::Pending`.
    type Step = Option<Result<u8, u8>>;

    /// A stream that borrows its steps. Its items are not `Send`.
    struct Steps<'a>(&'a [Step]);

    impl<'a> Stream for Steps<'a> {
        type Item = (Rc<()>, Result<&'a u8, &'a u8>);

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let Some((step, rest)) = self.0.split_first() else {
                return Poll::Ready(None);
            };
            self.0 = rest;
            match step {
                Some(item) => Poll::Ready(Some((Rc::default(), item.as_ref()))),
                None => Poll::Pending,
            }
        }
    }

    /// A method that is pending once, and then returns a stream of these steps, or an error.
    fn produced(steps: Option<Vec<Step>>) -> Produced {
        Produced::new(|producer| async move {
            let mut waits = true;
            poll_fn(|_| match take(&mut waits) {
                true => Poll::Pending,
                false => Poll::Ready(()),
            })
            .await;
            let steps = steps.ok_or_else(|| ErrorObject::new(1, "none"))?;
            let split = |(_, item): (Rc<()>, Result<_, &u8>)| {
                item.map_err(|code| ErrorObject::new(i64::from(*code), "end"))
            };
            producer.run(Steps(&steps), split).await
        })
    }

    fn open(steps: Option<Vec<Step>>) -> Result<Items, ErrorObject> {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut opening = pin!(produced(steps).open());
        assert!(opening.as_mut().poll(cx).is_pending());
        match opening.poll(cx) {
            Poll::Ready(items) => items,
            Poll::Pending => panic!("the method has answered"),
        }
    }

    /// Polls to the end; a dot stands for `Poll::Pending`.
    fn text(items: Items) -> String {
        let Items::Stream(mut items) = items else {
            panic!("no stream");
        };
        let cx = &mut Context::from_waker(Waker::noop());
        let room = Room {
            max: 1000,
            account: Account::unlimited(),
        };
        let mut payload = Payload::default();
        for _ in 0..20 {
            match items.as_mut().poll_write(cx, &mut payload, &room) {
                Poll::Pending => payload.text.push(b'.'),
                Poll::Ready(Some(Ok(()))) => payload.text.push(b' '),
                Poll::Ready(Some(Err(error))) => {
                    let error = error.to_json();
                    payload.text.extend_from_slice(error.as_bytes());
                    break;
                }
                Poll::Ready(None) => {
                    payload.text.push(b'|');
                    break;
                }
            }
        }
        String::from_utf8(payload.text).unwrap()
    }

    #[test]
    fn a_stream_writes_behind_what_is_there_and_ends() {
        let cases: [(&[Step], &str); 4] = [
            (&[], "|"),
            (&[None, Some(Ok(1)), Some(Ok(2))], ".1 2 |"),
            (&[Some(Ok(1)), None, None, Some(Ok(2)), None], "1 ..2 .|"),
            (
                &[Some(Ok(1)), Some(Err(7)), Some(Ok(2))],
                r#"1 {"code":7,"message":"end"}"#,
            ),
        ];
        for (steps, expected) in cases {
            let items = open(Some(steps.to_vec())).unwrap();
            assert_eq!(text(items), expected, "{steps:?}");
        }
    }

    #[test]
    fn a_method_that_fails_opens_nothing() {
        let error = open(None).err().map(|error| error.to_json());
        assert_eq!(error.as_deref(), Some(r#"{"code":1,"message":"none"}"#));
    }
}
