//! Method that returns a stream: a clock, read as an event stream.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example event_stream
//! $ curl -N http://127.0.0.1:8060 -H 'Content-Type: application/json' \
//!     -H 'Accept: text/event-stream' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"clock","params":[1000]}'
//! ```
//!
//! The first event is the response, with the id of the subscription. The next events are the time.
//! When curl stops, the stream is dropped. When the server stops, it sends a last event with the
//! reason.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use antiphon::{Method, Overflow, Router, Server};
use futures_util::stream::{Stream, unfold};
use tokio::time::interval;

/// Seconds since 1970, repeated at an interval in milliseconds.
fn clock(ms: u64) -> impl Stream<Item = f64> {
    let ticks = interval(Duration::from_millis(ms.max(10)));
    unfold(ticks, |mut ticks| async {
        ticks.tick().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Some((now.unwrap_or_default().as_secs_f64(), ticks))
    })
}

fn main() -> ExitCode {
    // A slow reader needs the current time, not old ones.
    let clock = Method::function("clock", clock).overflow(Overflow::LatestOnly);
    Server::new(Router::new().method(clock)).start()
}
