//! Answer to one request.
//!
//! [`HttpService::answer`] checks a request in this order: framing, host and origin, caller, path,
//! method, media types. The body is read only when all checks have passed (`answer_call.rs`). Subscriptions by GET have
//! checks of their own in place of the last three.

use http::request::Parts;
use http::{Request, Response};
use http_body::Body as HttpBody;

use crate::describe::{Access, Reader};
use crate::identity::Identification;
use crate::memory_budget::Exhausted;
use crate::router::BoxError;
use crate::transport::http::answer_call::{HttpCall, ResponseFuture, now};
use crate::transport::http::body::Body;
use crate::transport::http::caller::Caller;
use crate::transport::http::event_source;
use crate::transport::http::headers::{Fields, Occurrence};
use crate::transport::http::host_check::{Admission, check_form};
use crate::transport::http::identify::identify;
use crate::transport::http::pages;
use crate::transport::http::refusal::Refusal;
use crate::transport::http::reply;
use crate::transport::http::request_body;
use crate::transport::http::request_check::{
    Accepted, CallHead, accept, check_framing, check_no_body,
};
use crate::transport::http::resource::{self, Challenge};
use crate::transport::http::room::{exhausted, has_many};
use crate::transport::http::service::HttpService;
use crate::transport::http::two_way_call;
use crate::transport::http::upgrade::{self, Handshake, UpgradeContext};

impl HttpService {
    /// The response to a request of this caller.
    pub(crate) fn answer<'a, B>(
        &'a self,
        request: Request<B>,
        caller: &'a Caller,
    ) -> ResponseFuture<'a>
    where
        B: HttpBody + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let is_asked = !self.0.config.authenticators.is_empty();
        if is_asked || pages::is_get(&head) || upgrade::requested(&head).is_some() {
            return Box::pin(self.answer_in_steps(head, body, caller));
        }
        let fields = Fields::of(&head.headers);
        let admission = match self.admit(&head, &fields, caller.named) {
            Ok(admission) => admission,
            Err(refusal) => return now(refusal.into_response()),
        };
        let accepted = accept(&self.0.routes, &head, &fields, &admission);
        let call = CallHead::new(&fields, caller, self.is_admin(&fields));
        self.begin(
            accepted,
            call,
            admission,
            Identification::Unasked,
            head,
            body,
        )
    }

    /// The response to a request that may be something else than a call, or whose caller is asked who
    /// it is.
    async fn answer_in_steps<B>(&self, mut head: Parts, body: B, caller: &Caller) -> Response<Body>
    where
        B: HttpBody + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let pages = self.0.pages.as_deref();
        let pages = pages.filter(|_| pages::is_get(&head));
        // A client of the Model Context Protocol gets nothing by GET, and is told so.
        let is_mcp = self.0.routes.speak_mcp(head.uri.path());
        let mut fields = Fields::of(&head.headers);
        let memory = &caller.connection.memory;
        let health = pages.and_then(|pages| pages::health(pages, &head, memory));
        let named = caller.named && health.is_none();
        let admission = match (self.admit(&head, &fields, named), health) {
            (Err(refusal), _) => return refusal.into_response(),
            (Ok(_), Some(health)) => return page_or_refusal(health),
            (Ok(admission), None) => admission,
        };
        let local = caller.local && !fields.forwarded;
        let admin = self.is_admin(&fields);
        let mut identification = Identification::Unasked;
        let authenticators = &self.0.config.authenticators;
        if let Some(document) = resource::document(&head, &self.0.routes, authenticators) {
            return reply::share(document, admission.cors);
        }
        if !authenticators.is_empty() && !admin {
            let many = has_many(&head, memory);
            let held = request_body::hold_head(fields.bytes, many, memory);
            if let Err(refusal) = held {
                return refusal.into_response();
            }
            let direct = !fields.forwarded;
            let audit = self.0.routes.audit_log();
            let identifying = identify(authenticators, audit, caller, direct, &mut head);
            let identified = Box::pin(identifying).await;
            identification = match identified {
                Ok(identification) => identification,
                Err(response) => {
                    let challenge = Challenge::of(&head, authenticators).filter(|_| is_mcp);
                    let response = match challenge {
                        Some(challenge) => challenge.add_to(response),
                        None => response,
                    };
                    return reply::share(response, admission.cors);
                }
            };
            fields = Fields::of(&head.headers);
        }
        if let Some(handshake) = upgrade::requested(&head) {
            if let Err(refusal) =
                check_no_body(&fields, "a request that opens a WebSocket has no body")
            {
                return refusal.into_response();
            }
            let rights = Rights {
                local,
                admin,
                identification,
            };
            return self.upgrade(head, handshake, caller, rights);
        }
        if !is_mcp
            && event_source::is_requested(&head, &fields)
            && let Ok(route) = self.0.routes.find(head.uri.path())
        {
            let response = match event_source::check(&fields) {
                Ok(()) => {
                    let call = CallHead::new(&fields, caller, admin);
                    let limits = &self.0.config.connection;
                    event_source::answer(head, route, call, identification, limits).await
                }
                Err(refusal) => refusal.into_response(),
            };
            return reply::share(response, admission.cors);
        }
        if let Some(pages) = pages.filter(|_| !is_mcp) {
            let reader = Reader::from(Access::of(local, admin));
            let reader = match identification.is_anonymous() {
                true => reader.anonymous(),
                false => reader,
            };
            let page = pages::page(pages, &self.0.routes, &head, &fields, reader, memory);
            if let Some(page) = page.await {
                return page_or_refusal(page);
            }
        }
        let accepted = accept(&self.0.routes, &head, &fields, &admission);
        let call = CallHead::new(&fields, caller, admin);
        self.begin(accepted, call, admission, identification, head, body)
            .await
    }

    /// Checks framing, host and origin. Callers that name no host are not checked for it.
    fn admit(&self, head: &Parts, fields: &Fields<'_>, named: bool) -> Result<Admission, Refusal> {
        check_framing(head, fields)?;
        match named {
            true => self.0.guard.check(fields, &head.uri),
            false => check_form(fields, &head.uri).map(|()| Admission { cors: None }),
        }
    }

    /// Begins a call, or answers what does not become one.
    fn begin<'a, B>(
        &'a self,
        accepted: Result<Accepted<'a>, Refusal>,
        call: CallHead<'a>,
        admission: Admission,
        identification: Identification,
        head: Parts,
        body: B,
    ) -> ResponseFuture<'a>
    where
        B: HttpBody + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let cors = admission.cors;
        let response = match accepted {
            Ok(Accepted::Call(route, form)) => {
                let call = HttpCall {
                    limits: &self.0.body,
                    connection_limits: &self.0.config.connection,
                    route,
                    form,
                    call,
                    identification,
                    cors,
                };
                if !route.is_two_way() {
                    return call.answer(head, body);
                }
                let challenge = Challenge::of(&head, &self.0.config.authenticators);
                let challenge = challenge.filter(|_| route.dispatcher.speaks_mcp());
                let answering = two_way_call::answer(call, head, body);
                return match challenge {
                    Some(challenge) => Box::pin(async { challenge.add_to(answering.await) }),
                    None => answering,
                };
            }
            Ok(Accepted::Preflight) => reply::preflight(),
            Ok(Accepted::Options) => reply::options(),
            Err(refusal) => refusal.into_response(),
        };
        now(reply::share(response, cors))
    }

    /// Whether the caller has presented the admin token.
    fn is_admin(&self, fields: &Fields<'_>) -> bool {
        if let (Some(token), Occurrence::Once(shown)) = (&self.0.admin, fields.authorization) {
            return token.is_shown_by(shown.as_bytes());
        }
        false
    }

    /// Answers a WebSocket handshake.
    fn upgrade(
        &self,
        head: Parts,
        handshake: Handshake,
        caller: &Caller,
        rights: Rights,
    ) -> Response<Body> {
        let route = match self.0.routes.find(head.uri.path()) {
            Ok(route) => route,
            Err(refusal) => return refusal.into_response(),
        };
        let context = UpgradeContext {
            dispatcher: &route.dispatcher,
            peer: caller.connection.peer,
            client: caller.client(&head.headers),
            slot: caller.slot.as_ref(),
            local: rights.local,
            admin: rights.admin,
            identification: rights.identification,
            config: &self.0.config,
            accounts: &self.0.accounts,
            max_message: self.0.body.max,
        };
        upgrade::respond(head, handshake, &context)
    }
}

/// What the caller of a request may do.
struct Rights {
    local: bool,
    admin: bool,
    identification: Identification,
}

fn page_or_refusal(page: Result<Response<Body>, Exhausted>) -> Response<Body> {
    page.unwrap_or_else(|error| exhausted(error).into_response())
}
