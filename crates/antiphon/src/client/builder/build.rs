//! Construction of a client from its options.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Uri, header};
use tokio::sync::Semaphore;

use crate::address::{Address, NatsAddress, authority};
use crate::client::broker_sessions::BrokerSessions;
use crate::client::builder::options::ClientBuilder;
use crate::client::connect::{self, HttpPool, HttpTarget, NatsChannel};
use crate::client::driver::Driver;
use crate::client::error::Error;
use crate::client::handle::Client;
use crate::client::passed_identity::PassedIdentity;
use crate::client::prepared_request::CommonHeaders;
use crate::client::session_authentication::SessionAuthentication;
use crate::client::session_connector::{SessionConnector, Target, host_or_loopback, session_place};
use crate::client::session_source::SessionSource;
use crate::client::shared::{Scope, Shared};
use crate::client::token::is_exposed;
use crate::client::transport::{ClientTransport, Http, HttpChannel};
use crate::dispatch::{Dispatcher, Limits};
use crate::router::BoxError;
use crate::session::SessionConfig;

/// The name of the client in errors.
const SUBJECT: &str = "the client";

const PLAINTEXT: &str = "the token would cross the network unencrypted: use https:, wss: or tls:, \
                         or say that it may (`allow_plaintext_token`)";

const NO_TOKEN: &str = "a token does not cross a broker, whose other users could read it";

const NO_SERVER_NAME: &str = "a NATS server is known by its host: no other name can be given";

const TWO_TLS: &str = "certificates are given by the address and by options: one is enough";

const NOT_FORWARDED: &str = "an identity can be forwarded inside of this process (`in_process`) or, signed, through \
                             a NATS server (`?identity=FILE`): elsewhere it proves nothing, and the token of a \
                             caller is not ours to send";

const NOT_SIGNED: &str = "an identity is signed for a NATS server only (`?identity=FILE`); elsewhere a token \
                          tells who calls";

const TWO_IDENTITIES: &str =
    "an identity is given, and that of callers is forwarded: one is enough";

impl ClientBuilder {
    /// Builds the client. It does not connect yet.
    ///
    /// If the address uses TLS, the certificate authorities of the operating system are loaded
    /// here, on some systems from files, unless others are given.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](crate::client::ErrorKind::Local) if the address or an option is invalid; only the
    /// first error is returned.
    pub fn build(mut self) -> Result<Client, Error> {
        if let Err(error) = self.calls.data.to_json() {
            let fault = error.to_string();
            self.fail(fault);
        }
        if self.tokens.is_some() && self.headers.contains_key(header::AUTHORIZATION) {
            self.fail("a token and a header `Authorization` are given: one is enough".to_owned());
        }
        let signs = self.in_process.is_none() && self.signs_identities();
        if self.forwards_identity && self.in_process.is_none() && !signs {
            self.fail(NOT_FORWARDED.to_owned());
        }
        if self.identity.is_some() && !signs {
            self.fail(NOT_SIGNED.to_owned());
        }
        if self.identity.is_some() && self.forwards_identity {
            self.fail(TWO_IDENTITIES.to_owned());
        }
        if let Some(fault) = self.fault.take() {
            return Err(Error::local(SUBJECT, fault));
        }
        let offered = self.router.take().unwrap_or_default();
        let limits = Limits::default().max_values(self.calls.rules.max_values);
        let offered = offered.build_with(limits).map_err(|error| {
            Error::local(SUBJECT, "its own router cannot be served").because(error)
        })?;
        let (place, transport) = match self.in_process.take() {
            Some(server) => return Ok(self.over(server, offered)),
            None => self.reach(offered)?,
        };
        Ok(self.assemble(place, transport))
    }

    /// Whether the address names keys for identities.
    fn signs_identities(&self) -> bool {
        let has_keys = |address: &NatsAddress| address.files.identity.is_some();
        matches!(self.url.parse(), Ok(Address::Nats(address)) if has_keys(&address))
    }

    /// A client of a router in this process.
    pub(in crate::client) fn over(mut self, server: Dispatcher, offered: Dispatcher) -> Client {
        let target = Target::InProcess {
            server,
            forwards_identity: self.forwards_identity,
        };
        let (place, transport) = self.session(target, "this process", offered);
        self.assemble(place, transport)
    }

    /// The channel to the address, and its name in errors.
    fn reach(&mut self, offered: Dispatcher) -> Result<(String, ClientTransport), Error> {
        let unusable =
            |error: BoxError| Error::local(SUBJECT, "the address cannot be used").because(error);
        let unavailable = |error: BoxError| Error::local(SUBJECT, error.to_string());
        let address = match self.url.split_once("://") {
            // A given service may support HTTPS even if this build does not.
            Some((https, rest))
                if https.eq_ignore_ascii_case("https") && self.exchange.is_some() =>
            {
                Address::parse_http(rest, Some(443)).map(Address::secured)
            }
            _ => self.url.parse(),
        };
        let address = address.map_err(|error| unusable(error.into()))?;
        if let Some(access) = address.access() {
            let fault = format!("`?{access}` is for the server that makes the socket");
            return Err(unusable(fault.into()));
        }
        let goes_out = self.tokens.is_some() && self.exchange.is_none();
        if goes_out && !self.plaintext_token && is_exposed(&address) {
            return Err(Error::local(SUBJECT, PLAINTEXT));
        }
        if let Some(place) = session_place(&address) {
            let tls = connect::tls(&address, &self.tls).map_err(unavailable)?;
            return Ok(self.session(Target::Address(address, tls), &place, offered));
        }
        if let Address::Nats(address) = address {
            return self.through_broker(address, offered);
        }
        let given = self.exchange.take();
        let mut scheme = "http";
        let (place, host, path, target) = match &address {
            Address::Http {
                secure,
                host,
                port,
                path,
            } => {
                if *secure {
                    scheme = "https";
                }
                // A given service has connections of its own.
                let tls = match given {
                    Some(_) => None,
                    None => connect::tls(&address, &self.tls).map_err(unavailable)?,
                };
                let host = host_or_loopback(host);
                let target = HttpTarget::Tcp(host.to_owned(), *port, tls);
                let host = authority(host, *port);
                (host.clone(), host, path.clone(), target)
            }
            Address::HttpUnix { socket, .. } => {
                let place = format!("http+unix:{}", socket.display());
                let target = HttpTarget::Unix(socket.clone());
                (place, "localhost".to_owned(), "/".to_owned(), target)
            }
            other => {
                let fault = format!("{other} cannot be called");
                return Err(Error::local(SUBJECT, fault));
            }
        };
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(host)
            .path_and_query(path)
            .build();
        let uri = uri.map_err(|error| unusable(error.into()))?;
        let mut headers = std::mem::take(&mut self.headers);
        if self.tokens.is_some() {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(""));
        }
        let channel = match given {
            Some(service) => HttpChannel::Service(service, uri),
            None => {
                let pool = HttpPool::new(target, uri, self.http2, &mut headers);
                HttpChannel::Pool(pool.map_err(unavailable)?)
            }
        };
        drop(offered);
        let transport = self.exchanges(channel, headers);
        Ok((place, transport))
    }

    /// A broker as the way to the server, and its name in errors.
    fn through_broker(
        &mut self,
        address: NatsAddress,
        offered: Dispatcher,
    ) -> Result<(String, ClientTransport), Error> {
        if self.tokens.is_some() {
            return Err(Error::local(SUBJECT, NO_TOKEN));
        }
        if self.tls.server_name.is_some() {
            return Err(Error::local(SUBJECT, NO_SERVER_NAME));
        }
        let has_files = address.files.ca.is_some() || address.files.cert.is_some();
        if has_files && (self.tls.ca.is_some() || self.tls.client.is_some()) {
            return Err(Error::local(SUBJECT, TWO_TLS));
        }
        let whole = Address::Nats(address.clone());
        let tls = connect::tls(&whole, &self.tls);
        let channel = tls.and_then(|tls| NatsChannel::new(address, tls));
        let place = whole.to_string();
        let channel = channel.map_err(|error| Error::local(SUBJECT, error.to_string()))?;
        let headers = std::mem::take(&mut self.headers);
        let sessions = BrokerSessions {
            channel: Arc::new(channel),
            place: place.clone(),
            dispatcher: offered,
            config: SessionConfig::new(self.sessions.clone()),
            max_message: self.max_message(),
            reconnect: self.reconnect.take(),
            tells_deadlines: self.tells_deadlines,
            on_demand: AtomicBool::new(false),
            open: Mutex::default(),
        };
        Ok((place, self.exchanges(HttpChannel::Nats(sessions), headers)))
    }

    /// A transport with one exchange for each request.
    fn exchanges(&mut self, channel: HttpChannel, headers: HeaderMap) -> ClientTransport {
        let timeout = self.calls.timeout.map(|timeout| timeout.as_millis().max(1));
        let timeout = timeout.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX));
        ClientTransport::Http(Box::new(Http {
            headers: CommonHeaders::new(headers, timeout),
            channel,
            identity: match (self.identity.take(), self.forwards_identity) {
                (Some(identity), _) => PassedIdentity::Own(identity),
                (None, true) => PassedIdentity::OfCaller,
                (None, false) => PassedIdentity::Nobody,
            },
            tokens: self.tokens.take(),
            places: Semaphore::new(self.max_in_flight),
        }))
    }

    /// The most bytes in a message of a session: room for the envelope of a result, or of a whole batch.
    fn max_message(&self) -> usize {
        self.calls.max_response.max(self.calls.max_batch_response) + 4096
    }

    /// The transport of a session, and its name in errors.
    fn session(
        &mut self,
        target: Target,
        place: &str,
        offered: Dispatcher,
    ) -> (String, ClientTransport) {
        // These headers describe a body, and a handshake has none.
        for name in [header::ACCEPT, header::CONTENT_TYPE] {
            self.headers.remove(name);
        }
        // A router in this process asks nobody who calls.
        let is_asked = !matches!(target, Target::InProcess { .. });
        let tokens = self.tokens.take().filter(|_| is_asked);
        let connector = SessionConnector {
            target,
            place: place.to_owned(),
            dispatcher: offered,
            config: SessionConfig::new(self.sessions.clone()),
            headers: std::mem::take(&mut self.headers),
            max_message: self.max_message(),
        };
        let version = &self.calls.rules.version;
        let authentication = tokens.map(|tokens| SessionAuthentication::new(tokens, version));
        let driver = Driver::new(
            connector,
            authentication,
            self.reconnect.take(),
            self.tells_deadlines,
        );
        (
            place.to_owned(),
            ClientTransport::Session(SessionSource::Own(driver)),
        )
    }

    fn assemble(self, place: String, transport: ClientTransport) -> Client {
        let shared = Shared {
            place,
            transport,
            calls: self.calls,
            upstreams: Vec::new(),
        };
        Client {
            scope: Scope {
                shared: Arc::new(shared),
                prefix: None,
            },
        }
    }
}
