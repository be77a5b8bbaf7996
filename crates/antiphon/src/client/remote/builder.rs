//! Builder of a router whose calls are forwarded to another server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::cache::Cache;
use super::choose::Choice;
use super::document::{DocumentLimits, Documents};
use super::flights::Flights;
use super::forward::{Declared, Forwarder, UNSUBSCRIBE};
use super::pattern::Pattern;
use super::source::Source;
use super::watch::Watch;
use crate::client::balance::Balanced;
use crate::client::handle::Client;
use crate::client::shared::Scope;
use crate::describe::RemoteSource;
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
/// This document tells which methods open subscriptions (`x-subscription`), and which calls may run twice
/// (`x-idempotent`) or change nothing (`x-read-only`). For a server without one name them with
/// [`subscription`](Self::subscription), [`idempotent`](Self::idempotent) and
/// [`read_only`](Self::read_only). A method that opens subscriptions and of which nobody knows is forwarded as
/// any other: its caller gets the id, and no items.
///
/// # What runs once, and what may run twice
///
/// A call is sent to another upstream if it was not sent, and otherwise only if it is idempotent. Equal
/// calls at the same time of a method that changes nothing are forwarded as one, and its results are kept if
/// [`cache`](Self::cache) says so; equal are calls with the same text of their parameters. So a caller may
/// get a result that is as old as the longest of these calls, or as the time of the cache. A call that is
/// shared has the timeout of the client, and the trace context of the first caller; it ends when the last
/// one goes away. Calls through a client that forwards identities are never shared, and nothing of them is kept.
#[must_use = "it is a part of a router: see `Router::nest`"]
pub struct Remote {
    client: Client,
    pub(super) name: Box<str>,
    limits: DocumentLimits,
    declared: Declared,
    described_only: bool,
    share: bool,
    cached: Vec<(Pattern, Duration)>,
    cache_size: usize,
    /// `None` if nothing was said.
    pub(super) check: Option<Option<Duration>>,
}

impl Remote {
    /// Forwards calls through this client, which may be [balanced](Client::balanced). With a
    /// [namespace](Client::namespace) they go to the methods below that.
    pub fn of(client: Client) -> Self {
        Self {
            client,
            name: "".into(),
            limits: DocumentLimits {
                interval: Some(Duration::from_secs(60)),
                max_bytes: 1024 * 1024,
                max_methods: 1000,
            },
            declared: Declared::default(),
            described_only: false,
            share: true,
            cached: Vec::new(),
            cache_size: 16 * 1024 * 1024,
            check: None,
        }
    }

    /// Sets the name of the server for callers and metrics: documents show it at each method. It is no
    /// address. Default: none; a [`Gateway`](crate::Gateway) chooses one.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = name.into();
        self
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

    /// Sets after which pause each upstream is asked for a sign of life, from the first call on: it gets
    /// the call `rpc.ping`, and any answer will do. One that cannot be reached, or that leaves two in a row
    /// unanswered for 2 s, is left out until it answers again; idempotent calls that it has go to another
    /// one then. `None` means that calls find out. Default: `None`; 2 s in a
    /// [`Gateway`](crate::Gateway).
    pub fn check(mut self, pause: impl Into<Option<Duration>>) -> Self {
        self.check = Some(pause.into());
        self
    }
}

/// What is known of its methods. Names are those there, without the namespace; a star at the end of one
/// stands for any more characters: `eth_get*`.
impl Remote {
    /// Declares that a method opens subscriptions that `rpc.unsubscribe` ends: for a server whose
    /// document does not say so.
    pub fn subscription(self, method: impl AsRef<str>) -> Self {
        self.subscription_with(method, UNSUBSCRIBE)
    }

    /// Declares that a method opens subscriptions that another method ends: for a server whose document
    /// does not say so. Names as `eth_subscribe` and `chain_subscribeNewHeads` need no declaration.
    pub fn subscription_with(
        mut self,
        method: impl AsRef<str>,
        unsubscribe: impl Into<Box<str>>,
    ) -> Self {
        let method = Pattern::new(method.as_ref());
        self.declared
            .subscriptions
            .push((method, unsubscribe.into()));
        self
    }

    /// Declares that a call may run twice with the same effect as once, beside those methods of which
    /// the document says so.
    pub fn idempotent(mut self, method: impl AsRef<str>) -> Self {
        let method = Pattern::new(method.as_ref());
        self.declared.idempotent.push(method);
        self
    }

    /// Declares that a method changes nothing, beside those of which the document says so. This makes
    /// it idempotent, too.
    pub fn read_only(mut self, method: impl AsRef<str>) -> Self {
        let method = Pattern::new(method.as_ref());
        self.declared.read_only.push(method);
        self
    }

    /// Declares that a method tells of its progress, so that this passes through a broker, too: such a call
    /// needs a session with one of the servers there, and others do not. Over other transports progress
    /// always passes.
    pub fn progress(mut self, method: impl AsRef<str>) -> Self {
        let method = Pattern::new(method.as_ref());
        self.declared.progress.push(method);
        self
    }

    /// Sets whether equal calls at the same time of a method that changes nothing are forwarded as one.
    /// Default: `true`.
    pub fn share(mut self, yes: bool) -> Self {
        self.share = yes;
        self
    }

    /// Keeps the results of a method for so long, and answers equal calls with them. Only methods that
    /// are [read-only](Self::read_only) have their results kept; errors never are. If several patterns
    /// match, the first one counts; with a time of 0 nothing is kept.
    pub fn cache(mut self, method: impl AsRef<str>, time: Duration) -> Self {
        self.cached.push((Pattern::new(method.as_ref()), time));
        self
    }

    /// Sets how many bytes the results that are kept may take. One result may take an eighth. Default:
    /// 16 MiB.
    pub fn cache_size(mut self, bytes: usize) -> Self {
        self.cache_size = bytes;
        self
    }
}

impl Remote {
    /// What forwards the calls.
    pub(super) fn into_forwarder(self, is_all: bool) -> Arc<Forwarder> {
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
        let watch = Watch::new(
            Arc::clone(shared),
            Arc::clone(&documents),
            self.check.flatten(),
        );
        let adds_params = !matches!(shared.calls.data.to_json(), Ok(None));
        Arc::new(Forwarder {
            name: self.name,
            documents,
            watch: Arc::new(watch),
            declared: self.declared,
            described_only: self.described_only,
            adds_params,
            flights: self.share.then(Flights::default),
            cache: Arc::new(Cache::new(self.cached, self.cache_size)),
            is_all,
            client,
        })
    }
}

impl IntoRouter for Remote {
    fn into_router(self) -> Router {
        router(vec![self.into_forwarder(false)])
    }
}

impl From<Client> for Remote {
    fn from(client: Client) -> Self {
        Self::of(client)
    }
}

/// A router with the methods of these servers. The first one that describes a method has it.
pub(super) fn router(forwarders: Vec<Arc<Forwarder>>) -> Router {
    let sources = forwarders
        .iter()
        .map(|one| -> Arc<dyn RemoteSource> { Arc::new(Source(Arc::clone(one))) });
    let described = sources.collect();
    let choice = Arc::new(Choice::new(forwarders));
    let method = Method::new(Method::REST, move |call| choice.call(call));
    // A subscriber that is slow holds back the stream, which goes on behind its last item.
    let method = method.overflow(Overflow::Block);
    Router::with_rest(Rest { method, described })
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
