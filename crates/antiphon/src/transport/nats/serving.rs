//! What all calls through one broker share at a server.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::Subject;
use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::link::Link;
use super::long_calls::LongCalls;
use super::session_setup::{SessionCount, SessionSetup};
use super::signed_identity::Verifier;
use super::subject::Subjects;
use crate::call_origin::{Connection, Transport};
use crate::describe::{Access, Reader};
use crate::dispatch::{Answered, Dispatcher};
use crate::memory_budget::account::Accounts;
use crate::session::SessionConfig;
use crate::shutdown::Shutdown;

/// Where a response goes; `None` if nobody asks for one.
pub(super) type ReplyTo = Option<Subject>;

/// The most bytes of a response beside its result: an id of 256 bytes, the names of members.
const ENVELOPE: usize = 512;

/// A response of more bytes is waited for until it is written.
const LARGE: usize = 16 * 1024;

/// How long a broker has to take a response.
const PATIENCE: Duration = Duration::from_secs(5);

/// What subjects begin with on which callers may ask for responses. So nobody makes a server publish
/// elsewhere.
const INBOX: &str = "_INBOX.";

/// Whether a response may go to this subject.
pub(super) fn is_inbox(subject: &Subject) -> bool {
    subject.starts_with(INBOX)
}

/// What the brokers of a server allow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BrokerLimits {
    /// The most bytes in a message through any of them.
    pub(super) max_payload: usize,
}

/// What calls run with, under the current settings.
#[derive(Clone, Debug)]
pub(crate) struct ServiceSetup {
    pub(super) dispatcher: Dispatcher,
    /// Stands for all callers behind brokers.
    pub(super) connection: Arc<Connection>,
    /// The most bytes in a message.
    pub(super) max_request: usize,
    /// Whether callers are asked who they are. They can tell only what is signed.
    pub(super) asks: bool,
    pub(super) sessions: SessionSetup,
}

impl ServiceSetup {
    /// What anybody may see of the methods. `asks` tells that callers are asked in any case.
    pub(super) fn reader(&self, asks: bool) -> Reader {
        let reader = Reader::from(Access::Public);
        match self.asks || asks {
            true => reader.anonymous(),
            false => reader,
        }
    }
}

impl BrokerLimits {
    /// What calls of this router run with, under these budgets of memory, and up to `max_sessions` sessions
    /// for each broker.
    pub(crate) fn setup(
        self,
        dispatcher: &Dispatcher,
        accounts: &Accounts,
        config: SessionConfig,
        asks: bool,
        max_sessions: usize,
    ) -> ServiceSetup {
        let max_result = self.max_payload.saturating_sub(ENVELOPE);
        ServiceSetup {
            dispatcher: dispatcher.of_single_calls(max_result),
            connection: Connection::unknown(Transport::Nats, accounts.of_host()),
            max_request: accounts.max_request,
            asks,
            sessions: SessionSetup {
                dispatcher: dispatcher.clone(),
                config,
                accounts: accounts.clone(),
                max: max_sessions,
            },
        }
    }
}

/// Looks up the current settings.
pub(super) type GetSetup = Arc<dyn Fn() -> Option<ServiceSetup> + Send + Sync>;

/// A server behind a broker.
pub(super) struct Service {
    pub(super) link: Link,
    pub(super) subjects: Subjects,
    pub(super) setup: GetSetup,
    pub(super) shutdown: Shutdown,
    /// Calls that have not ended at their first poll.
    pub(super) calls: TaskTracker,
    pub(super) long: LongCalls,
    pub(super) sessions: SessionCount,
    /// Believes who calls, if somebody may say it.
    pub(super) verifier: Option<Arc<Verifier>>,
    /// How the service is called where services are listed.
    pub(super) name: String,
    /// The name of this server, which nobody can guess.
    pub(super) id: String,
    pub(super) started: SystemTime,
}

impl Service {
    /// Sends a response, if there is one and somebody asks for it.
    pub(super) async fn answer(&self, reply: ReplyTo, answered: Answered) {
        let (Some(reply), Some(payload)) = (reply, answered.text) else {
            return;
        };
        let _held = payload.held;
        let is_large = payload.text.len() > LARGE;
        let sending = async {
            self.publish(reply, payload.text.into()).await;
            if is_large && self.link.is_up() {
                // What is reserved for it stays so until it is written.
                let _ = self.link.client().flush().await;
            }
        };
        if timeout(PATIENCE, sending).await.is_err() {
            tracing::warn!("a response was given up: the NATS server does not take it");
        }
    }

    /// Sends a message on an inbox, unless the broker is away.
    pub(super) async fn publish(&self, reply: Subject, text: Bytes) {
        if !self.link.is_up() {
            // The caller was told that the call is lost.
            tracing::debug!("a response was dropped: the NATS server is away");
            return;
        }
        if let Err(error) = self.link.client().publish(reply, text).await {
            // Results are bounded by what the broker has allowed at the start.
            tracing::warn!("a response was not sent: {error}");
        }
    }
}
