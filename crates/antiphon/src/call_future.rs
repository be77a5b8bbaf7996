//! Reply of a method, now or later.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antiphon_proto::ErrorCode;
use pin_project_lite::pin_project;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::call::Reply;
use crate::context::{CancelOnDrop, Context as CallContext};
use crate::current_call::{HeldPlace, Scoped};
use crate::error::{IncidentScope, guard, internal_error};
use crate::memory_budget::may_block;
use crate::metrics::places::PlaceLimits;

/// The answer, now or later.
///
/// What is ready at once is neither boxed nor timed nor counted; only what has to wait is.
pub struct CallFuture(pub(crate) Work);

pub(crate) enum Work {
    Ready(Option<Reply>),
    Later(Pin<Box<dyn Future<Output = Reply> + Send>>),
}

impl CallFuture {
    /// Creates a future of a reply that is known already.
    #[must_use]
    pub fn ready(reply: Reply) -> Self {
        Self(Work::Ready(Some(reply)))
    }

    /// A future without a reply, which is answered with an error.
    pub(crate) fn lost() -> Self {
        Self(Work::Ready(None))
    }

    /// Creates a future from a future of the reply. Clients that are used in it inherit the
    /// deadline and trace context of `ctx`, and its caller if they
    /// [forward](crate::client::ClientBuilder::forward_identity) it.
    pub fn boxed(ctx: &CallContext, future: impl Future<Output = Reply> + Send + 'static) -> Self {
        let unanswered = CancelOnDrop::new(ctx);
        Self(Work::Later(Box::pin(Answering {
            work: ctx.current.clone().scope(future),
            unanswered,
        })))
    }

    /// Creates a future that runs a closure on a thread where it may block.
    ///
    /// If the caller stops waiting before a thread is free, the closure does not run. Later it runs
    /// to its end all the same, and until then the call counts as in flight. If no place is free,
    /// the closure does not run, and the reply is error −32000.
    pub fn blocking(ctx: &CallContext, work: impl FnOnce() -> Reply + Send + 'static) -> Self {
        let mut current = ctx.current.clone();
        let (origin, method) = (Arc::clone(&ctx.origin), ctx.method);
        // A call that holds a place already goes on in this one, which stays until the thread is
        // free, even if nobody waits any more. Dispatch then gives the first one back.
        let limits = match HeldPlace::get() {
            HeldPlace::Yes => PlaceLimits::NONE,
            HeldPlace::No | HeldPlace::Elsewhere => ctx.places,
        };
        let shares = origin.shares();
        let Some(permit) = origin.common.counters.enter(method, limits, shares) else {
            return Self::ready(Reply::error(ErrorCode::OVERLOADED));
        };
        HeldPlace::Elsewhere.replace();
        let abandoned = ctx.cancellation();
        let mut unanswered = CancelOnDrop::new(ctx);
        Self(Work::Later(Box::pin(async move {
            let work = move || {
                let _permit = permit;
                let scope = IncidentScope::enter();
                let deadline = current.deadline.map(Instant::into_std);
                let reply = guard("a blocking method panicked", || {
                    current.enter(|| may_block(deadline, abandoned, work))
                });
                scope.log(|| origin.named(method));
                reply.unwrap_or_else(Reply::error)
            };
            let done = AbortOnDropHandle::new(spawn_blocking(work)).await;
            unanswered.answered();
            // It fails only if the runtime shuts down before the closure has begun.
            done.unwrap_or_else(|_| Reply::error(internal_error(&"a blocking method did not run")))
        })))
    }
}

pin_project! {
    /// A future of a reply, with what cancels the call if that is dropped before. An `async` block would have
    /// room for the work twice.
    struct Answering<F> {
        #[pin]
        work: Scoped<F>,
        unanswered: CancelOnDrop,
    }
}

impl<F: Future<Output = Reply>> Future for Answering<F> {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let this = self.project();
        let reply = ready!(this.work.poll(cx));
        this.unanswered.answered();
        Poll::Ready(reply)
    }
}

impl Future for CallFuture {
    type Output = Result<Reply, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Reply, Infallible>> {
        let reply = match &mut self.0 {
            Work::Ready(reply) => reply
                .take()
                .unwrap_or_else(|| Reply::error(internal_error(&"an answer was asked for twice"))),
            Work::Later(future) => ready!(future.as_mut().poll(cx)),
        };
        Poll::Ready(Ok(reply))
    }
}

impl fmt::Debug for CallFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Work::Ready(_) => "CallFuture::Ready",
            Work::Later(_) => "CallFuture::Later",
        })
    }
}
