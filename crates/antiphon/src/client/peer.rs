//! Client of the peer: calls back the caller of a method over its session.

use std::sync::Arc;

use antiphon_proto::{ErrorCode, ErrorObject};

use super::call_options::CallOptions;
use super::handle::Client;
use super::session_source::SessionSource;
use super::shared::{Scope, Shared};
use super::transport::ClientTransport;
use crate::context::Context;
use crate::session_state::SessionHandle;

impl Context {
    /// Returns a client that calls the caller of this method. This needs a session, on which both
    /// sides may call.
    ///
    /// It is a [`Client`] like any other. It may be kept after the response, and works until the
    /// connection ends. Calls through it inherit the deadline of this method's call.
    ///
    /// # Errors
    ///
    /// Error −32004 if the call did not come over a session. Over HTTP, the caller can be called on a route
    /// that is [two-way](crate::Route::two_way) only, and for clients of the Model Context Protocol.
    ///
    /// ```
    /// use antiphon::{Context, ErrorObject, Router, call};
    ///
    /// async fn greet(ctx: Context) -> Result<String, ErrorObject> {
    ///     let peer = ctx.peer()?;
    ///     let name: String = call!(peer.name()).await?;
    ///     Ok(format!("good evening, {name}"))
    /// }
    ///
    /// let router = Router::new().method_fn("greet", greet);
    /// ```
    pub fn peer(&self) -> Result<Client, ErrorObject> {
        let handle = self
            .origin
            .session
            .as_ref()
            .filter(|handle| handle.can_be_called());
        let handle = handle.ok_or_else(|| ErrorObject::of(ErrorCode::NEEDS_SESSION))?;
        Ok(over(handle.clone(), "the caller"))
    }
}

/// A client that calls the peer of a session. `place` is its name in errors.
pub(crate) fn over(handle: SessionHandle, place: &str) -> Client {
    let ids = handle.clone();
    let shared = Shared {
        place: place.to_owned(),
        transport: ClientTransport::Session(SessionSource::Peer(handle)),
        calls: CallOptions {
            next_id: Box::new(move || ids.next_id()),
            ..CallOptions::default()
        },
        upstreams: Vec::new(),
    };
    Client {
        scope: Scope {
            shared: Arc::new(shared),
            prefix: None,
        },
    }
}
