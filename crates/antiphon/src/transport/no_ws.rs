//! Stub of WebSockets for builds without feature `ws`: every attempt to open one fails.
//!
//! The types match those of `ws/`, so code that uses WebSockets needs no `cfg` of its own.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::session::{CloseReason, Traffic, Wire, WireError};

/// One end of a WebSocket; cannot be constructed.
pub(crate) struct WsWire<S>(Infallible, PhantomData<S>);

impl<S: Send + Unpin + 'static> Wire for WsWire<S> {
    fn poll_receive(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>> {
        match self.0 {}
    }

    fn send(&mut self, _: &mut Vec<u8>) {
        match self.0 {}
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn unwritten(&self) -> usize {
        match self.0 {}
    }

    fn traffic(&self) -> Traffic {
        match self.0 {}
    }

    fn is_partial(&self) -> bool {
        match self.0 {}
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: CloseReason) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

#[cfg(feature = "client")]
pub(crate) mod connect {
    use std::fmt;

    use http::{HeaderMap, StatusCode};

    use super::WsWire;

    /// The build has no WebSockets.
    #[derive(Debug)]
    pub(crate) struct ConnectError;

    impl ConnectError {
        /// Always `None`, since no request is sent.
        pub(crate) fn refusal(&self) -> Option<(StatusCode, &str)> {
            None
        }
    }

    impl fmt::Display for ConnectError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("this program was built without WebSockets (feature `ws` of antiphon)")
        }
    }

    impl std::error::Error for ConnectError {}

    /// Always fails.
    pub(crate) async fn handshake<S>(
        _: S,
        _: &str,
        _: &str,
        _: &HeaderMap,
        _: usize,
    ) -> Result<WsWire<S>, ConnectError> {
        Err(ConnectError)
    }
}
