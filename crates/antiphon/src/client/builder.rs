//! Every option of a client, with its default and its limit.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_proto::{Id, Params};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, Uri};
use serde::Serialize;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::error::Error;
use super::http::{Body, Exchange, Via};
use super::{Client, Shared, connect};
use crate::address::{Address, authority};
use crate::router::BoxError;

/// How text beyond ASCII is written in requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Encoding {
    /// As it is, in UTF-8.
    #[default]
    Utf8,
    /// As `\uXXXX`, for servers that cannot read UTF-8.
    Ascii,
}

/// A client under construction. What is wrong with an option is told by [`build`](Self::build).
///
/// ```
/// use std::time::Duration;
/// use antiphon::client::Client;
///
/// let client = Client::builder("http://localhost:8060/rpc")
///     .header("Authorization", "Bearer 123")
///     .timeout(Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), antiphon::client::Error>(())
/// ```
#[must_use = "nothing is there before `build`"]
pub struct ClientBuilder {
    url: String,
    version: String,
    separator: String,
    data: Params,
    next_id: Box<dyn Fn() -> Id + Send + Sync>,
    encoding: Encoding,
    timeout: Option<Duration>,
    headers: HeaderMap,
    max_response: usize,
    max_batch_response: usize,
    max_in_flight: usize,
    http2: bool,
    exchange: Option<Box<dyn Exchange>>,
    fault: Option<String>,
}

impl ClientBuilder {
    pub(super) fn new(url: &str) -> Self {
        let agent = concat!("antiphon/", env!("CARGO_PKG_VERSION"));
        let json = HeaderValue::from_static("application/json");
        let counter = AtomicU64::new(1);
        Self {
            url: url.to_owned(),
            version: "2.0".to_owned(),
            separator: ".".to_owned(),
            data: Params::none(),
            next_id: Box::new(move || Id::from(counter.fetch_add(1, Ordering::Relaxed))),
            encoding: Encoding::Utf8,
            timeout: Some(Duration::from_secs(30)),
            headers: HeaderMap::from_iter([
                (header::ACCEPT, json.clone()),
                (header::CONTENT_TYPE, json),
                (header::USER_AGENT, HeaderValue::from_static(agent)),
            ]),
            max_response: 10 * 1024 * 1024,
            max_batch_response: 25 * 1024 * 1024,
            max_in_flight: 1024,
            http2: false,
            exchange: None,
            fault: None,
        }
    }

    /// What the member `jsonrpc` says, verbatim; answers must say the same. `2.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// A named parameter of every call, such as a token. It takes the place of a parameter of that
    /// name; a call whose parameters go by position is an error, and nothing is sent.
    pub fn data(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.data = self.data.insert(name.into(), value);
        self
    }

    /// Where ids come from. By default they count from 1.
    ///
    /// Every id should be new: two calls of one id in a batch are an error.
    pub fn id_generator(mut self, next: impl Fn() -> Id + Send + Sync + 'static) -> Self {
        self.next_id = Box::new(next);
        self
    }

    /// How text beyond ASCII is written.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// How long a call or a batch may take, from its first poll to the last byte of its answer;
    /// `None` is for ever. 30 s.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// A header of every request. It takes the place of a header of that name.
    ///
    /// Text that cannot stand in a header, and headers that frame the request (`Content-Length`,
    /// `Transfer-Encoding`, `Connection`), are errors of [`build`](Self::build).
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        match header_of(name, value.as_ref()) {
            Some((name, value)) => {
                self.headers.insert(name, value);
            }
            // The value is not told: it may be a secret with a line break behind it.
            None => self.fail(format!("the header {name:?} cannot be sent")),
        }
        self
    }

    /// Bytes in an answer; one more, and the call is an error of [`Kind::Unknown`]. 10 MiB.
    ///
    /// It is noticed while the answer comes in, or before if its length is announced.
    ///
    /// [`Kind::Unknown`]: super::Kind::Unknown
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.max_response = bytes;
        self
    }

    /// Bytes in the answer to a batch. 25 MiB.
    pub fn max_batch_response(mut self, bytes: usize) -> Self {
        self.max_batch_response = bytes;
        self
    }

    /// Requests that may be under way at the same time, at least 1; more wait for a place, as long
    /// as their time lasts. 1024.
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// What stands between a [`namespace`](Client::namespace) and a name. `.`
    pub fn separator(mut self, separator: impl Into<String>) -> Self {
        self.separator = separator.into();
        self
    }

    /// Whether to speak HTTP/2 from the first byte, to a server that is known to. `false`: HTTP/1.
    ///
    /// A [`service`](Self::service) of your own decides that for itself.
    pub fn http2_prior_knowledge(mut self, yes: bool) -> Self {
        self.http2 = yes;
        self
    }

    /// Sends requests through a service in place of the client's own connections: one that speaks
    /// TLS, that tries again, that is in the same process.
    ///
    /// With it `https://` addresses are accepted. A failure before the service has asked for the
    /// request's body counts as [`Kind::NotSent`].
    ///
    /// [`Kind::NotSent`]: super::Kind::NotSent
    ///
    /// ```
    /// use antiphon::{Router, client::{Body, Client}};
    /// use http::{Request, Response};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let dispatcher = Router::default().method_fn("add", |a: f64, b: f64| a + b).build()?;
    /// let service = tower::service_fn(move |request: Request<Body>| {
    ///     let dispatcher = dispatcher.clone();
    ///     async move {
    ///         let answer = dispatcher.handle(request.into_body().into_bytes()).await;
    ///         Ok::<_, std::io::Error>(Response::new(Body::from(answer.unwrap_or_default())))
    ///     }
    /// });
    ///
    /// let client = Client::builder("http://localhost").service(service).build()?;
    /// let sum: f64 = client.call("add", (3, 4)).await?;
    /// assert_eq!(sum, 7.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn service<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        self.exchange = Some(Box::new(Via(service)));
        self
    }

    /// The client. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`Kind::Local`](super::Kind::Local) if the address or an option cannot be used; the first
    /// one is told.
    pub fn build(mut self) -> Result<Client, Error> {
        let subject = "the client";
        if let Err(error) = self.data.to_json() {
            let fault = error.to_string();
            self.fail(fault);
        }
        if let Some(fault) = self.fault {
            return Err(Error::local(subject, fault));
        }
        let (scheme, address) = match self.url.split_once("://") {
            // A service that is given may speak what this build does not.
            Some((https, rest))
                if https.eq_ignore_ascii_case("https") && self.exchange.is_some() =>
            {
                ("https", Address::parse_http(rest, Some(443)))
            }
            _ => ("http", self.url.parse()),
        };
        let address = address
            .map_err(|error| Error::local(subject, "the address cannot be used").because(error))?;
        let http2 = self.http2;
        let (place, host, path, exchange) = match address {
            Address::Http { host, port, path } => {
                let host = authority(host.as_deref().unwrap_or("127.0.0.1"), port);
                let exchange = self.exchange.unwrap_or_else(|| connect::tcp(http2));
                (host.clone(), host, path, exchange)
            }
            #[cfg(unix)]
            Address::HttpUnix { socket } => {
                let place = format!("http+unix:{}", socket.display());
                let exchange = self
                    .exchange
                    .unwrap_or_else(|| connect::unix(socket, http2));
                (place, "localhost".to_owned(), "/".to_owned(), exchange)
            }
        };
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(host)
            .path_and_query(path)
            .build()
            .map_err(|error| Error::local(subject, "the address cannot be used").because(error))?;
        let shared = Shared {
            place,
            uri,
            exchange,
            headers: self.headers,
            version: self.version,
            separator: self.separator,
            data: self.data,
            next_id: self.next_id,
            encoding: self.encoding,
            timeout: self.timeout,
            max_response: self.max_response,
            max_batch_response: self.max_batch_response,
            places: Semaphore::new(self.max_in_flight),
        };
        Ok(Client {
            shared: Arc::new(shared),
            prefix: None,
        })
    }

    fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}

fn header_of(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut value = HeaderValue::from_str(value).ok()?;
    if [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
    ]
    .contains(&name)
    {
        return None;
    }
    let secret = [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
    ];
    // Not to be shown by anybody's `Debug`, nor kept in HTTP/2's tables.
    value.set_sensitive(secret.contains(&name));
    Some((name, value))
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password as long as nobody has refused it.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}
