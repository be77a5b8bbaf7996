//! Running call of this thread, for clients that are called inside of it.
//!
//! A client called in a method inherits the method's deadline and its place in a trace, and its caller
//! if it forwards identities. Nothing is passed by hand: while dispatch polls a method's future, the
//! call's limits lie here. So does the answer to whether it holds a place among the calls in flight.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::identity::Principal;

/// What a nested call inherits.
#[derive(Clone, Debug, Default)]
pub(crate) struct CurrentCall {
    pub(crate) deadline: Option<Instant>,
    pub(crate) traceparent: Option<Arc<str>>,
    pub(crate) tracestate: Option<Arc<str>>,
    /// The caller of the method; `None` where no method runs.
    pub(crate) caller: Option<Principal>,
}

thread_local! {
    static CURRENT: RefCell<Option<CurrentCall>> = const { RefCell::new(None) };
}

impl CurrentCall {
    /// What the running call passes on; nothing outside of one.
    pub(crate) fn get() -> Self {
        CURRENT.with_borrow(|current| current.clone().unwrap_or_default())
    }

    /// Whether there is nothing to inherit, because no method runs.
    pub(crate) fn is_none(&self) -> bool {
        self.caller.is_none()
            && self.deadline.is_none()
            && self.traceparent.is_none()
            && self.tracestate.is_none()
    }

    /// Runs `f` as part of this call, also if it panics. Meanwhile the call lies in the thread, and
    /// not here, so that nothing of it has to be cloned.
    pub(crate) fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        struct Restore<'a> {
            own: &'a mut CurrentCall,
            outer: Option<CurrentCall>,
        }
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                *self.own = CURRENT.replace(self.outer.take()).unwrap_or_default();
            }
        }
        let outer = CURRENT.replace(Some(std::mem::take(self)));
        let _restore = Restore { own: self, outer };
        f()
    }

    /// Runs `f` as part of no call, also if it panics.
    pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
        match CURRENT.with_borrow(Option::is_none) {
            true => f(),
            false => Self::default().enter(f),
        }
    }

    /// Runs a future as part of this call.
    pub(crate) fn scope<F: Future>(self, future: F) -> Scoped<F> {
        Scoped {
            current: self,
            future,
        }
    }
}

pin_project! {
    /// A future that runs as part of a call. An `async` block would have room for the inner future twice:
    /// where it is captured, and where it is polled.
    #[derive(Debug)]
    pub(crate) struct Scoped<F> {
        current: CurrentCall,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        this.current.enter(|| future.poll(cx))
    }
}

/// Whether the call that is polled on this thread holds a place among the calls in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeldPlace {
    No,
    Yes,
    /// It has gone to another thread, where it is counted by itself.
    Elsewhere,
}

thread_local! {
    static HELD: Cell<HeldPlace> = const { Cell::new(HeldPlace::No) };
}

impl HeldPlace {
    pub(crate) fn get() -> Self {
        HELD.get()
    }

    /// Sets it, and returns what it was for the call around this one.
    pub(crate) fn replace(self) -> Self {
        HELD.replace(self)
    }
}
