//! Session through a broker: what goes between its wire in memory and two subjects.
//!
//! Both ends have the same bridge. It shows every second that it is there. A session ends when a part is
//! missing, when the connection to the broker is lost, and when the peer is gone or silent.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::{Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_core::Stream as _;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::flow::{Inflow, Outflow, Part};
use super::headers::{self, ROOM};
use super::link::Link;
use crate::memory_budget::Reservation;
use crate::session::Wire as _;
use crate::transport::memory::MemoryWire;

/// How often a side shows that it is there.
const BEAT: Duration = Duration::from_secs(1);

/// How long the other side may be silent.
pub(super) const SILENCE: Duration = Duration::from_millis(2500);

/// How long a broker has to take a part.
const PATIENCE: Duration = Duration::from_secs(5);

/// One end of a session.
pub(super) struct Bridge {
    link: Link,
    subscriber: Subscriber,
    /// Where this side hears.
    own: Subject,
    /// Where the other side does.
    peer: Subject,
    wire: MemoryWire,
    outflow: Outflow,
    inflow: Inflow,
    /// What is reserved for messages that are not whole, or not taken.
    held: Reservation,
    heard: Instant,
}

/// What has happened.
enum Event {
    Heard(Option<Message>),
    /// The session has a message; `None` when it has ended.
    Said(Option<Bytes>),
    /// The session has taken all that was there.
    Taken,
    Due,
    Lost,
}

/// Why a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ended {
    /// On this side.
    Here,
    /// The other side says so, or the broker, because it is gone.
    There,
    /// Something is wrong, and the other side may not know it yet.
    Broken(&'static str),
}

impl Bridge {
    /// A bridge between the end of a session and a peer that hears on this subject. Messages of the peer have
    /// up to `max` bytes.
    pub(super) fn new(
        link: Link,
        subscriber: Subscriber,
        (own, peer): (Subject, Subject),
        wire: MemoryWire,
        max: usize,
        held: Reservation,
    ) -> Self {
        Self {
            outflow: Outflow::new(link.max_payload(), ROOM),
            inflow: Inflow::new(max),
            link,
            subscriber,
            own,
            peer,
            wire,
            held,
            heard: Instant::now(),
        }
    }

    /// Carries messages until the session ends, on whichever side.
    pub(super) async fn run(mut self) {
        let ended = self.carry().await;
        // What came before the end is still for the session.
        let taking = poll_fn(|cx| self.wire.poll_flush(cx));
        let _ = timeout(PATIENCE, taking).await;
        match ended {
            Ended::There => return,
            Ended::Here => {}
            Ended::Broken(reason) => tracing::debug!("a session through a broker ends: {reason}"),
        }
        if self.link.is_up() {
            let closing = self.publish(headers::close(), Bytes::new(), false);
            let _ = closing.await;
        }
    }

    async fn carry(&mut self) -> Ended {
        let mut losses = self.link.clone();
        losses.forget_losses();
        let mut lost = pin!(losses.lost());
        let mut beat = pin!(sleep(BEAT));
        loop {
            let step = match self.event(lost.as_mut(), beat.as_mut()).await {
                Event::Heard(Some(message)) => self.hear(message),
                Event::Heard(None) | Event::Lost => Err(Ended::Broken("the broker is lost")),
                Event::Said(Some(text)) => {
                    self.outflow.begin(text);
                    Ok(())
                }
                Event::Said(None) => Err(Ended::Here),
                Event::Taken => self.hold(),
                Event::Due => {
                    beat.as_mut().reset(Instant::now() + BEAT);
                    self.beat().await
                }
            };
            let step = match step {
                Ok(()) => self.send().await,
                ended => ended,
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    async fn event(
        &mut self,
        mut lost: Pin<&mut (impl Future<Output = ()> + Send)>,
        mut beat: Pin<&mut Sleep>,
    ) -> Event {
        poll_fn(|cx| {
            if lost.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Lost);
            }
            if let Poll::Ready(message) = Pin::new(&mut self.subscriber).poll_next(cx) {
                return Poll::Ready(Event::Heard(message));
            }
            if let Poll::Ready(event) = self.poll_session(cx) {
                return Poll::Ready(event);
            }
            beat.as_mut().poll(cx).map(|()| Event::Due)
        })
        .await
    }

    fn poll_session(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.wire.unwritten() > 0 {
            match self.wire.poll_flush(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Event::Taken),
                // It takes nothing any more, and may still have something to say.
                Poll::Ready(Err(_)) | Poll::Pending => {}
            }
        }
        if !self.outflow.has_room() {
            return Poll::Pending;
        }
        let said = self.wire.poll_receive(cx);
        said.map(|said| Event::Said(said.and_then(Result::ok)))
    }

    /// Takes a message of the other side, or of the broker.
    fn hear(&mut self, message: Message) -> Result<(), Ended> {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(Ended::There);
        }
        self.heard = Instant::now();
        if let Some(taken) = headers::acknowledged(&message) {
            self.outflow.acknowledge(taken);
        }
        if headers::is_close(&message) {
            return Err(Ended::There);
        }
        let Some((number, more)) = headers::part(&message) else {
            return Ok(());
        };
        let text = message.payload;
        let part = Part { number, more, text };
        match self.inflow.take(part) {
            Ok(Some(mut whole)) => self.wire.send(&mut whole),
            Ok(None) => {}
            Err(breach) => {
                tracing::debug!("a session through a broker is broken: {breach:?}");
                return Err(Ended::Broken("its messages do not fit"));
            }
        }
        self.hold()
    }

    /// Reserves what is here.
    fn hold(&mut self) -> Result<(), Ended> {
        let bytes = self.wire.unwritten().saturating_add(self.inflow.partial());
        let held = self.held.cover(bytes);
        held.map_err(|_| Ended::Broken("there is no memory for its messages"))
    }

    /// Sends what may be sent, and tells what was taken if the other side may wait for that.
    async fn send(&mut self) -> Result<(), Ended> {
        while let Some(part) = self.outflow.next() {
            let headers = headers::of_part(part.number, part.more, self.taken());
            self.publish(headers, part.text, false).await?;
        }
        // A session that does not read makes its peer wait.
        if self.inflow.is_due() && self.wire.unwritten() == 0 {
            let headers = headers::beat(self.inflow.tell());
            self.publish(headers, Bytes::new(), false).await?;
        }
        Ok(())
    }

    /// Shows that this side is there, unless the other one is not.
    async fn beat(&mut self) -> Result<(), Ended> {
        if self.heard.elapsed() >= SILENCE {
            return Err(Ended::Broken("the peer is silent"));
        }
        let headers = headers::beat(self.taken());
        // The broker answers if nobody reads it.
        self.publish(headers, Bytes::new(), true).await
    }

    /// How much the session has taken.
    fn taken(&mut self) -> u64 {
        match self.wire.unwritten() {
            0 => self.inflow.tell(),
            _ => self.inflow.told(),
        }
    }

    async fn publish(
        &self,
        headers: async_nats::HeaderMap,
        text: Bytes,
        asks: bool,
    ) -> Result<(), Ended> {
        if !self.link.is_up() {
            return Err(Ended::Broken("the broker is away"));
        }
        let (client, peer) = (self.link.client(), self.peer.clone());
        let sending = async {
            match asks {
                true => {
                    let own = self.own.clone();
                    let sending = client.publish_with_reply_and_headers(peer, own, headers, text);
                    sending.await
                }
                false => client.publish_with_headers(peer, headers, text).await,
            }
        };
        match timeout(PATIENCE, sending).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Ended::Broken("the broker takes nothing")),
        }
    }
}
