//! Control channel between a supervisor and a child process: a JSON-RPC session on a socket pair.

use std::io;
use std::os::unix::net::UnixStream;

use antiphon_proto::Framing;

use crate::call_origin::{Connection, Transport};
use crate::client::{Client, over};
use crate::dispatch::Dispatcher;
use crate::memory_budget::Account;
use crate::session::{Session, SessionConfig};
use crate::transport::framed::StreamWire;

/// Maximum size of a message, in bytes. The largest messages are the metrics of a worker, with
/// about 300 bytes for each method that was called.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Opens this end of the channel. Returns a client for calls to the other end and the session, a
/// future that the caller must drive. It completes when the other end is closed.
pub(crate) fn open(
    stream: UnixStream,
    methods: &Dispatcher,
) -> io::Result<(Client, impl Future<Output = ()> + Send + use<>)> {
    stream.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(stream)?;
    let memory = Account::unlimited();
    let wire = StreamWire::new(stream, Framing::Newline, MAX_MESSAGE, &memory);
    let connection = Connection::new(Transport::Unix, None, memory);
    // Without limits on silence: a supervisor uses the heartbeat timeout instead.
    let config = SessionConfig::default();
    let session = Session::new(wire, methods.clone(), connection, true, &config, |origin| {
        origin.admin = true;
    });
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
    async fn a_worker_can_report_metrics_of_very_many_methods() {
        let (supervisor, worker) = UnixStream::pair().unwrap();
        let (on_message, mut received) = tokio::sync::mpsc::channel(1);
        let methods = Router::new().method_fn("alive", move |about: Vec<String>| {
            let _ = on_message.try_send(about.len());
        });
        let (_client, listening) = open(supervisor, &methods.build().unwrap()).unwrap();
        let nothing = Router::new().build().unwrap();
        let (client, speaking) = open(worker, &nothing).unwrap();
        tokio::spawn(listening);
        tokio::spawn(speaking);
        let counted = vec!["x".repeat(300); 40_000];
        client.notify("alive", (counted,)).await.unwrap();
        assert_eq!(received.recv().await, Some(40_000));
    }
}
