//! Policies for subscribers that do not keep up.

/// What happens to a subscription if its subscriber does not keep up.
///
/// A limited number of items is queued for each subscriber, in addition to what its connection is
/// already writing: by default 256 items or 1 MiB, as set by
/// [`SessionLimits::max_queued`](crate::SessionLimits::max_queued) and `max_queued_bytes`. The
/// policy applies when one more item does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The subscription ends after the queued items. Its last message has `"end":"lagged"`.
    #[default]
    Disconnect,
    /// The oldest queued item is dropped. The gap in `seq` tells how many are missing.
    DropOldest,
    /// The new item is dropped. The gap in `seq` tells how many are missing.
    DropNewest,
    /// Only the newest item is queued. The gap in `seq` tells how many are missing.
    LatestOnly,
    /// Only the newest item of each key of a [`Topic`](crate::Topic) is queued; beyond the limits the
    /// oldest item is dropped. A stream of a method has no keys: there it is as [`LatestOnly`](Self::LatestOnly).
    Conflate,
    /// Backpressure: the stream is not polled until there is room in the queue. A topic waits for
    /// nobody: there it is as [`Disconnect`](Self::Disconnect).
    Block,
}
