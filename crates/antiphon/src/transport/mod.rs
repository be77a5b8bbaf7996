//! What carries messages. A transport cuts one message out of what it receives and never looks into
//! it; only dispatch does.

#[cfg(feature = "http")]
pub(crate) mod http;
