//! Builder of a router whose calls are forwarded to another server.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::document::{DocumentLimits, Documents, Source};
use super::forward::Forwarder;
use crate::client::balance::Balanced;
use crate::client::handle::Client;
use crate::client::shared::Scope;
use crate::router::{IntoRouter, Method, Rest, Router};
use crate::topic::Overflow;

/// The methods of another server, as a part of a router: calls of them are forwarded through a
/// [`Client`]. [`Router::nest_remote`] has the defaults.
///
/// ```
/// use std::time::Duration;
/// use antiphon::{Client, Router};
/// use antiphon::client::Remote;
///
/// let science = Client::connect("ws://10.0.0.2:8060")?;
/// // `calc.add` here is `math.add` there.
/// let calc = Remote::of(science.namespace("math"))
///     .refresh(Duration::from_secs(300))
///     .described_only(true);
/// let router = Router::new().nest("calc", calc);
/// # Ok::<(), antiphon::client::Error>(())
/// ```
///
/// # What is forwarded
///
/// Any name below the prefix, up to 256 bytes, that no method of the router itself has, whether or not the other server
/// describes it; with [`described_only`](Self::described_only) only what it describes. Names that the
/// protocol reserves (`rpc.…`) are not. Calls of a batch are forwarded one by one. Layers, scopes and
/// limits of the router count as for its other methods, under one name such as `calc.*` in metrics and
/// in the audit log.
///
/// **Callers may call what the client may call**: give it no more rights than they shall have, or
/// require a [scope](Router::require_scope) of the nested router. Who calls is passed on only by a
/// client that [forwards identities](crate::client::ClientBuilder::forward_identity).
///
/// | passes | how |
/// |---|---|
/// | parameters, results, errors | as JSON text that nobody decodes; code, message and data of an error as they are |
/// | deadline, `traceparent`, `tracestate` | the earlier of the caller's deadline and the client's timeout |
/// | cancellation | a caller that goes away cancels the call there |
/// | progress | at most 16 values of a call wait, each up to 16 KiB; more are left out |
/// | items of subscriptions | with `cursor`, `key` and `missed`; `after` goes on behind an item, also after an outage of the other server |
///
/// # If the other server is away
///
/// A call is answered as soon as connecting fails, with error −32000 `Unavailable`; its data has
/// `mayHaveRun`, which is `true` if the call was sent and there was no response. Neither the address
/// nor any text of the transport is in it. The client connects for each call: its
/// [reconnection](crate::client::ClientBuilder::reconnect) is not waited for, also through its other clones. A subscription goes on when the
/// server is back; what is missing then is told by `missed`.
///
/// # Documents
///
/// The other server is asked for its OpenRPC document (`rpc.discover`) before the first call, and
/// [again](Self::refresh) from time to time. Its methods and types are shown under their names here by
/// `functions_list`, `documentation`, OpenRPC documents and the page (the latter two with feature `describe`). A
/// document that is too large, or none, is ignored with a warning; the last good one stays.
///
/// Only this document tells which methods open subscriptions. For a server without one name them with
/// [`subscription`](Self::subscription).
#[must_use = "it is a part of a router: see `Router::nest`"]
pub struct Remote {
    client: Client,
    limits: DocumentLimits,
    subscriptions: BTreeSet<String>,
    described_only: bool,
}

impl Remote {
    /// Forwards calls through this client, which may be [balanced](Client::balanced). With a
    /// [namespace](Client::namespace) they go to the methods below that.
    pub fn of(client: Client) -> Self {
        Self {
            client,
            limits: DocumentLimits {
                interval: Some(Duration::from_secs(60)),
                max_bytes: 1024 * 1024,
                max_methods: 1000,
            },
            subscriptions: BTreeSet::new(),
            described_only: false,
        }
    }

    /// Sets after which time the server is asked anew for its document, when somebody calls or reads;
    /// `None` means that it is never asked. Default: 60 s.
    pub fn refresh(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.limits.interval = interval.into();
        self
    }

    /// Sets the maximum size of the document, in bytes. Default: 1 MiB.
    pub fn max_document(mut self, bytes: usize) -> Self {
        self.limits.max_bytes = bytes;
        self
    }

    /// Sets the maximum number of methods in the document. Default: 1000.
    pub fn max_methods(mut self, methods: usize) -> Self {
        self.limits.max_methods = methods;
        self
    }

    /// Sets whether only methods that the document has are forwarded; others are answered with −32601.
    /// Default: `false`.
    pub fn described_only(mut self, yes: bool) -> Self {
        self.described_only = yes;
        self
    }

    /// Declares that a method opens subscriptions, by its name there without the namespace: for a server
    /// whose document does not say so.
    pub fn subscription(mut self, method: impl Into<String>) -> Self {
        self.subscriptions.insert(method.into());
        self
    }
}

impl IntoRouter for Remote {
    fn into_router(self) -> Router {
        let client = match self.client.upstreams().is_empty() {
            // So calls do not wait for a reconnection, and subscriptions go on after one.
            true => Balanced::of([self.client.clone()])
                .build()
                .unwrap_or(self.client),
            false => self.client,
        };
        let Scope { shared, prefix } = &client.scope;
        let whole = Client {
            scope: Scope {
                shared: Arc::clone(shared),
                prefix: None,
            },
        };
        let prefix = prefix.as_deref().unwrap_or_default();
        let documents = Arc::new(Documents::new(whole, prefix, self.limits));
        let adds_params = !matches!(shared.calls.data.to_json(), Ok(None));
        let forwarder = Arc::new(Forwarder {
            documents: Arc::clone(&documents),
            subscriptions: self.subscriptions,
            described_only: self.described_only,
            adds_params,
            client,
        });
        let method = Method::new(Method::REST, move |call| forwarder.call(call));
        // A subscriber that is slow holds back the stream, which goes on behind its last item.
        let method = method.overflow(Overflow::Block);
        Router::with_rest(Rest {
            method,
            described: Arc::new(Source(documents)),
        })
    }
}

impl Router {
    /// Nests the methods of another server under a name: calls of `name.add` are forwarded through the
    /// client, as calls of `add`. [`Remote`] says what passes and how, and has options.
    ///
    /// ```
    /// use antiphon::{Client, Router};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let there = Router::new().method_fn("add", |a: i64, b: i64| a + b);
    /// let there = Client::in_process(there)?; // or Client::connect("ws://10.0.0.2:8060")
    ///
    /// let here = Router::new().method_fn("ping", || "pong").nest_remote("calc", there);
    /// let client = Client::in_process(here)?;
    /// assert_eq!(client.call::<i64>("calc.add", (3, 4)).await?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn nest_remote(self, name: impl Into<String>, client: Client) -> Self {
        self.nest(name, Remote::of(client))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
