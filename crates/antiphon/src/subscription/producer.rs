//! Producer of items: a method together with the stream that it returns.
//!
//! A stream may borrow from the object whose method made it, and from the arguments: `impl Stream`
//! captures `&self` unless it says otherwise. So it cannot leave the future in which the method ran.
//! That future is kept in its place, with all that the stream borrows from, and goes on as the source
//! of the items: it writes one and stops until it is polled for the next.

use std::fmt;
use std::future::poll_fn;
use std::mem::{replace, take};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use antiphon_proto::ErrorObject;
use futures_core::Stream;
use serde::Serialize;

use super::items::{ItemStream, Items, write};

/// Ends when the stream does. An error before the stream is there is the call's.
type Running = Pin<Box<dyn Future<Output = Result<(), ErrorObject>> + Send>>;

/// What a method's future gives its stream to.
pub struct Producer(ItemSlot);

/// A method that runs, and later its stream.
pub(crate) struct Produced {
    running: Running,
    slot: ItemSlot,
}

/// Where the future and its owner meet. Only one of them runs at a time, so nobody ever waits.
#[derive(Clone, Default)]
struct ItemSlot(Arc<Mutex<Exchange>>);

#[derive(Default)]
struct Exchange {
    /// Where the next item belongs. It is here only while the future is polled.
    out: Vec<u8>,
    /// Whether the future has stopped because a step is done: the stream is there, or an item.
    done: bool,
}

impl ItemSlot {
    /// After a panic the subscription ends, and nobody reads what is left here.
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Producer {
    /// Writes the items of a stream that are all of what `split` makes of them: a value, or the error
    /// that ends it.
    ///
    /// # Errors
    ///
    /// That error, or the one for an item that has no JSON form.
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
        stop().await;
        // An item is text before anything stops, so it need not be able to go to another thread.
        while let Some(written) = poll_fn(|cx| {
            let item = ready!(stream.as_mut().poll_next(cx));
            Poll::Ready(item.map(|item| self.write(&split(item)?)))
        })
        .await
        {
            written?;
            stop().await;
        }
        Ok(())
    }

    /// The item's own code runs under the lock. It cannot come here a second time: it has no producer.
    fn write<T: Serialize>(&self, item: &T) -> Result<(), ErrorObject> {
        let mut slot = self.0.lock();
        write(item, &mut slot.out)?;
        slot.done = true;
        Ok(())
    }
}

/// Stops here until the next poll. The owner sees that a step is done, so no waker is needed.
async fn stop() {
    let mut has_stopped = false;
    poll_fn(|_| match replace(&mut has_stopped, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

impl Produced {
    /// `run` makes the future that runs the method and then gives the stream to the producer.
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

    /// Runs the method until its stream is there.
    ///
    /// # Errors
    ///
    /// The method's own.
    pub(crate) async fn open(mut self) -> Result<Items, ErrorObject> {
        poll_fn(|cx| match self.running.as_mut().poll(cx) {
            Poll::Pending if take(&mut self.slot.lock().done) => Poll::Ready(Ok(())),
            poll => poll,
        })
        .await?;
        Ok(Box::pin(self))
    }
}

impl ItemStream for Produced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<Option<Result<(), ErrorObject>>> {
        self.slot.lock().out = take(out);
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

    /// What a poll of the stream below finds; `None` is nothing yet.
    type Step = Option<Result<u8, u8>>;

    /// A stream that borrows its steps. Its items could not go to another thread.
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

    /// A method that is polled twice and then answers with a stream of these steps, or an error.
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

    /// Polls until the end; a dot is a poll that found nothing.
    fn text(mut items: Items) -> String {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut out = Vec::new();
        for _ in 0..20 {
            match items.as_mut().poll_write(cx, &mut out) {
                Poll::Pending => out.push(b'.'),
                Poll::Ready(Some(Ok(()))) => out.push(b' '),
                Poll::Ready(Some(Err(error))) => {
                    out.extend_from_slice(error.to_json().as_bytes());
                    break;
                }
                Poll::Ready(None) => {
                    out.push(b'|');
                    break;
                }
            }
        }
        String::from_utf8(out).unwrap()
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
