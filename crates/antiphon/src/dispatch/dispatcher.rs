//! Dispatcher: one message in, at most one message out.

use std::fmt;
use std::sync::Arc;
use std::task::Context;

use antiphon_proto::{ErrorCode, Incoming, Rejection, Request, Rules, parse};
use bytes::Bytes;

use super::elsewhere::{Parsing, Threads, goes_elsewhere};
use super::future::{Begun, Dispatch};
use super::limits::Limits;
use super::shared::Shared;
use crate::audit::{AuditLog, CallRecord};
use crate::call::CallLimits;
use crate::call_origin::{Connection, Origin, Transport};
use crate::describe::Tree;
use crate::mcp::Service;
use crate::memory_budget::Account;
use crate::metrics::counters::{Counters, RouterState};
use crate::metrics::status::ServerStatus;
use crate::rate_limit::RateLimiter;
use crate::router::{Endpoint, Router, RouterError};
use crate::session_state::Cancels;

/// A built router with its limits: takes messages and returns responses. Cheap to clone.
///
/// [`Router::build`](crate::Router::build) creates it. Every transport uses a dispatcher, and it
/// can be used without a transport: in tests, or behind a transport of your own. It never fails: an
/// invalid message is answered with an error. A message that contains only notifications has no
/// response.
///
/// ```
/// use antiphon::Router;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let dispatcher = Router::new().method_fn("add", |a: f64, b: f64| a + b).build().unwrap();
///
/// let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":"x","method":"add","params":[3,7]}"#).await;
/// assert_eq!(answer.unwrap(), r#"{"jsonrpc":"2.0","id":"x","result":10.0}"#);
///
/// let notification = dispatcher.handle(r#"{"jsonrpc":"2.0","method":"add","params":[3,7]}"#).await;
/// assert_eq!(notification, None);
/// # });
/// ```
#[derive(Clone)]
pub struct Dispatcher(Arc<Shared>);

impl Router {
    /// Builds a dispatcher with the default [`Limits`].
    ///
    /// # Errors
    ///
    /// [`RouterError`], which lists all conflicting and invalid names.
    pub fn build(self) -> Result<Dispatcher, RouterError> {
        self.build_with(Limits::default())
    }

    /// Builds a dispatcher with the given limits.
    ///
    /// # Errors
    ///
    /// [`RouterError`], which lists all conflicting and invalid names.
    pub fn build_with(self, limits: Limits) -> Result<Dispatcher, RouterError> {
        let frozen = self.freeze()?;
        let common = Arc::new(RouterState {
            counters: Arc::new(Counters::new(frozen.tree.len())),
            tree: frozen.tree,
        });
        let connection = Connection::new(Transport::InProcess, None, Account::unlimited());
        let in_process = Origin::new(common, connection, true);
        Ok(Dispatcher::of(Parts {
            endpoint: frozen.endpoint,
            in_process: Arc::new(in_process),
            limits,
            rate: None,
            audit: None,
            mcp: None,
        }))
    }
}

#[cfg(feature = "mcp")]
impl crate::mcp::Mcp {
    /// Builds a dispatcher, which needs no transport: it takes a message of a client and returns the
    /// answer. Without a router it has no tools.
    ///
    /// ```
    /// use antiphon::Router;
    /// use antiphon::mcp::Mcp;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let mcp = Mcp::new(Router::new().method_fn("zero", || 0)).build().unwrap();
    /// let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"zero"}}"#;
    /// let answer = mcp.handle(call).await.unwrap();
    /// assert_eq!(answer, r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"0"}]}}"#);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// [`RouterError`](crate::RouterError), which lists all conflicting and invalid names.
    pub fn build(self) -> Result<Dispatcher, RouterError> {
        let (router, service) = self.into_parts();
        let dispatcher = router.unwrap_or_default().build()?;
        Ok(dispatcher.speaking(service))
    }
}

/// What a dispatcher is made of.
struct Parts {
    endpoint: Endpoint,
    in_process: Arc<Origin>,
    limits: Limits,
    rate: Option<RateLimiter>,
    audit: Option<AuditLog>,
    mcp: Option<Arc<Service>>,
}

impl Dispatcher {
    fn of(parts: Parts) -> Self {
        let Parts {
            endpoint,
            in_process,
            limits,
            rate,
            audit,
            mcp,
        } = parts;
        // The Model Context Protocol has no batches.
        let limits = match mcp {
            Some(_) => limits.max_batch(0),
            None => limits,
        };
        Self(Arc::new(Shared {
            endpoint,
            rules: Rules::default()
                .max_batch(limits.max_batch)
                .max_values(limits.max_values),
            call_limits: CallLimits {
                max_result: limits.max_response,
                timeout: limits.call_timeout,
                places: limits.places(),
                in_batch: false,
            },
            limits,
            rate,
            audit,
            mcp,
            threads: Threads::default(),
            in_process,
        }))
    }

    fn parts(&self) -> Parts {
        Parts {
            endpoint: self.0.endpoint.clone(),
            in_process: Arc::clone(&self.0.in_process),
            limits: self.0.limits.clone(),
            rate: self.0.rate.clone(),
            audit: self.0.audit.clone(),
            mcp: self.0.mcp.clone(),
        }
    }

    /// The same router for clients of the Model Context Protocol. Both share one count of calls in
    /// flight.
    pub(crate) fn speaking(&self, mcp: Arc<Service>) -> Self {
        Self::of(Parts {
            mcp: Some(mcp),
            ..self.parts()
        })
    }

    /// Whether its clients are those of the Model Context Protocol.
    pub(crate) fn speaks_mcp(&self) -> bool {
        self.0.mcp.is_some()
    }

    /// The same router with other limits. Both share one count of calls in flight.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self::of(Parts {
            limits,
            ..self.parts()
        })
    }

    /// The same router for single calls whose results are no larger than this.
    #[cfg(feature = "nats")]
    pub(crate) fn of_single_calls(&self, max_result: usize) -> Self {
        let limits = self.0.limits.clone().max_batch(0);
        let max = limits.max_response.min(max_result);
        self.with_limits(limits.max_response(max))
    }

    /// The same router with a limit of calls by caller.
    pub(crate) fn rate_limited(&self, rate: Option<RateLimiter>) -> Self {
        Self::of(Parts {
            rate,
            ..self.parts()
        })
    }

    /// The same router, whose calls are recorded.
    #[cfg(feature = "server")]
    pub(crate) fn audited(&self, audit: AuditLog) -> Self {
        Self::of(Parts {
            audit: Some(audit),
            ..self.parts()
        })
    }

    /// The same router as part of a server; `None` keeps its limits.
    pub(crate) fn served(
        &self,
        server: &Arc<ServerStatus>,
        limits: Option<Limits>,
        rate: Option<RateLimiter>,
        audit: Option<AuditLog>,
    ) -> Self {
        let parts = self.parts();
        let Origin {
            common, connection, ..
        } = &*parts.in_process;
        let mut in_process = Origin::new(Arc::clone(common), Arc::clone(connection), true);
        in_process.server = Some(Arc::clone(server));
        Self::of(Parts {
            endpoint: parts.endpoint,
            in_process: Arc::new(in_process),
            limits: limits.unwrap_or(parts.limits),
            rate,
            audit,
            mcp: parts.mcp,
        })
    }

    /// The state that all its calls share.
    pub(crate) fn common(&self) -> Arc<RouterState> {
        Arc::clone(&self.0.in_process.common)
    }

    /// Handles a message from this process: a call, a notification or a batch, as JSON text. The
    /// caller counts as local.
    ///
    /// Returns the response as JSON text, or `None` if there is none. Dropping the future cancels
    /// running calls. If a method is not ready at once, the future must be polled inside a tokio
    /// runtime with time enabled. In a runtime, parameters above 256 KiB are decoded on another
    /// thread, so such a call is not ready at once.
    pub async fn handle(&self, message: impl Into<Bytes>) -> Option<Bytes> {
        let origin = Arc::clone(&self.0.in_process);
        let connection = &self.0.in_process.connection;
        let answered = self.dispatch(message.into(), origin, connection).await;
        answered.text.map(|payload| Bytes::from(payload.text))
    }

    /// The tree of all methods.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.0.in_process.common.tree
    }

    /// The number of calls in flight: those that have started and wait for something.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.counters().in_flight()
    }

    /// The origin of messages on this connection.
    pub(crate) fn origin(&self, connection: Arc<Connection>, local: bool) -> Origin {
        let common = Arc::clone(&self.0.in_process.common);
        Origin {
            server: self.0.in_process.server.clone(),
            ..Origin::new(common, connection, local)
        }
    }

    /// Handles a message. Calls that are ready at once are answered on the first poll. `connection`
    /// is that of the origin.
    pub(crate) fn dispatch<'a>(
        &'a self,
        message: Bytes,
        origin: Arc<Origin>,
        connection: &'a Connection,
    ) -> Dispatch<'a> {
        Dispatch::new(&self.0, message, origin, connection)
    }

    /// Parses a message. An array may have up to `max` entries, including responses to our calls.
    pub(crate) fn read(&self, message: Bytes, max: usize) -> Reading {
        let rules = &self.0.rules;
        if goes_elsewhere(message.len()) {
            let max = max.max(rules.max_batch);
            let rules = rules.clone().max_batch(max);
            return Reading::Elsewhere(self.0.threads.parse(message, rules));
        }
        Reading::Done(if max <= rules.max_batch {
            parse(message, rules)
        } else {
            parse(message, &rules.clone().max_batch(max))
        })
    }

    /// Whether there is such a method, or a layer that may answer in its place.
    pub(crate) fn knows(&self, request: &Request) -> bool {
        self.speaks_mcp() || self.0.endpoint.knows(request.method_bytes())
    }

    /// Whether a method of this name opens a subscription, and this caller may see it.
    #[cfg(feature = "server")]
    pub(crate) fn only_streams(&self, name: &[u8], origin: &Origin) -> bool {
        self.0.endpoint.only_streams(name, origin)
    }

    /// Where calls are recorded, if they are.
    pub(crate) fn audit(&self) -> Option<&AuditLog> {
        self.0.audit.as_ref()
    }

    /// Records a call that its session has refused with this code.
    pub(crate) fn record_refusal(&self, request: &Request, origin: &Origin, code: ErrorCode) {
        if let Some(audit) = &self.0.audit {
            CallRecord::refused(audit, request, origin, code);
        }
    }

    /// The most bytes in one answer, to a call or to a batch.
    pub(crate) fn max_answer(&self) -> usize {
        let limits = &self.0.limits;
        limits.max_response.max(limits.max_batch_response)
    }

    /// The most entries in a batch.
    pub(crate) fn max_batch(&self) -> usize {
        self.0.limits.max_batch
    }

    /// The most calls of one batch that run concurrently.
    pub(crate) fn batch_concurrency(&self) -> usize {
        self.0.limits.batch_concurrency
    }

    /// Starts a parsed message and polls it once. `buffer` is used for the response to a single
    /// call; a batch observes `cancels`.
    pub(crate) fn begin(
        &self,
        entry: Incoming,
        origin: &Arc<Origin>,
        buffer: Vec<u8>,
        cancels: Option<&Arc<Cancels>>,
        cx: &mut Context<'_>,
    ) -> Begun {
        Begun::of(Arc::clone(&self.0), entry, origin, buffer, cancels, cx)
    }
}

/// A message that is being parsed.
pub(crate) enum Reading {
    Done(Result<Incoming, Rejection>),
    /// It is large.
    Elsewhere(Parsing),
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("endpoint", &self.0.endpoint)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
