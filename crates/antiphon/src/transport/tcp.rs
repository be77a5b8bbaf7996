//! TCP connections of clients.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// Timeout for connecting, including the name lookup.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects; tries all addresses of the name.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await??;
    // Messages are written whole, so Nagle's algorithm would only add latency.
    stream.set_nodelay(true)?;
    Ok(stream)
}
