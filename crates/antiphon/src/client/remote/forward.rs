//! Forwarding of one call, notification or request to subscribe.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use antiphon_proto::{ErrorCode, Params};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::document::Documents;
use super::fault;
use super::items::ForwardedItems;
use crate::call::{Call, CallFuture, Reply};
use crate::client::call::{PendingCall, notify};
use crate::client::handle::Client;
use crate::client::subscription::PendingSubscription;
use crate::context::Context;
use crate::subscription::Items;
use crate::topic::Cursor;

/// How much progress of one call may wait for its caller. What comes then is left out.
const MAX_PROGRESS: usize = 16;

/// The longest progress that is passed on, in bytes.
const MAX_PROGRESS_BYTES: usize = 16 * 1024;

/// What forwards calls to another server.
pub(super) struct Forwarder {
    pub(super) client: Client,
    pub(super) documents: Arc<Documents>,
    /// Methods that open subscriptions, whether or not the server says so.
    pub(super) subscriptions: BTreeSet<String>,
    /// Whether only methods are forwarded that the server describes.
    pub(super) described_only: bool,
    /// Whether the client adds parameters to all calls.
    pub(super) adds_params: bool,
}

impl Forwarder {
    /// Answers a call of any name below the prefix of the router.
    pub(super) fn call(self: &Arc<Self>, call: Call) -> CallFuture {
        let context = call.context();
        let node = context.node();
        let Some(name) = call.method().strip_prefix(node.prefix()).map(str::to_owned) else {
            return CallFuture::ready(Reply::error(ErrorCode::METHOD_NOT_FOUND));
        };
        let this = Arc::clone(self);
        let ctx = context.clone();
        CallFuture::boxed(
            &context,
            async move { this.answer(&name, call, &ctx).await },
        )
    }

    async fn answer(&self, name: &str, call: Call, ctx: &Context) -> Reply {
        let known = match self.documents.known().await {
            Ok(known) => known,
            Err(error) => return Reply::error(error),
        };
        let told = known.as_ref().and_then(|known| known.get(name));
        if told.is_none() && self.described_only {
            return Reply::error(ErrorCode::METHOD_NOT_FOUND);
        }
        let ends = told.and_then(|told| told.unsubscribe.as_deref());
        let ends = ends.or(self
            .subscriptions
            .contains(name)
            .then_some("rpc.unsubscribe"));
        let params = self.params(call.params());
        match ends {
            Some(ends) if !call.is_notification() => self.subscribe(name, params, ends, call).await,
            _ if call.is_notification() => {
                let scope = &self.client.scope;
                let shared = Arc::clone(&scope.shared);
                if let Err(error) = notify(shared, scope.quoted_name(name), params).await {
                    tracing::debug!("a notification was not forwarded: {error}");
                }
                call.answer(Ok(()))
            }
            _ => self.ask(name, params, call, ctx).await,
        }
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

    /// Makes the call, and passes on what it tells of its progress meanwhile.
    async fn ask(
        &self,
        name: &str,
        params: Result<Option<String>, String>,
        mut call: Call,
        ctx: &Context,
    ) -> Reply {
        call.forget_params();
        let scope = &self.client.scope;
        let shared = Arc::clone(&scope.shared);
        let (tell, mut told) = mpsc::channel::<Box<RawValue>>(MAX_PROGRESS);
        let asked = PendingCall::<Box<RawValue>>::new(shared, scope.quoted_name(name), params);
        let asked = asked.on_progress(move |value: Box<RawValue>| {
            if value.get().len() <= MAX_PROGRESS_BYTES {
                // If the caller does not read, it is left out.
                let _ = tell.try_send(value);
            }
        });
        let mut answering = pin!(asked.into_future());
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
        call.answer(outcome.map_err(|error| fault::of(&error)))
    }

    /// Subscribes, and passes on the items.
    async fn subscribe(
        &self,
        name: &str,
        params: Result<Option<String>, String>,
        ends: &str,
        mut call: Call,
    ) -> Reply {
        if let Err(error) = call.may_stream() {
            return Reply::error(error);
        }
        let scope = &self.client.scope;
        if !scope.shared.has_sessions() {
            return Reply::error(ErrorCode::NEEDS_SESSION);
        }
        let shared = Arc::clone(&scope.shared);
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
