//! Forwarding of one call, notification or request to subscribe.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use antiphon_proto::{ErrorCode, Params};
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::cache::Cache;
use super::document::Documents;
use super::fault;
use super::flights::{Flights, MAX_PROGRESS, MAX_PROGRESS_BYTES, Outcome, tell};
use super::items::ForwardedItems;
use super::pattern::{Pattern, conventional};
use super::watch::Watch;
use crate::call::{Call, Reply};
use crate::client::call::{PendingCall, notify};
use crate::client::handle::Client;
use crate::client::subscription::PendingSubscription;
use crate::context::Context;
use crate::current_call::CurrentCall;
use crate::describe::{Effects, RemoteMethod, RemoteMethods};
use crate::subscription::Items;
use crate::topic::Cursor;

/// Calls with more bytes in their names and parameters are forwarded by themselves: they are hardly
/// ever equal.
const MAX_KEY: usize = 64 * 1024;

/// The method that ends subscriptions at servers that do not say another one.
pub(super) const UNSUBSCRIBE: &str = "rpc.unsubscribe";

/// What forwards calls to another server.
pub(super) struct Forwarder {
    /// The name of the server for callers and in metrics; empty if it has none.
    pub(super) name: Box<str>,
    pub(super) client: Client,
    pub(super) documents: Arc<Documents>,
    pub(super) watch: Arc<Watch>,
    /// What the program says of methods, whether or not the server describes them.
    pub(super) declared: Declared,
    /// Whether only methods are forwarded that the server describes.
    pub(super) described_only: bool,
    /// Whether the client adds parameters to all calls.
    pub(super) adds_params: bool,
    /// Calls of methods that change nothing; `None` if each is forwarded by itself.
    pub(super) flights: Option<Flights>,
    pub(super) cache: Arc<Cache>,
    /// Whether the program is there to forward to this server.
    pub(super) is_all: bool,
}

/// What the program says of the methods of another server.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    /// Methods that open subscriptions, and those that end them.
    pub(super) subscriptions: Vec<(Pattern, Box<str>)>,
    pub(super) idempotent: Vec<Pattern>,
    pub(super) read_only: Vec<Pattern>,
    /// Methods that tell of their progress.
    pub(super) progress: Vec<Pattern>,
}

/// What is known of one method of another server.
pub(super) struct Known {
    /// The method that ends its subscriptions, if it opens some.
    pub(super) ends: Option<Box<str>>,
    pub(super) effects: Effects,
    /// Whether it is said to tell of its progress.
    pub(super) progress: bool,
}

impl Declared {
    /// What is known of a method that the server has described so, or not at all.
    pub(super) fn with(&self, name: &str, told: Option<&RemoteMethod>) -> Known {
        let own = self
            .subscriptions
            .iter()
            .find(|(pattern, _)| pattern.matches(name));
        let ends = match (own, told) {
            (Some((_, ends)), _) => Some(ends.clone()),
            (None, Some(told)) => told.unsubscribe.clone(),
            (None, None) => conventional(name).map(Into::into),
        };
        let has = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        let own = match (has(&self.read_only), has(&self.idempotent)) {
            (true, _) => Effects::ReadOnly,
            (false, true) => Effects::Idempotent,
            (false, false) => Effects::Any,
        };
        let effects = told.map_or(own, |told| told.effects.max(own));
        Known {
            ends,
            effects,
            progress: has(&self.progress),
        }
    }
}

impl Forwarder {
    /// Forwards a call of the method of this name there, of which the server has told this.
    pub(super) async fn answer(
        &self,
        name: &str,
        told: Option<&RemoteMethods>,
        call: Call,
        ctx: &Context,
    ) -> Reply {
        let told = told.and_then(|told| told.get(name));
        if told.is_none() && self.described_only {
            return Reply::error(ErrorCode::METHOD_NOT_FOUND);
        }
        if told.is_some_and(|told| told.access > call.origin.access()) {
            return Reply::error(ErrorCode::METHOD_NOT_FOUND);
        }
        let Known {
            ends,
            effects,
            progress,
        } = self.declared.with(name, told);
        // Through a broker, it takes a session with one server.
        let progress = progress || !self.client.scope.shared.uses_broker();
        if call.origin.only_streams && ends.is_none() {
            // Any page can make a browser ask so.
            return Reply::error(ErrorCode::METHOD_NOT_FOUND);
        }
        match ends {
            Some(ends) if !call.is_notification() => self.subscribe(name, &ends, call).await,
            // The server would let all later calls of the session wait for it, and gateways have one for all
            // callers. So it is a call whose answer nobody gets.
            _ if call.is_notification() && told.is_some() => {
                let asked = self.pending(name, effects, call.params());
                if let Err(error) = asked.raw().await {
                    tracing::debug!("a notification was not forwarded: {error}");
                }
                call.answer(Ok(()))
            }
            _ if call.is_notification() => {
                let scope = &self.client.scope;
                let shared = Arc::clone(&scope.shared);
                let params = self.params(call.params());
                if let Err(error) = notify(shared, scope.quoted_name(name), params).await {
                    tracing::debug!("a notification was not forwarded: {error}");
                }
                call.answer(Ok(()))
            }
            _ if effects == Effects::ReadOnly => self.read(name, call, ctx, progress).await,
            _ => {
                let asked = self.pending(name, effects, call.params());
                self.forward(asked, call, ctx, progress).await
            }
        }
    }

    /// Answers a call with what the other server answers to it.
    async fn forward(
        &self,
        asked: PendingCall<Box<RawValue>>,
        mut call: Call,
        ctx: &Context,
        progress: bool,
    ) -> Reply {
        call.forget_params();
        call.answer_raw(ask(asked, ctx, progress).await)
    }

    /// The parameters as they came, with what the client adds to all calls.
    fn params(&self, text: Option<&str>) -> Result<Option<String>, String> {
        match self.adds_params {
            false => Ok(text.map(str::to_owned)),
            true => {
                let params = text.map_or_else(Params::none, Params::from_json);
                self.client.scope.params(params)
            }
        }
    }

    fn pending(
        &self,
        name: &str,
        effects: Effects,
        params: Option<&str>,
    ) -> PendingCall<Box<RawValue>> {
        let scope = &self.client.scope;
        let shared = Arc::clone(&scope.shared);
        let asked = PendingCall::new(shared, scope.quoted_name(name), self.params(params));
        match effects >= Effects::Idempotent {
            true => asked.idempotent(),
            false => asked,
        }
    }

    /// Answers a call that changes nothing: from the cache, together with an equal one, or by itself.
    async fn read(&self, name: &str, mut call: Call, ctx: &Context, progress: bool) -> Reply {
        let effects = Effects::ReadOnly;
        let time = self.cache.time_of(name);
        // What depends on the caller is nobody else's.
        let is_own = self.client.scope.shared.forwards_identity();
        let length = name.len() + call.params().map_or(0, str::len);
        if is_own || length > MAX_KEY || (self.flights.is_none() && time.is_none()) {
            let asked = self.pending(name, effects, call.params());
            return self.forward(asked, call, ctx, progress).await;
        }
        let key = key(name, call.params());
        if time.is_some()
            && let Some(result) = self.cache.get(&key)
        {
            return call.answer_raw(Ok(result));
        }
        let keep = {
            let (cache, key) = (Arc::clone(&self.cache), Arc::clone(&key));
            move |outcome: &Outcome| {
                if let (Some(time), Ok(result)) = (time, outcome) {
                    cache.keep(key, result, time);
                }
            }
        };
        let shared = self.flights.as_ref();
        // A call that is shared runs in a task of its own.
        let Some(flights) = shared.filter(|_| Handle::try_current().is_ok()) else {
            let asked = self.pending(name, effects, call.params());
            call.forget_params();
            let outcome = ask(asked, ctx, progress).await;
            keep(&outcome);
            return call.answer_raw(outcome);
        };
        let passenger = flights.join(key, |teller| {
            // The deadline of one caller is not that of the others.
            let mut current = CurrentCall {
                deadline: None,
                ..ctx.current.clone()
            };
            let asked = current.enter(|| self.pending(name, effects, call.params()));
            let asked = match progress {
                true => asked.on_progress(move |value| tell(&teller, value)),
                false => asked,
            };
            let asked = asked.raw();
            async move {
                let outcome = asked.await.map_err(|error| fault::of(&error));
                keep(&outcome);
                outcome
            }
        });
        call.forget_params();
        call.answer_raw(passenger.outcome(ctx).await)
    }

    /// Subscribes, and passes on the items.
    async fn subscribe(&self, name: &str, ends: &str, mut call: Call) -> Reply {
        if let Err(error) = call.may_stream() {
            return Reply::error(error);
        }
        let scope = &self.client.scope;
        if !scope.shared.has_sessions() {
            return Reply::error(ErrorCode::NEEDS_SESSION);
        }
        let shared = Arc::clone(&scope.shared);
        let params = self.params(call.params());
        let asked = PendingSubscription::<Box<RawValue>>::new(shared, scope.name(name), params);
        let asked = asked
            .unsubscribe_method(ends)
            .after(call.after().map(Cursor::from));
        call.forget_params();
        match asked.await {
            Ok(subscription) => {
                let items = ForwardedItems::new(subscription);
                call.subscribe(Items::Stream(Box::pin(items)))
            }
            Err(error) => Reply::error(fault::of(&error)),
        }
    }
}

/// Makes a call, and passes on what it tells of its progress meanwhile, if it may.
async fn ask(asked: PendingCall<Box<RawValue>>, ctx: &Context, progress: bool) -> Outcome {
    if !progress {
        return asked.raw().await.map_err(|error| fault::of(&error));
    }
    let (tell, mut told) = mpsc::channel::<Box<RawValue>>(MAX_PROGRESS);
    let asked = asked.on_progress(move |value: Box<RawValue>| {
        if value.get().len() <= MAX_PROGRESS_BYTES {
            // If the caller does not read, it is left out.
            let _ = tell.try_send(value);
        }
    });
    let mut answering = pin!(asked.raw());
    let outcome = loop {
        let next = poll_fn(|cx| {
            let answered = match answering.as_mut().poll(cx) {
                Poll::Ready(outcome) => return Poll::Ready(Ok(outcome)),
                Poll::Pending => told.poll_recv(cx),
            };
            match answered {
                Poll::Ready(Some(value)) => Poll::Ready(Err(value)),
                _ => Poll::Pending,
            }
        });
        match next.await {
            Ok(outcome) => break outcome,
            Err(value) => ctx.progress(&*value).await,
        }
    };
    // What was told before the answer is passed on before it.
    while let Ok(value) = told.try_recv() {
        ctx.progress(&*value).await;
    }
    outcome.map_err(|error| fault::of(&error))
}

/// What tells equal calls from others: the name of the method there and the text of the parameters.
fn key(name: &str, params: Option<&str>) -> Arc<[u8]> {
    let params = params.unwrap_or_default();
    let mut key = Vec::with_capacity(name.len() + 1 + params.len());
    key.extend_from_slice(name.as_bytes());
    // No name has it.
    key.push(0);
    key.extend_from_slice(params.as_bytes());
    key.into()
}
