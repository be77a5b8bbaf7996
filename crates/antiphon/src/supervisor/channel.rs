//! Control channel between a supervisor and a process it has started: a session on a socket pair.

use std::io;
use std::os::unix::net::UnixStream;

use antiphon_proto::Framing;

use crate::client::{Client, over};
use crate::dispatch::Dispatcher;
use crate::origin::{Connection, Transport};
use crate::session::{Session, SessionConfig};
use crate::transport::stream::StreamWire;

/// Bytes in one message; none is longer than what a worker has counted of its methods, which is some
/// 300 bytes of each that was called.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Opens our end: what the other end is called with, and the session, which somebody has to drive.
/// It is done when the other end is gone.
pub(crate) fn open(
    stream: UnixStream,
    methods_for: &Dispatcher,
) -> io::Result<(Client, impl Future<Output = ()> + Send + use<>)> {
    stream.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(stream)?;
    let wire = StreamWire::new(stream, Framing::Newline, MAX_MESSAGE);
    let connection = Connection::new(Transport::Unix, None);
    let config = SessionConfig::default();
    let session = Session::new(
        wire,
        methods_for.clone(),
        connection,
        true,
        &config,
        |origin| {
            origin.admin = true;
        },
    );
    let session = session.patient();
    let peer = over(session.handle(), "the other end of the control channel");
    Ok((peer, async move {
        let end = session.await;
        tracing::debug!("a control channel has ended: {}", end.reason);
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::Router;

    #[tokio::test]
    async fn a_worker_with_very_many_methods_can_tell_of_them_all() {
        let (supervisor, worker) = UnixStream::pair().unwrap();
        let (on_message, mut told) = tokio::sync::mpsc::channel(1);
        let methods_for = Router::default().method_fn("alive", move |about: Vec<String>| {
            let _ = on_message.try_send(about.len());
        });
        let (_line, listening) = open(supervisor, &methods_for.build().unwrap()).unwrap();
        let nothing = Router::default().build().unwrap();
        let (line, speaking) = open(worker, &nothing).unwrap();
        tokio::spawn(listening);
        tokio::spawn(speaking);
        let counted = vec!["x".repeat(300); 40_000];
        line.notify("alive", (counted,)).await.unwrap();
        assert_eq!(told.recv().await, Some(40_000));
    }
}
