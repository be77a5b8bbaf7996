//! Requests of a caller: published on the subjects of their methods, and answered on one inbox.
//!
//! A request is sent once, whatever happens. What is lost with the connection, or is silent for too long,
//! may have run, and its caller is told so.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::client::PublishErrorKind;
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::headers::RequestHeaders;
use super::identity_keys::IdentityKeys;
use super::inbox::Inbox;
use super::link::Link;
use super::signed_identity::Signer;
use super::subject::Subjects;
use super::table::{Answer, Answering, Failure, Table};
use crate::address::NatsAddress;
use crate::transport::tls::client::ClientTls;

/// The most cancellations that wait to be sent. The beat of a call that lacks its own brings it again.
const MAX_CANCELS: usize = 1024;

/// What has become of a request that was sent.
#[derive(Debug)]
pub(crate) enum Delivery {
    Response(Bytes),
    /// No server has subscribed to the subject, so nothing has run. Whether one had before.
    NobodyServes {
        was_served: bool,
    },
}

/// The requests of one client.
pub(crate) struct Requests {
    pub(super) link: Link,
    pub(super) subjects: Subjects,
    /// What the subjects for responses begin with.
    inbox: String,
    pub(super) table: Arc<Table>,
    /// Numbers of requests, and what makes them unguessable for servers that see some of them.
    next: AtomicU64,
    keys: RandomState,
    cancels: mpsc::Sender<Subject>,
    /// Signs who calls, if that is passed on.
    signer: Option<Signer>,
    reader: AbortOnDropHandle<()>,
}

impl Requests {
    /// Connects to a broker.
    ///
    /// # Errors
    ///
    /// If there is no connection.
    pub(crate) async fn open(address: &NatsAddress, tls: Option<&ClientTls>) -> io::Result<Self> {
        let keys = address.files.identity.as_deref().map(IdentityKeys::read);
        let signer = keys.transpose()?.map(Signer::new);
        let link = Link::connect(address, "antiphon client", tls).await?;
        let inbox = link.client().new_inbox();
        let subscribed = link.client().subscribe(format!("{inbox}.*")).await;
        let subscriber = subscribed.map_err(io::Error::other)?;
        let subjects = Subjects::new(&address.prefix);
        let table = Arc::<Table>::default();
        let (cancels, queue) = mpsc::channel(MAX_CANCELS);
        let reader = Inbox {
            link: link.clone(),
            subscriber,
            table: Arc::clone(&table),
            cancels: queue,
            control: subjects.of_calls(""),
        };
        Ok(Self {
            link,
            subjects,
            inbox,
            table,
            next: AtomicU64::new(0),
            keys: RandomState::new(),
            cancels,
            signer,
            reader: AbortOnDropHandle::new(tokio::spawn(reader.run())),
        })
    }

    /// Whether responses are still read. They are not if the runtime in which it was opened has ended.
    pub(crate) fn is_usable(&self) -> bool {
        !self.reader.is_finished()
    }

    /// Sends a request and waits for its response. `mark` learns whether it may have been sent, before it
    /// is. Dropping the future cancels the call.
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub(crate) async fn call(
        &self,
        method: &str,
        headers: &RequestHeaders,
        text: Bytes,
        mark: &(dyn Fn(bool) + Sync),
    ) -> Result<Delivery, Failure> {
        let subject = self.subjects.of_method(method).ok_or(Failure::LongName)?;
        let subject = Subject::from(subject);
        let call = self.register();
        let reply = format!("{}.{}", self.inbox, call.key);
        self.publish(subject.clone(), Some(reply.into()), headers, text, mark)
            .await?;
        match call.answer().await? {
            Answer::Response(text) => {
                let service = || self.subjects.served_by(&subject);
                self.table.note_served(&subject, service);
                Ok(Delivery::Response(text))
            }
            Answer::NobodyServes => Ok(Delivery::NobodyServes {
                was_served: self.table.was_served(&self.subjects.served_by(&subject)),
            }),
        }
    }

    /// Sends a notification.
    ///
    /// # Errors
    ///
    /// If it was not sent.
    pub(crate) async fn notify(
        &self,
        method: &str,
        headers: &RequestHeaders,
        text: Bytes,
        mark: &(dyn Fn(bool) + Sync),
    ) -> Result<(), Failure> {
        let subject = self.subjects.of_method(method).ok_or(Failure::LongName)?;
        self.publish(subject.into(), None, headers, text, mark)
            .await
    }

    async fn publish(
        &self,
        subject: Subject,
        reply: Option<Subject>,
        headers: &RequestHeaders,
        text: Bytes,
        mark: &(dyn Fn(bool) + Sync),
    ) -> Result<(), Failure> {
        if !self.link.is_up() {
            return Err(Failure::Away);
        }
        let (client, mut map) = (self.link.client(), headers.to_map());
        self.sign(&mut map, headers, &subject, reply.as_deref(), &text)?;
        mark(true);
        let published = match reply {
            // Headers cost both sides as much as a small request.
            Some(reply) if map.is_empty() => client.publish_with_reply(subject, reply, text).await,
            Some(reply) => {
                let sending = client.publish_with_reply_and_headers(subject, reply, map, text);
                sending.await
            }
            None => client.publish_with_headers(subject, map, text).await,
        };
        published.map_err(|error| {
            mark(false);
            match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => Failure::TooLarge(self.link.max_payload()),
                _ => Failure::Away,
            }
        })
    }

    /// Signs who calls, if that is passed on.
    pub(super) fn sign(
        &self,
        map: &mut HeaderMap,
        headers: &RequestHeaders,
        subject: &str,
        reply: Option<&str>,
        text: &[u8],
    ) -> Result<(), Failure> {
        match (&self.signer, &headers.identity) {
            (Some(signer), Some(identity)) => {
                let is_short = signer.sign(map, identity, subject, reply, text);
                is_short.then_some(()).ok_or(Failure::LongIdentity)
            }
            _ => Ok(()),
        }
    }

    fn register(&self) -> InFlight<'_> {
        let key = || {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            self.keys.hash_one(number)
        };
        let (key, receiver) = self.table.add(key);
        InFlight {
            requests: self,
            key,
            receiver,
        }
    }
}

/// A request in flight; if it is dropped before there is an answer, it is cancelled.
struct InFlight<'a> {
    requests: &'a Requests,
    key: u64,
    receiver: Answering,
}

impl InFlight<'_> {
    async fn answer(mut self) -> Result<Answer, Failure> {
        // The sender is dropped only with the table, which is there.
        let answer = (&mut self.receiver).await;
        answer.unwrap_or(Err(Failure::Lost))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        // Without an acknowledgement so far, it is cancelled when that comes.
        if let Some(control) = self.requests.table.remove(self.key) {
            let _ = self.requests.cancels.try_send(control);
        }
    }
}
