//! Answer to a call whose method may call its caller back, as in the Model Context Protocol.
//!
//! It differs from that to any other call: the body may be a response, and what a method tells its
//! caller, or asks it, goes before the result, on an event stream. Such a stream begins when there is
//! something to say; a call that says nothing before its result is answered as JSON.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use antiphon_proto::ErrorCode;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body as HttpBody;

use crate::call_origin::Origin;
use crate::dispatch::{Answered, Begun, Calls, Denied, Heard, Work, hear};
use crate::identity::Identification;
use crate::memory_budget::Reservation;
use crate::router::BoxError;
use crate::session_state::{ConnectionLimits, SessionHandle};
use crate::transport::http::answer_call::{HttpCall, ResponseFuture, now, origin_of};
use crate::transport::http::body::Body;
use crate::transport::http::body_framing::BodyFraming;
use crate::transport::http::events::{self, EventReader, Events};
use crate::transport::http::open_calls::Unanswered;
use crate::transport::http::refusal::Refusal;
use crate::transport::http::reply;
use crate::transport::http::request_body;
use crate::transport::http::room::{exhausted, has_many};

/// Tells proxies to pass on each event at once.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// A call after its first poll.
enum Outcome {
    Answered(Answered),
    /// There is something to say before its answer, which may be there already.
    Says(Result<Answered, Work>),
}

/// Reads the body, and answers the message in it.
pub(super) fn answer<'a, B>(call: HttpCall<'a>, head: Parts, body: B) -> ResponseFuture<'a>
where
    B: HttpBody + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let memory = &call.call.connection.memory;
    let many = has_many(&head, memory);
    let line = head.uri.path().len() + head.uri.query().map_or(0, str::len);
    let held = match request_body::hold_head(line + call.call.bytes, many, memory) {
        Ok(held) => held,
        Err(refusal) => return now(reply::share(refusal.into_response(), call.cors)),
    };
    Box::pin(async move {
        let cors = call.cors.clone();
        let framing = BodyFraming::new(head.version, &body.size_hint(), call.call.wire);
        let memory = &call.call.connection.memory;
        let read = request_body::read(body, held, call.limits, framing, memory).await;
        let response = match read {
            Ok((message, held)) => call.respond(message, head, held, many).await,
            Err(refusal) => Err(refusal),
        };
        reply::share(response.unwrap_or_else(Refusal::into_response), cors)
    })
}

impl HttpCall<'_> {
    async fn respond(
        mut self,
        message: Bytes,
        head: Parts,
        held: Option<Reservation>,
        many: bool,
    ) -> Result<Response<Body>, Refusal> {
        let bytes = message.len();
        let heard = hear(&self.route.dispatcher, message).await;
        let identification = std::mem::replace(&mut self.identification, Identification::Unasked);
        match heard {
            Heard::Nothing(answered) => self.whole(answered, many),
            Heard::BadAnswer => Err(Refusal::bad_request("the response is not valid")),
            Heard::Answer(response) => {
                let is_known = (self.route.open_calls).answered(response, bytes, &identification);
                match is_known {
                    true => Ok(reply::empty(self.route.notification_status)),
                    false => Err(Refusal::bad_request("nobody has asked for this answer")),
                }
            }
            Heard::Calls(entry) => {
                let caller = identification.clone();
                let (origin, handle) = self.origin_and_session(head, identification);
                match self.begin(entry, origin, handle.as_ref(), many).await {
                    Outcome::Answered(answered) if answered.streams.is_empty() => {
                        self.whole(answered, many)
                    }
                    Outcome::Answered(answered) => self.subscribed(answered, handle),
                    Outcome::Says(rest) => match handle {
                        Some(handle) => Ok(self.stream(rest, handle, held, &caller)),
                        None => Err(Refusal::bad_request("nothing can follow this request")),
                    },
                }
            }
        }
    }

    fn origin_and_session(
        &self,
        head: Parts,
        identification: Identification,
    ) -> (Arc<Origin>, Option<SessionHandle>) {
        let mut origin = origin_of(self.route, &self.call, identification, head);
        let memory = &self.call.connection.memory;
        let limits = || {
            Arc::new(match self.route.dispatcher.speaks_mcp() {
                true => self.connection_limits.speaking_mcp(),
                false => ConnectionLimits {
                    unguessable_ids: true,
                    ..ConnectionLimits::clone(self.connection_limits)
                },
            })
        };
        let open = || SessionHandle::new(limits(), memory, false);
        let handle = self.form.events.then(open);
        origin.session.clone_from(&handle);
        (Arc::new(origin), handle)
    }

    /// Runs the call until it is answered, or has something to say before.
    async fn begin(
        &self,
        entry: Calls,
        origin: Arc<Origin>,
        handle: Option<&SessionHandle>,
        many: bool,
    ) -> Outcome {
        let memory = &self.call.connection.memory;
        let (mut entry, mut work) = (Some(entry), None);
        poll_fn(move |cx| {
            if many {
                ready!(memory.poll_room(cx));
            }
            if let Some(handle) = handle {
                handle.listen(cx.waker());
            }
            let answered = match (entry.take(), &mut work) {
                (Some(entry), _) => {
                    let dispatcher = &self.route.dispatcher;
                    match dispatcher.begin(entry, &origin, Vec::new(), None, cx) {
                        Begun::Answered(answered) => Some(answered),
                        Begun::Waiting(waiting) => {
                            work = Some(waiting);
                            None
                        }
                    }
                }
                (None, Some(work)) => match Pin::new(work).poll(cx) {
                    Poll::Ready(answered) => Some(answered),
                    Poll::Pending => None,
                },
                (None, None) => Some(Answered::default()),
            };
            let says = handle.is_some_and(SessionHandle::has_mail);
            match (answered, says) {
                (Some(answered), true) if answered.denied.is_none() => {
                    Poll::Ready(Outcome::Says(Ok(answered)))
                }
                (Some(answered), _) => Poll::Ready(Outcome::Answered(answered)),
                (None, true) => match work.take() {
                    Some(work) => Poll::Ready(Outcome::Says(Err(work))),
                    None => Poll::Pending,
                },
                (None, false) => Poll::Pending,
            }
        })
        .await
    }

    /// The response of a call that has nothing to say before.
    fn whole(mut self, answered: Answered, many: bool) -> Result<Response<Body>, Refusal> {
        let Answered {
            text, denied, code, ..
        } = answered;
        let Some(mut text) = text else {
            return Ok(reply::empty(self.route.notification_status));
        };
        if many {
            let memory = &self.call.connection.memory;
            text.hold_all(memory).map_err(exhausted)?;
        }
        // What is no request has a status that says so.
        let is_none = self.route.dispatcher.speaks_mcp()
            && matches!(
                code,
                Some(ErrorCode::PARSE_ERROR | ErrorCode::INVALID_REQUEST)
            );
        let bad = || {
            let (status, header) = (StatusCode::BAD_REQUEST, None);
            Box::new(Denied { status, header })
        };
        let denied = denied.or_else(|| is_none.then(bad));
        let whole = self.form.whole.take();
        Ok(match (whole, denied) {
            (Some(media_type), denied) => reply::answer(text, media_type, denied),
            // An error that is a status is JSON, whatever the client wants.
            (None, Some(denied)) => {
                let json = HeaderValue::from_static("application/json");
                reply::answer(text, json, Some(denied))
            }
            (None, None) => reply::events(Body::from(events::event(text, None))),
        })
    }

    /// The response of a call that has opened subscriptions at once.
    fn subscribed(
        &self,
        answered: Answered,
        handle: Option<SessionHandle>,
    ) -> Result<Response<Body>, Refusal> {
        let Some(handle) = handle else {
            return Err(Refusal::bad_request("nothing can follow this request"));
        };
        let (memory, stopping) = (&self.call.connection.memory, self.call.stopping);
        let Answered { text, streams, .. } = answered;
        let (text, reader) = (text.unwrap_or_default(), EventReader::Program);
        let events = Events::new(text, streams, handle, memory, stopping, reader);
        Ok(reply::events(Body::from(events)))
    }

    /// The response of a call that has something to say before its answer.
    fn stream(
        &self,
        rest: Result<Answered, Work>,
        handle: SessionHandle,
        held: Option<Reservation>,
        caller: &Identification,
    ) -> Response<Body> {
        let _entered = self.route.open_calls.enter(&handle, caller);
        let (answered, work) = match rest {
            Ok(answered) => (answered, None),
            Err(work) => (Answered::default(), Some(work)),
        };
        let Answered { text, streams, .. } = answered;
        let call = Unanswered {
            work,
            streams,
            _held: held,
            _entered,
        };
        let memory = &self.call.connection.memory;
        let events = Events::of_call(call, text, handle, memory, self.call.stopping);
        let mut response = reply::events(Body::from(events));
        response.headers_mut().extend([UNBUFFERED]);
        response
    }
}
