//! What carries messages. A transport cuts one message out of what it receives and never looks into
//! it; only dispatch does.

#[cfg(feature = "http")]
pub(crate) mod http;
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) mod memory;
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) mod socket;
#[cfg(feature = "stdio")]
pub(crate) mod stdio;
#[cfg(all(
    any(feature = "tcp", feature = "unix", feature = "stdio"),
    any(feature = "client", feature = "server")
))]
pub(crate) mod stream;
#[cfg(all(any(feature = "tcp", feature = "ws"), feature = "client"))]
pub(crate) mod tcp;
#[cfg(all(feature = "tls", any(feature = "client", feature = "server")))]
pub(crate) mod tls;
#[cfg(all(unix, feature = "unix", any(feature = "client", feature = "server")))]
pub(crate) mod unix;
#[cfg(all(feature = "ws", any(feature = "client", feature = "server")))]
pub(crate) mod ws;
