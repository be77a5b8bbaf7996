//! Limits of a session.

use std::time::Duration;

use crate::session_state::ConnectionLimits;

/// Limits of one session: a connection on which both sides may call. All are on by default. A server
/// does not start with limits or timeouts of 0, except where 0 has a meaning.
///
/// ```
/// use std::time::Duration;
/// use antiphon::Settings;
///
/// let mut settings = Settings::default();
/// settings.sessions.max_running = 32;
/// settings.sessions.ping_interval = Some(Duration::from_secs(60));
/// assert_eq!(settings.sessions.max_parked, 256);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionLimits {
    /// Calls of the peer that may be running at the same time. Default: 128.
    pub max_running: usize,
    /// Messages that may be queued behind the running calls. When the queue is full, reading
    /// pauses; only while a call to this peer is pending does reading go on, and further calls get
    /// −32000. Default: 256.
    pub max_parked: usize,
    /// Bytes of queued messages. Default: 256 KiB.
    pub max_parked_bytes: usize,
    /// Bytes that may be queued for writing. While there are more, nothing is read, and running
    /// methods and streams are not polled. Default: 4 MiB.
    pub max_unwritten: usize,
    /// Calls to the peer that may be pending; further calls wait until one is done. Default: 1024.
    pub max_calls: usize,
    /// Subscriptions that the peer may have; more get −32000, so 0 forbids them. Default: 1024.
    pub max_subscriptions: usize,
    /// Items that may be queued for one subscriber; see [`Overflow`](crate::Overflow). Default:
    /// 256.
    pub max_queued: usize,
    /// Bytes of queued items per subscriber. Default: 1 MiB.
    pub max_queued_bytes: usize,
    /// Silence after which a ping is sent on a WebSocket. Default: 20 s.
    pub ping_interval: Option<Duration>,
    /// How long a peer may stay silent after a ping. Default: 20 s.
    pub ping_timeout: Duration,
    /// Timeout of receiving a whole message, from its first byte. After 5 s it must also arrive at
    /// 1 KiB/s. Default: 30 s.
    pub message_timeout: Option<Duration>,
    /// Timeout of writing to a peer that does not read. One that reads less than 1 KiB/s uses it
    /// up, too. Default: 30 s.
    pub write_timeout: Option<Duration>,
    /// The notification that cancels a call. Default: `$/cancelRequest`, with the member `id` (or
    /// `requestId`, as in the Model Context Protocol).
    pub cancel_method: String,
}

impl Default for SessionLimits {
    fn default() -> Self {
        let limits = ConnectionLimits::default();
        Self {
            max_running: 128,
            max_parked: 256,
            max_parked_bytes: 256 * 1024,
            max_unwritten: limits.max_unwritten,
            max_calls: limits.max_calls,
            max_subscriptions: limits.max_subscriptions,
            max_queued: limits.max_queued,
            max_queued_bytes: limits.max_queued_bytes,
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Duration::from_secs(20),
            message_timeout: Some(Duration::from_secs(30)),
            write_timeout: Some(Duration::from_secs(30)),
            cancel_method: limits.cancel.to_string(),
        }
    }
}

impl SessionLimits {
    pub(crate) fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            max_unwritten: self.max_unwritten,
            max_calls: self.max_calls,
            max_subscriptions: self.max_subscriptions,
            max_queued: self.max_queued,
            max_queued_bytes: self.max_queued_bytes,
            cancel: self.cancel_method.as_str().into(),
            ..ConnectionLimits::default()
        }
    }
}
