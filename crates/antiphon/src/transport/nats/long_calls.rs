//! Acknowledged calls of a server, by what the subjects about them end with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{StatusCode, Subscriber};
use tokio_util::sync::CancellationToken;

use super::headers;
use super::link::next;

/// The calls of a server that were acknowledged.
#[derive(Debug)]
pub(super) struct LongCalls {
    /// What the subjects of these calls begin with.
    subject: String,
    calls: Arc<Mutex<HashMap<String, CancellationToken>>>,
    closed: CancellationToken,
}

/// A call that was acknowledged, until it ends.
pub(super) struct LongCall {
    pub(super) secret: String,
    pub(super) cancelled: CancellationToken,
    calls: Arc<Mutex<HashMap<String, CancellationToken>>>,
}

impl LongCalls {
    pub(super) fn new(subject: String) -> Self {
        Self {
            subject,
            calls: Arc::default(),
            closed: CancellationToken::new(),
        }
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// Reads what callers, and the broker, say about these calls.
    pub(super) async fn read(&self, mut subscriber: Subscriber) {
        let reading = async {
            while let Some(message) = next(&mut subscriber).await {
                let is_gone = message.status == Some(StatusCode::NO_RESPONDERS);
                let secret = message.subject.rsplit('.').next();
                if let Some(secret) = secret
                    && (is_gone || headers::is_cancel(&message))
                    && let Some(call) = lock(&self.calls).remove(secret)
                {
                    call.cancel();
                }
            }
        };
        self.closed.run_until_cancelled(reading).await;
    }

    /// Ends the reading.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    pub(super) fn register(&self, secret: String) -> LongCall {
        let cancelled = CancellationToken::new();
        lock(&self.calls).insert(secret.clone(), cancelled.clone());
        LongCall {
            secret,
            cancelled,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl Drop for LongCall {
    fn drop(&mut self) {
        lock(&self.calls).remove(&self.secret);
    }
}

fn lock(
    calls: &Mutex<HashMap<String, CancellationToken>>,
) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}
