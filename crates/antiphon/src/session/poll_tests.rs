//! Polling of many streams in one turn.

use std::time::Duration;

use antiphon_proto::Framing;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, duplex};
use tokio::time::timeout;

use super::streams::POLLS;
use super::{Session, SessionConfig};
use crate::call_origin::{Connection, Transport};
use crate::memory_budget::Account;
use crate::router::Router;
use crate::topic::Topic;
use crate::transport::framed::StreamWire;

/// The last stream that may be polled in a turn fills the buffer, which is written at once: no socket
/// that becomes writable wakes the session then.
#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_for_room_goes_on_when_all_polls_are_used_up() {
    let topic = Topic::builder("items").build();
    let followed = topic.clone();
    let router = Router::new().method_fn("follow", move |key: String| followed.subscribe(key));
    let (peer, stream) = duplex(4 << 20);
    let memory = Account::unlimited();
    let wire = StreamWire::new(stream, Framing::Newline, 1 << 20, &memory);
    let connection = Connection::new(Transport::Tcp, None, memory);
    let config = SessionConfig::default();
    let router = router.build().unwrap();
    tokio::spawn(Session::new(
        wire,
        router,
        connection,
        true,
        &config,
        |_| {},
    ));

    let mut peer = BufReader::new(peer);
    for id in 1..=POLLS {
        let key = if id == POLLS { "large" } else { "small" };
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "follow", "params": [key]});
        let text = format!("{call}\n");
        peer.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        peer.read_line(&mut answer).await.unwrap();
        assert!(answer.contains("\"result\""), "{answer}");
    }
    topic.publish("small", &"x".to_owned());
    for _ in 0..3 {
        topic.publish("large", &"x".repeat(40_000));
    }
    for item in 1..POLLS + 3 {
        let mut line = String::new();
        let read = timeout(Duration::from_secs(1), peer.read_line(&mut line)).await;
        read.unwrap_or_else(|_| panic!("item {item} is held back"))
            .unwrap();
    }
}
