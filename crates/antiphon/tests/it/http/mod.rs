//! The HTTP server over sockets.
