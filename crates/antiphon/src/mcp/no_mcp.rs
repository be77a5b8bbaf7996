//! Types without values, for builds without feature `mcp`: nothing speaks the Model Context Protocol.

use std::sync::Arc;

use antiphon_proto::{ErrorObject, Request as Message};
use http::StatusCode;
use serde::Serialize;

use crate::call::Reply;
use crate::call_future::CallFuture;
use crate::call_origin::Origin;
use crate::context::Context;
use crate::memory_budget::Account;
use crate::router::Router;

/// A service that cannot be made.
#[derive(Debug)]
pub(crate) enum Service {}

/// A server that cannot be made.
pub(crate) enum Mcp {}

impl Mcp {
    pub(crate) fn into_parts(self) -> (Option<Router>, Arc<Service>) {
        match self {}
    }
}

/// An exchange that cannot be made.
pub(crate) enum Exchange {}

/// A request that cannot be made.
#[derive(Debug)]
pub(crate) enum Request {}

/// What cannot begin.
pub(crate) enum Begun {
    Call {
        message: Message,
        exchange: Box<Exchange>,
        request: Arc<Request>,
    },
    Own {
        message: Message,
        exchange: Box<Exchange>,
        answer: CallFuture,
        is_endless: bool,
    },
}

impl Service {
    pub(crate) fn begin(&self, _message: Message, _origin: &Origin) -> Begun {
        match *self {}
    }
}

impl Exchange {
    pub(crate) fn status(&self, _error: &ErrorObject) -> Option<StatusCode> {
        match *self {}
    }

    pub(crate) fn shape(
        &self,
        _reply: Reply,
        _id: &[u8],
        _max: usize,
        _account: &Arc<Account>,
    ) -> Reply {
        match *self {}
    }
}

impl Context {
    pub(crate) fn mcp(&self) -> Option<&Request> {
        None
    }

    /// Nobody is told.
    pub(crate) async fn tell_client<T: Serialize + ?Sized + Sync>(&self, _value: &T) {}
}
