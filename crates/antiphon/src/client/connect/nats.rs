//! Requests through a broker, over one connection that all calls of a client share.

use std::sync::{Arc, Mutex, PoisonError};

use antiphon_proto::{ErrorCode, ErrorObject, message};
use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::time::Instant;

use super::fault::ConnectFault;
use crate::address::NatsAddress;
use crate::client::http::{BodyFault, Received};
use crate::client::late::Late;
use crate::client::prepared_request::PreparedRequest;
use crate::client::unserved::Unserved;
use crate::error::unavailable;
use crate::identity::Identity;
use crate::router::BoxError;
use crate::transport::memory::MemoryWire;
use crate::transport::nats::{Delivery, Failure, RequestHeaders, Requests};
use crate::transport::tls::client::ClientTls;

/// What the names begin with that the protocol reserves.
const PROTOCOL: &str = "rpc.";

/// The way of a client through a broker. It connects with the first request.
pub(in crate::client) struct NatsChannel {
    address: NatsAddress,
    tls: Option<ClientTls>,
    current: Mutex<Option<Arc<Requests>>>,
    /// Held by the one who connects.
    connecting: tokio::sync::Mutex<()>,
}

impl NatsChannel {
    /// A channel without a connection.
    ///
    /// # Errors
    ///
    /// None in this build.
    pub(in crate::client) fn new(
        address: NatsAddress,
        tls: Option<ClientTls>,
    ) -> Result<Self, BoxError> {
        Ok(Self {
            address,
            tls,
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// Sends a request, and takes the response, if it has no more than `max` bytes.
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub(in crate::client) async fn send(
        &self,
        request: &PreparedRequest<'_>,
        max: usize,
    ) -> Result<Received, BoxError> {
        let Some(addressee) = request.addressee else {
            return Err("a NATS server takes single requests only".into());
        };
        let requests = match self.usable() {
            Some(requests) => requests,
            None => {
                let requests = self.connect().await?;
                Late::check(request.deadline, Instant::now())?;
                requests
            }
        };
        let mut headers = RequestHeaders {
            identity: request.identity.cloned(),
            timeout: request.timeout,
            traceparent: request.current.traceparent.clone(),
            tracestate: request.current.tracestate.clone(),
        };
        let method = addressee.method;
        let text = headers.tell_timeout(request.text.clone());
        let mark = |sent| request.mark.set(sent);
        if !addressee.is_answered {
            let sent = requests.notify(method, &headers, text, &mark).await;
            sent.map_err(told)?;
            return Ok(received(StatusCode::NO_CONTENT, Ok(Bytes::new())));
        }
        let delivery = requests.call(method, &headers, text, &mark).await;
        let body = match delivery.map_err(told)? {
            Delivery::Response(text) if text.len() > max => Err(BodyFault::TooLong(max)),
            Delivery::Response(text) => Ok(text),
            Delivery::NobodyServes { was_served } => Ok(nobody(method, was_served)),
        };
        Ok(received(StatusCode::OK, body))
    }

    /// Opens a session with one of the servers of a method.
    ///
    /// # Errors
    ///
    /// If there is none; `Unserved` if no server is there.
    pub(in crate::client) async fn open_session(
        &self,
        method: &str,
        identity: Option<Identity>,
        max: usize,
    ) -> Result<MemoryWire, BoxError> {
        let requests = match self.usable() {
            Some(requests) => requests,
            None => self.connect().await?,
        };
        let headers = RequestHeaders {
            identity,
            ..RequestHeaders::default()
        };
        let opened = requests.open_session(method, &headers, max).await;
        opened.map_err(|failure| match failure {
            Failure::Unserved { was_served } => Unserved(unserved(method, was_served)).into(),
            other => told(other),
        })
    }

    async fn connect(&self) -> Result<Arc<Requests>, BoxError> {
        let _connecting = self.connecting.lock().await;
        if let Some(requests) = self.usable() {
            return Ok(requests);
        }
        let opened = Requests::open(&self.address, self.tls.as_ref()).await;
        let requests = Arc::new(opened.map_err(ConnectFault::new)?);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let old = current.replace(Arc::clone(&requests));
        drop(current);
        drop(old);
        Ok(requests)
    }

    fn usable(&self) -> Option<Arc<Requests>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone().filter(|requests| requests.is_usable())
    }
}

fn told(failure: Failure) -> BoxError {
    match failure {
        Failure::Away => ConnectFault::new(failure).into(),
        other => other.into(),
    }
}

/// The answer to a call that no server has taken. It is an error of a server, because nothing has run.
fn unserved(method: &str, was_served: bool) -> ErrorObject {
    // Every server has the methods of the protocol itself.
    match was_served || method.starts_with(PROTOCOL) {
        true => unavailable(false),
        false => ErrorObject::of(ErrorCode::METHOD_NOT_FOUND),
    }
}

/// The text of this answer.
fn nobody(method: &str, was_served: bool) -> Bytes {
    let mut text = Vec::new();
    message::write_error(&mut text, b"null", &unserved(method, was_served));
    text.into()
}

fn received(status: StatusCode, body: Result<Bytes, BodyFault>) -> Received {
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = status;
    Received {
        head,
        body,
        ended: Instant::now(),
    }
}
