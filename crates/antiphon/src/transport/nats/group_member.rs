//! One subscription of a server among others: its messages, in order, and how it leaves the group.
//!
//! The NATS library forgets a subscription at once when it is told to leave, and drops what the broker has
//! sent until then. So a member leaves at a count of messages instead, which broker and library know both:
//! what it has taken, and more than can be on its way. If callers do not send that many, it sends fillers to
//! the group itself, which all members ignore.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep, sleep_until};

use super::headers;
use super::link::next;
use super::receive::receive;
use super::serving::Service;

/// How long a member has to leave.
const LEAVING: Duration = Duration::from_secs(2);

/// The pause between rounds of fillers.
const ROUND: Duration = Duration::from_millis(10);

/// The least and the most messages that may be on their way.
const FEWEST: u64 = 16;
const MOST: u64 = 4096;

/// The time in which messages are counted, to know how many may be on their way.
const SPAN: Duration = Duration::from_secs(1);

/// A subscription.
pub(super) struct GroupMember {
    service: Arc<Service>,
    subject: String,
    subscriber: Subscriber,
    taken: u64,
    span: Span,
}

/// Messages of this span of time, and of the one before.
struct Span {
    began: Instant,
    count: u64,
    before: u64,
}

impl GroupMember {
    pub(super) fn new(service: Arc<Service>, subject: String, subscriber: Subscriber) -> Self {
        Self {
            service,
            subject,
            subscriber,
            taken: 0,
            span: Span {
                began: Instant::now(),
                count: 0,
                before: 0,
            },
        }
    }

    /// Takes messages until the server stops and the member has left.
    pub(super) async fn serve(mut self) {
        let shutdown = self.service.shutdown.clone();
        let mut stopped = pin!(shutdown.stopped());
        loop {
            let message = tokio::select! {
                message = next(&mut self.subscriber) => message,
                () = &mut stopped => break,
            };
            match message {
                Some(message) => self.take(message).await,
                None => return,
            }
        }
        self.take_ready().await;
        self.leave().await;
    }

    async fn take(&mut self, message: Message) {
        self.note();
        receive(&self.service, message).await;
    }

    /// Takes what has arrived, so that as little as possible is on its way.
    async fn take_ready(&mut self) {
        for _ in 0..MOST {
            let ready = poll_fn(|cx| {
                // The runtime's budget would make it look as if nothing were there.
                let next = pin!(unconstrained(next(&mut self.subscriber)));
                Poll::Ready(next.poll(cx))
            });
            match ready.await {
                Poll::Ready(Some(message)) => self.take(message).await,
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }

    fn note(&mut self) {
        self.taken += 1;
        self.span.note(Instant::now());
    }

    /// Leaves the group, and takes what is on its way.
    async fn leave(&mut self) {
        let end = Instant::now() + LEAVING;
        let margin = self.span.recent().clamp(FEWEST, MOST);
        // After an outage the broker has counted from zero, and the library has not.
        let is_counted = !self.service.link.was_lost();
        let told = match is_counted {
            true => self.subscriber.unsubscribe_after(self.taken + margin).await,
            false => self.subscriber.drain().await,
        };
        if told.is_err() {
            return;
        }
        let mut round = pin!(sleep(Duration::ZERO));
        let mut over = pin!(sleep_until(end));
        loop {
            tokio::select! {
                biased;
                () = &mut over => return,
                message = next(&mut self.subscriber) => match message {
                    Some(message) => receive(&self.service, message).await,
                    None => return,
                },
                () = &mut round, if is_counted => {
                    self.fill(margin).await;
                    round.as_mut().reset(Instant::now() + ROUND);
                }
            }
        }
    }

    /// Sends fillers to the group.
    async fn fill(&self, count: u64) {
        // Any subject of the subscription will do.
        let subject = match self.subject.strip_suffix('>') {
            Some(namespace) => format!("{namespace}%"),
            None => self.subject.clone(),
        };
        for _ in 0..count {
            if !self.service.link.is_up() {
                return;
            }
            let (subject, headers) = (subject.clone(), headers::filler());
            let client = self.service.link.client();
            let sending = client.publish_with_headers(subject, headers, Bytes::new());
            if sending.await.is_err() {
                return;
            }
        }
    }
}

impl Span {
    fn note(&mut self, now: Instant) {
        if now.saturating_duration_since(self.began) >= SPAN {
            (self.before, self.count, self.began) = (self.count, 0, now);
        }
        self.count += 1;
    }

    fn recent(&self) -> u64 {
        self.before.saturating_add(self.count)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn messages_count_for_one_to_two_seconds() {
        let mut span = Span {
            began: Instant::now(),
            count: 0,
            before: 0,
        };
        let mut check = async |milliseconds: u64, messages: u64, expected: u64| {
            advance(Duration::from_millis(milliseconds)).await;
            (0..messages).for_each(|_| span.note(Instant::now()));
            assert_eq!(span.recent(), expected, "{milliseconds} ms later");
        };
        check(0, 5, 5).await;
        check(999, 3, 8).await;
        check(1, 2, 10).await;
        check(1_000, 4, 6).await;
        check(5_000, 1, 5).await;
    }
}
