//! Builder of a client of several upstreams.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_proto::{Id, Params};

use super::balancer::Balancer;
use super::health::Policy;
use super::status::UpstreamStatus;
use crate::client::builder::ClientBuilder;
use crate::client::call_options::CallOptions;
use crate::client::error::Error;
use crate::client::handle::Client;
use crate::client::shared::{Scope, Shared};
use crate::client::transport::ClientTransport;

/// The name of the client in errors.
const SUBJECT: &str = "the balanced client";

/// The most upstreams: each call looks at all of them.
const MAX_UPSTREAMS: usize = 256;

/// What can be an upstream of a [balanced client](Client::balanced): an address, a
/// [`Client`], or a [`ClientBuilder`].
pub trait IntoUpstream {
    /// The client of the upstream.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](crate::client::ErrorKind::Local) if the address or an option is invalid.
    fn into_upstream(self) -> Result<Client, Error>;
}

impl IntoUpstream for &str {
    fn into_upstream(self) -> Result<Client, Error> {
        Client::connect(self)
    }
}

impl IntoUpstream for String {
    fn into_upstream(self) -> Result<Client, Error> {
        Client::connect(self)
    }
}

impl IntoUpstream for ClientBuilder {
    fn into_upstream(self) -> Result<Client, Error> {
        self.build()
    }
}

impl IntoUpstream for Client {
    fn into_upstream(self) -> Result<Client, Error> {
        Ok(self)
    }
}

/// A builder of a client of several servers that serve the same; [`Client::balanced`] has the
/// defaults.
///
/// ```
/// use std::time::Duration;
/// use antiphon::client::{Balanced, Client};
///
/// let secured = Client::builder("wss://b.example:8060").bearer("7f3a");
/// # #[cfg(feature = "tls")] {
/// let client = Balanced::of(["ws://localhost:8060"])
///     .upstream(secured)
///     .max_failures(3)
///     .max_pause(Duration::from_secs(10))
///     .build()?;
/// # }
/// # Ok::<(), antiphon::client::Error>(())
/// ```
///
/// # Which upstream
///
/// Each call, notification, batch and subscription goes to the upstream with the least in flight; if
/// several have as few, they take turns. A batch goes to one upstream as a whole.
///
/// An upstream is left out when it cannot be reached, or after [failures](Self::max_failures) in a
/// row: connections that were lost, invalid responses, HTTP statuses 502 to 504, and timeouts of at
/// least a second. After a
/// pause a single call tries it out. The pause doubles each time, from
/// [`first_pause`](Self::first_pause) to [`max_pause`](Self::max_pause); a random part of up to a half
/// is taken off. If all upstreams are left out, the one whose pause ends first is tried.
///
/// # What goes to another upstream
///
/// | outcome at an upstream | what follows |
/// |---|---|
/// | [`NotSent`](crate::client::ErrorKind::NotSent), or HTTP status 503 | another upstream, each once |
/// | error −32000 with `"mayHaveRun":false` in its data, as of a server that stops | another upstream, each once |
/// | [`Unknown`](crate::client::ErrorKind::Unknown), and the call is [`idempotent`](crate::client::PendingCall::idempotent) | another upstream; it is sent at most three times |
/// | any other | that is the outcome |
///
/// All attempts together end at the timeout of the call. A call has one outcome: if an attempt may
/// have run, and none later was answered, that is [`Unknown`](crate::client::ErrorKind::Unknown).
///
/// A subscription whose connection is lost, or whose server stops, goes on at any upstream, behind its
/// last item if that has a cursor. An upstream that does not know the cursor says so, which is
/// [`StreamError::Gap`](crate::client::StreamError::Gap). Without cursors the stream begins anew, after
/// [`StreamError::Interrupted`](crate::client::StreamError::Interrupted).
///
/// # Upstreams that are clients
///
/// Upstreams should be built alike. What is put together before an upstream is chosen follows the
/// first one: names, parameters and batches. From then on calls of a client that was given do not wait
/// for its [reconnection](ClientBuilder::reconnect), also through its other clones: they connect, or fail.
#[must_use = "a client is made by `build`"]
pub struct Balanced {
    upstreams: Vec<Result<Client, Error>>,
    policy: Policy,
}

impl Balanced {
    /// Begins with these upstreams.
    pub fn of<U: IntoUpstream>(upstreams: impl IntoIterator<Item = U>) -> Self {
        let upstreams = upstreams.into_iter().take(MAX_UPSTREAMS + 1);
        Self {
            upstreams: upstreams.map(IntoUpstream::into_upstream).collect(),
            policy: Policy {
                max_failures: 5,
                first_pause: Duration::from_millis(500),
                max_pause: Duration::from_secs(30),
            },
        }
    }

    /// Adds an upstream.
    pub fn upstream(mut self, upstream: impl IntoUpstream) -> Self {
        self.upstreams.push(upstream.into_upstream());
        self
    }

    /// Sets after how many failures in a row an upstream is left out, at least 1. One that cannot be
    /// reached is left out at once. Default: 5.
    pub fn max_failures(mut self, failures: u32) -> Self {
        self.policy.max_failures = failures.max(1);
        self
    }

    /// Sets the first pause of an upstream that is left out. Default: 500 ms.
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.policy.first_pause = pause;
        self
    }

    /// Sets the longest pause of an upstream that is left out. Default: 30 s.
    pub fn max_pause(mut self, pause: Duration) -> Self {
        self.policy.max_pause = pause;
        self
    }

    /// Builds the client. It does not connect yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](crate::client::ErrorKind::Local) if there is no upstream, or more than 256, if
    /// the address or an option of one is invalid, if one is balanced itself, or if they have different
    /// [namespaces](Client::namespace).
    pub fn build(self) -> Result<Client, Error> {
        let upstreams = self.upstreams.into_iter().collect::<Result<Vec<_>, _>>()?;
        let Some(first) = upstreams.first().map(|client| client.scope.clone()) else {
            return Err(Error::local(SUBJECT, "it needs an upstream"));
        };
        if upstreams.len() > MAX_UPSTREAMS {
            let fault = format!("it has more than {MAX_UPSTREAMS} upstreams");
            return Err(Error::local(SUBJECT, fault));
        }
        if upstreams
            .iter()
            .any(|client| client.scope.prefix != first.prefix)
        {
            let fault = "its upstreams have different namespaces";
            return Err(Error::local(SUBJECT, fault));
        }
        let mut shared = Vec::with_capacity(upstreams.len());
        let mut places = Vec::with_capacity(upstreams.len());
        for Client { scope } in upstreams {
            if let ClientTransport::Balanced(_) = &scope.shared.transport {
                // Its own choice would be hidden from this one.
                return Err(Error::nested(SUBJECT));
            }
            scope.shared.transport.connect_on_demand();
            let streams = scope.shared.has_sessions();
            places.push((scope.shared.place.as_str().into(), streams));
            shared.push(scope.shared);
        }
        let balancer = Balancer::new(places.into_iter(), self.policy);
        let shared = Shared {
            place: "several upstreams".to_owned(),
            transport: ClientTransport::Balanced(balancer),
            calls: options_like(&first.shared.calls),
            upstreams: shared,
        };
        Ok(Client {
            scope: Scope {
                shared: Arc::new(shared),
                prefix: first.prefix,
            },
        })
    }
}

/// The options of an upstream, with ids that differ from those of every upstream: a batch has its ids
/// before it is known where it goes.
fn options_like(first: &CallOptions) -> CallOptions {
    let own = RandomState::new().hash_one(0);
    let counter = AtomicU64::new(1);
    let next_id = move || {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        Id::from(format!("{own:016x}-{number}"))
    };
    let data = match first.data.to_json() {
        Ok(Some(text)) => Params::from_json(&text),
        // The builder of the upstream has refused what has no text.
        _ => Params::none(),
    };
    CallOptions {
        rules: first.rules.clone(),
        separator: first.separator.clone(),
        data,
        next_id: Box::new(next_id),
        encoding: first.encoding,
        timeout: first.timeout,
        max_response: first.max_response,
        max_batch_response: first.max_batch_response,
    }
}

impl Client {
    /// Creates a client of several servers that serve the same, with default options: addresses,
    /// clients or builders of clients. [`Balanced`] has the options, and says which upstream a call
    /// goes to, and when it goes to another one.
    ///
    /// ```
    /// use antiphon::Client;
    ///
    /// let client = Client::balanced(["ws://10.0.0.1:8060", "ws://10.0.0.2:8060"])?;
    /// # Ok::<(), antiphon::client::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Balanced::build`].
    pub fn balanced<U: IntoUpstream>(
        upstreams: impl IntoIterator<Item = U>,
    ) -> Result<Self, Error> {
        Balanced::of(upstreams).build()
    }

    /// What a [balanced](Self::balanced) client knows of its upstreams, in the order in which they were
    /// given; nothing for any other client.
    ///
    /// ```
    /// use antiphon::Client;
    ///
    /// let client = Client::balanced(["ws://10.0.0.1:8060", "ws://10.0.0.2:8060"])?;
    /// assert!(client.upstreams().iter().all(|upstream| upstream.is_up && upstream.in_flight == 0));
    /// # Ok::<(), antiphon::client::Error>(())
    /// ```
    #[must_use]
    pub fn upstreams(&self) -> Vec<UpstreamStatus> {
        match &self.scope.shared.transport {
            ClientTransport::Balanced(balancer) => balancer.status(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Debug for Balanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balanced")
            .field("upstreams", &self.upstreams.len())
            .finish_non_exhaustive()
    }
}
