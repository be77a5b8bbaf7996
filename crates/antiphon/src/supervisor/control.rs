//! The line between a supervisor and a process it has started: our own session on a socket pair.

use std::io;
use std::os::unix::net::UnixStream;

use antiphon_proto::Framing;

use crate::client::{Client, over};
use crate::dispatch::Dispatcher;
use crate::scope::{Connection, Transport};
use crate::session::{Session, Terms};
use crate::transport::stream::StreamWire;

/// Bytes in one message; none is longer than the status of all workers.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Opens our end: what the other end is called with, and the session, which somebody has to drive.
/// It is done when the other end is gone.
pub(crate) fn open(
    stream: UnixStream,
    offered: &Dispatcher,
) -> io::Result<(Client, impl Future<Output = ()> + Send + use<>)> {
    stream.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(stream)?;
    let wire = StreamWire::new(stream, Framing::Newline, MAX_MESSAGE);
    let connection = Connection::new(Transport::Unix, None);
    let terms = Terms::default();
    let session = Session::new(wire, offered.clone(), connection, true, &terms, |scope| {
        scope.admin = true;
    });
    let session = session.patient();
    let peer = over(session.link(), "the other end of the control channel");
    Ok((peer, async move {
        let end = session.await;
        tracing::debug!("a control channel has ended: {}", end.reason);
    }))
}
