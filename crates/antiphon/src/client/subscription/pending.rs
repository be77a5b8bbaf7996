//! Subscription that has not begun: its options.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::super::error::Error;
use super::super::shared::Shared;
use super::items::Subscription;
use super::request::Request;
use crate::current_call::CurrentCall;
use crate::topic::Cursor;

/// The default size of the queue of items.
const DEFAULT_BUFFER: usize = 1024;

/// A subscription that begins when it is awaited; see
/// [`Client::subscribe`](crate::client::Client::subscribe).
#[must_use = "a subscription begins when it is awaited"]
pub struct PendingSubscription<T> {
    request: Request,
    item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> PendingSubscription<T> {
    pub(in crate::client) fn new(
        shared: Arc<Shared>,
        method: String,
        params: Result<Option<String>, String>,
    ) -> Self {
        Self {
            request: Request {
                timeout: shared.calls.timeout,
                shared,
                method,
                params,
                unsubscribe: "rpc.unsubscribe".to_owned(),
                buffer: DEFAULT_BUFFER,
                after: None,
                current: CurrentCall::get(),
            },
            item: PhantomData,
        }
    }

    /// The server's method for ending subscriptions, for example `eth_unsubscribe`. Default:
    /// `rpc.unsubscribe`.
    pub fn unsubscribe_method(mut self, name: impl Into<String>) -> Self {
        self.request.unsubscribe = name.into();
        self
    }

    /// How many items may be queued until they are taken, at least 1, and at most 4 MiB in total.
    /// One more ends the subscription with [`StreamError::Lagged`](crate::client::StreamError::Lagged);
    /// with [`reconnect`](crate::client::ClientBuilder::reconnect) a subscription whose items have a
    /// cursor goes on behind the last one that was queued instead, when all are taken. Default: 1024.
    pub fn buffer(mut self, items: usize) -> Self {
        self.request.buffer = items.max(1);
        self
    }

    /// Begins behind the item with this cursor, if the method follows a [`Topic`](crate::Topic): what the
    /// topic has kept since comes first. `None` begins with what comes from now on. Default: `None`.
    ///
    /// If items are missing between, or nobody knows, [`StreamError::Gap`](crate::client::StreamError::Gap)
    /// comes before the first one; so it does if the items have no cursor, so that the method did
    /// not begin there.
    ///
    /// ```
    /// use antiphon::client::{Client, Subscription};
    /// use antiphon::Cursor;
    ///
    /// async fn go_on(
    ///     client: &Client,
    ///     last: Option<Cursor>, // of the last item that was processed
    /// ) -> Result<Subscription<f64>, antiphon::client::Error> {
    ///     client.subscribe("prices", ("gold",)).after(last).await
    /// }
    /// ```
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.request.after = cursor.into();
        self
    }

    /// Sets the timeout of the subscribing call instead of the client's; `None` means no timeout.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.request.timeout = timeout.into();
        self
    }
}

impl<T: DeserializeOwned + 'static> IntoFuture for PendingSubscription<T> {
    type Output = Result<Subscription<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut request = self.request;
            let caller = CurrentCall::get().caller;
            let open = request.clone().open().await?;
            if request.current.is_none() {
                // It is opened again on behalf of the same caller.
                request.current.caller = caller;
            }
            // It may go on for longer than the call in which it was opened.
            request.current.deadline = None;
            Ok(Subscription::new(request, open))
        })
    }
}

impl<T> fmt::Debug for PendingSubscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSubscription")
            .field("method", &self.request.method)
            .finish_non_exhaustive()
    }
}
