//! Answer to a call that has passed all checks of its head: its body, its dispatch, its response.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use http::Response;
use http::header::HeaderValue;
use http::request::Parts;
use http_body::Body as HttpBody;

use crate::call_origin::Origin;
use crate::dispatch::Answered;
use crate::identity::Identification;
use crate::router::BoxError;
use crate::session_state::{ConnectionLimits, SessionHandle};
use crate::transport::http::body::Body;
use crate::transport::http::body_framing::BodyFraming;
use crate::transport::http::events::{self, EventReader, Events};
use crate::transport::http::refusal::Refusal;
use crate::transport::http::reply;
use crate::transport::http::request_body::{self, BodyLimits};
use crate::transport::http::request_check::CallHead;
use crate::transport::http::room::{exhausted, has_many, with_room};
use crate::transport::http::route::{ResponseForm, Route};

/// The future of a response. It is boxed, because its memory then serves the requests of all
/// connections, and stays in the cache; hyper would keep it in the memory of its connection.
pub(crate) type ResponseFuture<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// A response that is there.
pub(super) fn now<'a>(response: Response<Body>) -> ResponseFuture<'a> {
    Box::pin(ready(response))
}

/// The origin of the calls of a request.
pub(super) fn origin_of(
    route: &Route,
    call: &CallHead<'_>,
    identification: Identification,
    head: Parts,
) -> Origin {
    let connection = Arc::clone(call.connection);
    let mut origin = route.dispatcher.origin(connection, call.local);
    call.describe(&mut origin);
    origin.identification = identification;
    origin.http = Some(head);
    origin
}

/// A call whose head has passed all checks. The future of its answer is copied once for each call, so it
/// holds everything once, and no more than the allocator hands out fast (1 KiB).
pub(super) struct HttpCall<'a> {
    pub(super) limits: &'a BodyLimits,
    pub(super) connection_limits: &'a Arc<ConnectionLimits>,
    pub(super) route: &'a Route,
    pub(super) form: ResponseForm,
    pub(super) call: CallHead<'a>,
    pub(super) identification: Identification,
    /// The origin that may read the response.
    pub(super) cors: Option<HeaderValue>,
}

impl<'a> HttpCall<'a> {
    /// Reads the body, and answers the message in it.
    pub(super) fn answer<B>(mut self, head: Parts, body: B) -> ResponseFuture<'a>
    where
        B: HttpBody + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let memory = &self.call.connection.memory;
        let many = has_many(&head, memory);
        let line = head.uri.path().len() + head.uri.query().map_or(0, str::len);
        let held = match request_body::hold_head(line + self.call.bytes, many, memory) {
            Ok(held) => held,
            Err(refusal) => return now(reply::share(refusal.into_response(), self.cors)),
        };
        Box::pin(async move {
            let framing = BodyFraming::new(head.version, &body.size_hint(), self.call.wire);
            let memory = &self.call.connection.memory;
            let read = request_body::read(body, held, self.limits, framing, memory).await;
            let response = match read {
                Ok((message, _held)) => {
                    let (origin, handle) = self.origin(head);
                    let (dispatcher, connection) = (&self.route.dispatcher, self.call.connection);
                    let answering = dispatcher.dispatch(message, origin, connection);
                    let answered = with_room(answering, many.then_some(&*connection.memory));
                    self.response(answered.await, handle, many)
                }
                Err(refusal) => Err(refusal),
            };
            reply::share(response.unwrap_or_else(Refusal::into_response), self.cors)
        })
    }

    /// The origin of the calls in the message. If they may open subscriptions, it has a session.
    fn origin(&mut self, head: Parts) -> (Arc<Origin>, Option<SessionHandle>) {
        let identification = std::mem::replace(&mut self.identification, Identification::Unasked);
        let mut origin = origin_of(self.route, &self.call, identification, head);
        let memory = &self.call.connection.memory;
        let limits = self.connection_limits;
        let open = || SessionHandle::new(Arc::clone(limits), memory, false);
        let handle = self.form.events.then(open);
        origin.session.clone_from(&handle);
        (Arc::new(origin), handle)
    }

    fn response(
        &mut self,
        answered: Answered,
        handle: Option<SessionHandle>,
        many: bool,
    ) -> Result<Response<Body>, Refusal> {
        let Answered {
            text,
            streams,
            denied,
            ..
        } = answered;
        let Some(mut text) = text else {
            return Ok(reply::empty(self.route.notification_status));
        };
        let memory = &self.call.connection.memory;
        if many {
            text.hold_all(memory).map_err(exhausted)?;
        }
        if let Some(handle) = handle
            && !streams.is_empty()
        {
            let (stopping, reader) = (self.call.stopping, EventReader::Program);
            let events = Events::new(text, streams, handle, memory, stopping, reader);
            return Ok(reply::events(Body::from(events)));
        }
        Ok(match self.form.whole.take() {
            Some(media_type) => reply::answer(text, media_type, denied),
            None => reply::events(Body::from(events::event(text, None))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;

    use super::Body;
    use crate::router::Router;

    /// The C library hands out memory of up to 1,032 bytes from a list for each size, and looks for a
    /// place for more.
    #[test]
    fn the_future_of_a_call_is_small() {
        let service = Router::new().into_service().unwrap();
        let request = Request::post("http://localhost/")
            .header("content-type", "application/json")
            .body(Body::default())
            .unwrap();
        let caller = Arc::clone(&service.0.unknown);
        let answering = service.answer(request, &caller);
        let size = size_of_val(&*answering);
        assert!((500..=1024).contains(&size), "{size}");
    }
}
