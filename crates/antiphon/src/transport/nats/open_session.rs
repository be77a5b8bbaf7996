//! Sessions of a caller: asked for on the subject of a method, and then carried on two subjects.

use async_nats::{StatusCode, Subject};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::bridge::{Bridge, SILENCE};
use super::headers::{self, RequestHeaders};
use super::link::next;
use super::requests::Requests;
use super::table::Failure;
use crate::memory_budget::{Account, Direction, Reservation};
use crate::transport::memory::{self, MemoryWire};

impl Requests {
    /// Opens a session with one of the servers of a method, on which only this method can be called. Messages
    /// of the server have up to `max` bytes. It ends when the wire is dropped.
    ///
    /// # Errors
    ///
    /// If no server accepts it; nothing has run then.
    pub(crate) async fn open_session(
        &self,
        method: &str,
        headers: &RequestHeaders,
        max: usize,
    ) -> Result<MemoryWire, Failure> {
        let subject = self.subjects.of_method(method).ok_or(Failure::LongName)?;
        if !self.link.is_up() {
            return Err(Failure::Away);
        }
        let client = self.link.client();
        let own = Subject::from(client.new_inbox());
        let subscribing = client.subscribe(own.clone()).await;
        let mut subscriber = subscribing.map_err(|_| Failure::Away)?;
        let service = self.subjects.served_by(&subject);
        let nothing = Bytes::new();
        let mut asking = headers::open(headers);
        self.sign(&mut asking, headers, &subject, Some(&own), &nothing)?;
        let sending =
            client.publish_with_reply_and_headers(subject.clone(), own.clone(), asking, nothing);
        sending.await.map_err(|_| Failure::Away)?;
        let until = Instant::now() + SILENCE;
        let peer = loop {
            let answer = timeout_at(until, next(&mut subscriber)).await;
            let answer = answer.map_err(|_| Failure::Silent)?.ok_or(Failure::Lost)?;
            if answer.status == Some(StatusCode::NO_RESPONDERS) {
                let was_served = self.table.was_served(&service);
                return Err(Failure::Unserved { was_served });
            }
            if headers::is_refused(&answer) {
                return Err(Failure::Refused);
            }
            let control = self.subjects.of_calls("");
            let is_opened = headers::is_opened(&answer);
            match answer.reply.filter(|_| is_opened) {
                Some(peer) if peer.starts_with(control.as_str()) => break peer,
                _ => {}
            }
        };
        self.table.note_served(&subject, || service);
        let (ours, theirs) = memory::pair();
        let held = Reservation::new(&Account::unlimited(), Direction::Request);
        let link = self.link.clone();
        let bridge = Bridge::new(link, subscriber, (own, peer), theirs, max, held);
        tokio::spawn(bridge.run());
        Ok(ours)
    }
}
