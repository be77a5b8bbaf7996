//! Stream of numbers for trying out subscriptions.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use antiphon::{Method, ParamInfo};
use futures_core::Stream;
use tokio::time::{Interval, interval};

/// Stream that counts from 1, with one number per interval.
struct Ticks {
    interval: Interval,
    told: u64,
    left: u64,
}

/// The method `ticks`.
pub(crate) fn method() -> Method {
    let ticks = |count: Option<u64>, milliseconds: Option<u64>| Ticks {
        // `interval` panics on a period of zero.
        interval: interval(Duration::from_millis(milliseconds.unwrap_or(1000).max(1))),
        told: 0,
        left: count.unwrap_or(u64::MAX),
    };
    Method::function("ticks", ticks)
        .params([
            ParamInfo::optional("count")
                .typed::<u64>()
                .doc("The last number; for ever if it is not given."),
            ParamInfo::optional("milliseconds")
                .typed::<u64>()
                .doc("From one number to the next: 1000 if it is not given."),
        ])
        .returns::<u64>()
        .doc("Counts from 1, once a second or as often as is asked for, to `count` or for ever.")
}

impl Stream for Ticks {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        ready!(self.interval.poll_tick(cx));
        self.left -= 1;
        self.told += 1;
        Poll::Ready(Some(self.told))
    }
}
