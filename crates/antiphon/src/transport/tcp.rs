//! TCP connections of clients.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may take to come about, looking up the name included.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects; every address of the name is tried.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await??;
    // Messages are written whole; waiting for more to send with them only costs time.
    stream.set_nodelay(true)?;
    Ok(stream)
}
