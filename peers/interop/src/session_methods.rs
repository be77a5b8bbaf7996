//! Methods of the `antiphon` server for sessions: streams, calls that wait, and methods that call
//! the caller.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use antiphon::{Context, ErrorCode, ErrorObject, Method, Router, call, rpc_method};
use futures_core::Stream;
use serde_json::Value;

use crate::Seen;
use crate::tally::Guard;

/// A stream that yields its items and then behaves as [`End`] says.
pub struct Items<T> {
    left: VecDeque<T>,
    end: End,
    _gone: Guard,
}

/// How a stream behaves after its last item.
#[derive(Clone, Copy)]
enum End {
    Complete,
    Error,
    Never,
}

impl<T> Items<T> {
    fn new(seen: &Seen, items: impl IntoIterator<Item = T>, end: End) -> Self {
        seen.begun.add();
        Self {
            left: items.into_iter().collect(),
            end,
            _gone: seen.gone.guard(),
        }
    }
}

impl<T: Unpin> Stream for Items<T> {
    type Item = Result<T, ErrorObject>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        match (self.left.pop_front(), self.end) {
            (Some(item), _) => Poll::Ready(Some(Ok(item))),
            (None, End::Complete) => Poll::Ready(None),
            (None, End::Error) => {
                Poll::Ready(Some(Err(ErrorObject::new(9, "no more").with_data(&"dry"))))
            }
            (None, End::Never) => Poll::Pending,
        }
    }
}

/// The methods. They count calls and streams in `seen`.
#[must_use]
pub fn router(seen: &Seen) -> Router {
    // Every stream of numbers has its own notification, its own unsubscribe method and its own end.
    let numbers = |name: &str, end| {
        let seen = seen.clone();
        let numbers = move |last: u64| Items::new(&seen, 1..=last, end);
        Method::function(name, numbers)
            .notification(format!("{name}_item"))
            .unsubscribe(format!("{name}_stop"))
    };
    let (held, heads) = (seen.clone(), seen.clone());
    Router::new()
        .method(numbers("plain", End::Never).plain())
        .method(numbers("plain_ending", End::Complete).plain())
        .method(numbers("plain_failing", End::Error).plain())
        .method(numbers("full", End::Never))
        .method(numbers("full_ending", End::Complete))
        .method(numbers("full_failing", End::Error))
        .method_fn("hold", move || hold(held.clone()))
        .merge(Router::of(Ethereum(heads)))
        .method(twice)
        .method(relay)
        .method(report)
        .method(report_to)
        .method(tell_all)
}

/// Waits until it is cancelled.
async fn hold(seen: Seen) {
    let _gone = seen.gone.guard();
    seen.begun.add();
    pending().await
}

/// Subscriptions in the style of Ethereum nodes: one method whose first parameter selects the
/// topic.
struct Ethereum(Seen);

#[antiphon::rpc]
impl Ethereum {
    #[method(
        name = "eth_subscribe",
        plain,
        notification = "eth_subscription",
        unsubscribe = "eth_unsubscribe"
    )]
    fn rpc_subscribe(
        &self,
        kind: String,
        filter: Option<Value>,
    ) -> Result<impl Stream<Item = Result<Value, ErrorObject>> + use<>, ErrorObject> {
        let items: Vec<Value> = match (kind.as_str(), filter) {
            ("newHeads", None) => ["0x1", "0x2"]
                .map(|number| serde_json::json!({ "number": number }))
                .into(),
            ("logs", Some(filter)) => vec![filter],
            _ => return Err(ErrorObject::new(-32602, "no such subscription")),
        };
        Ok(Items::new(&self.0, items, End::Never))
    }
}

/// Calls back twice.
#[rpc_method]
async fn twice(ctx: Context, n: u64) -> Result<u64, ErrorObject> {
    let peer = ctx.peer()?;
    let once: u64 = call!(peer.double(n)).await?;
    Ok(call!(peer.double(once)).await?)
}

/// Calls any method of the caller and returns the result or the error.
#[rpc_method]
async fn relay(ctx: Context, method: String, params: Vec<Value>) -> Result<Value, ErrorObject> {
    let called = ctx.peer()?.call::<Value>(&method, params).await;
    called.map_err(|error| {
        let code = error.code().unwrap_or(ErrorCode::INTERNAL_ERROR);
        ErrorObject::new(code.0, error.to_string())
    })
}

/// Reports progress under the id of the call.
#[rpc_method]
async fn report(ctx: Context, steps: u32) -> u32 {
    for step in 1..=steps {
        ctx.progress(&step).await;
    }
    steps
}

/// Reports progress under a token chosen by the caller, as editors do.
#[rpc_method]
async fn report_to(ctx: Context, token: Value, steps: u32) -> Result<u32, ErrorObject> {
    let peer = ctx.peer()?;
    for step in 1..=steps {
        let params = antiphon::Params::none()
            .insert("token", &token)
            .insert("value", step);
        peer.notify("$/progress", params).await?;
    }
    Ok(steps)
}

/// Sends `count` notifications in order.
#[rpc_method]
async fn tell_all(ctx: Context, count: u32) -> Result<u32, ErrorObject> {
    let peer = ctx.peer()?;
    for n in 1..=count {
        peer.notify("heard", (n,)).await?;
    }
    Ok(count)
}
