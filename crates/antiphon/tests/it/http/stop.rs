//! Tests of shutdown: accepted calls are answered, idle and hung connections are closed.

use std::io::ErrorKind::ConnectionReset;
use std::net::SocketAddr;
use std::time::Duration;

use antiphon::{Context, Router, Server};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::support::call;
use crate::support::counter::Counter;
use crate::support::http1::{Http1, post};
use crate::support::http2::{begin, read, text};
use crate::support::test_server::{Log, TestServer};

#[tokio::test]
async fn calls_in_flight_are_finished_and_idle_connections_end() {
    let mut server = TestServer::new().await;
    let mut busy = server.connect().await;
    busy.send(post("", &call("1", "sleep", "[300]"))).await;
    let mut http2 = server.http2().await;
    let stream = http2.post(&call("2", "sleep", "[300]")).await;
    let mut idle = server.connect().await;
    idle.call("1", "add", "[1,2]").await;
    let mut idle_http2 = server.http2().await;
    idle_http2.call("1", "add", "[1,2]").await;
    let silent = server.connect().await;
    server.log.slept.reach(2).await;
    server.until_open(5).await;

    assert!(!server.handle.is_stopping());
    server.handle.stop();
    assert!(server.handle.is_stopping());
    idle.closed().await;
    silent.closed().await;
    idle_http2.driver.await.unwrap().unwrap();

    let answer = busy.answer().await;
    assert_eq!(answer.json()["result"], 300);
    assert!(answer.closes());
    busy.closed().await;
    let (status, text) = read(stream).await;
    assert_eq!((status, text.contains("300")), (200, true));
    http2.driver.await.unwrap().unwrap();
    server.ended().await;
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_in_transit_is_answered_and_the_connection_closes() {
    let mut server = TestServer::new().await;
    let mut wires = Vec::new();
    for _ in 0..20 {
        let mut http1 = server.connect().await;
        http1.call("1", "add", "[1,2]").await;
        wires.push(http1);
    }
    // The clients have sent their requests, and the server has not read them yet.
    for http1 in &mut wires {
        http1.send(post("", &call("7", "add", "[3,4]"))).await;
    }
    server.handle.stop();
    for mut http1 in wires {
        let answer = http1.answer().await;
        assert_eq!(answer.json()["result"], 7);
        assert!(answer.closes());
        http1.closed().await;
    }
    server.ended().await;
}

#[tokio::test]
async fn a_partially_received_request_is_completed() {
    let mut server = TestServer::new().await;
    let request = post("", &call("7", "add", "[3,4]"));
    // This holds from the first byte on, also before the protocol is known.
    let mut begun = Vec::new();
    for split in [1, 4, 20, request.len() - 1] {
        for used in [false, true] {
            let mut http1 = server.connect().await;
            if used {
                http1.call("1", "add", "[1,2]").await;
            }
            http1.send(&request[..split]).await;
            begun.push((http1, split));
        }
    }
    server.until_open(begun.len()).await;
    sleep(Duration::from_millis(30)).await;
    server.handle.stop();
    sleep(Duration::from_millis(30)).await;
    for (mut http1, split) in begun {
        let answer = http1.ask(&request[split..]).await;
        assert_eq!(answer.json()["result"], 7, "after {split} bytes");
        assert!(answer.closes());
    }
    server.ended().await;
}

#[tokio::test]
async fn a_large_response_is_sent_completely_to_a_slow_reader() {
    let mut server = TestServer::new().await;
    let mut http1 = server.connect().await;
    http1.send(post("", &call("1", "big", "[9000000]"))).await;
    let mut http2 = server.http2().await;
    let response = http2.post(&call("1", "big", "[3000000]")).await;
    let mut answer = begin(response).await;
    sleep(Duration::from_millis(50)).await;
    server.handle.stop();
    sleep(Duration::from_millis(400)).await;
    let body = text(answer.body_mut()).await;
    assert!(body.len() > 3_000_000);
    let answer = http1.answer().await;
    assert!(answer.body.len() > 9_000_000);
    drop((http1, http2));
    server.ended().await;
}

#[tokio::test]
async fn queued_connections_are_served_before_the_listener_closes() {
    let log = Log::default();
    let server = Server::new(crate::support::test_server::router(&log)).bind("127.0.0.1:0");
    let listening = server.listen().await.unwrap();
    let address = *listening.addresses().first().unwrap();
    let handle = listening.handle();
    // The server does not accept yet, so all of these are in the queue.
    let mut queued = Vec::new();
    for _ in 0..50 {
        let mut http1 = Http1::connect(address).await;
        http1.send(post("", &call("1", "add", "[1,2]"))).await;
        queued.push(http1);
    }
    assert_eq!(handle.accepted(), 0);
    handle.stop();
    let serving = tokio::spawn(listening.serve());
    for mut http1 in queued {
        let answer = http1.answer().await;
        assert_eq!(answer.json()["result"], 3);
        assert!(answer.closes());
    }
    serving.await.unwrap().unwrap();
    assert_eq!(handle.accepted(), 50);
}

#[tokio::test]
async fn calls_that_are_not_finished_in_time_are_ended_with_an_error() {
    let mut server = TestServer::with(|settings| {
        settings.graceful_timeout = Duration::from_millis(100);
    })
    .await;
    let mut http1 = server.connect().await;
    http1.send(post("", &call("1", "hold", "[]"))).await;
    let mut http2 = server.http2().await;
    let _stream = http2.post(&call("1", "hold", "[]")).await;
    server.log.held.reach(2).await;
    server.handle.stop();
    let answer = http1.answer().await;
    assert_eq!(answer.json()["error"]["code"], -32000);
    assert_eq!(answer.json()["error"]["message"], "The server is stopping");
    http1.closed().await;
    server.ended().await;
    server.log.dropped.reach(2).await;
    let _ = http2.driver.await.unwrap();
}

#[tokio::test]
async fn kill_ends_connections_at_once() {
    for stop_first in [false, true] {
        let mut server = TestServer::new().await;
        let mut http1 = server.connect().await;
        http1.send(post("", &call("1", "hold", "[]"))).await;
        let mut http2 = server.http2().await;
        let _stream = http2.post(&call("1", "hold", "[]")).await;
        let _idle = server.connect().await;
        server.log.held.reach(2).await;
        if stop_first {
            server.handle.stop();
        }
        server.handle.kill();
        server.ended().await;
        server.log.dropped.reach(2).await;
        http1.closed().await;
    }
}

#[tokio::test]
async fn work_that_methods_have_started_ends_with_the_connection() {
    let (ended, begun) = (Counter::default(), Counter::default());
    let (ends, begins) = (ended.clone(), begun.clone());
    let router = Router::new().method_fn("start", move |ctx: Context| {
        let guard = ends.guard();
        begins.add();
        // The spawned work still has the context of its call.
        let own = ctx.clone();
        ctx.spawn(async move {
            std::future::pending::<()>().await;
            drop((own, guard));
        });
    });
    let mut server = TestServer::of(Server::new(router), Log::default()).await;
    let mut http1 = server.connect().await;
    assert_eq!(
        http1.call("1", "start", "[]").await["result"],
        serde_json::Value::Null
    );
    assert_eq!(ended.get(), 0, "it goes on after the answer");
    drop(http1);
    ended.reach(1).await;

    let mut http1 = server.connect().await;
    http1.call("1", "start", "[]").await;
    let mut http2 = server.http2().await;
    http2.call("1", "start", "[]").await;
    assert_eq!((begun.get(), ended.get()), (3, 1));
    server.handle.kill();
    server.ended().await;
    ended.reach(3).await;
}

/// Idle time after which a server that stops closes a connection.
const IDLE: Duration = Duration::from_millis(100);

/// Outcomes of the connections and calls of one client.
#[derive(Default, Debug)]
struct Outcomes {
    connected: usize,
    answered: usize,
    /// Connections that were reset before the first response.
    reset: usize,
    lost: Vec<String>,
}

/// Makes calls until the server has ended. With `reuse` it uses each connection as long as
/// possible.
async fn client(address: SocketAddr, reuse: bool) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let more = if reuse { "" } else { "Connection: close\r\n" };
    for id in 0..10_000 {
        let Ok(stream) = TcpStream::connect(address).await else {
            return outcomes;
        };
        outcomes.connected += 1;
        let mut http1 = Http1 {
            stream,
            read: Vec::new(),
        };
        let mut idle = Instant::now();
        for turn in 0..10_000 {
            let request = post(more, &call(&id.to_string(), "sleep", "[1]"));
            let begin = Instant::now();
            let sent = http1.try_send(request).await;
            // The server has waited at most so long for this request, however late this task ran.
            let before = idle.elapsed();
            idle = begin;
            match http1.try_answer().await {
                Ok(answer) => {
                    assert_eq!(answer.json()["id"], id);
                    outcomes.answered += 1;
                    if answer.closes() {
                        break;
                    }
                }
                Err(error) if turn == 0 && error.kind() == ConnectionReset => {
                    outcomes.reset += 1;
                    break;
                }
                // A server that stops closes idle connections. On a busy machine a starved client
                // looks idle, but its earlier calls were answered.
                Err(_) if turn > 0 && before >= IDLE => break,
                Err(error) => {
                    let call = format!("call {turn} on its connection");
                    outcomes.lost.push(format!("{call}: {sent:?}, {error}"));
                    break;
                }
            }
        }
    }
    panic!("the server does not go away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_call_is_lost_when_the_server_stops() {
    let (mut answered, mut late) = (0, 0);
    for round in 0..50 {
        let mut server = TestServer::new().await;
        let clients: Vec<_> = (0..32)
            .map(|n| tokio::spawn(client(server.address, n % 2 == 0)))
            .collect();
        server.log.slept.reach(100 + 10 * round).await;
        server.handle.stop();
        let (mut connected, mut reset) = (0, 0);
        for client in clients {
            let outcomes = client.await.unwrap();
            assert_eq!(outcomes.lost, [""; 0]);
            answered += outcomes.answered;
            connected += outcomes.connected;
            reset += outcomes.reset;
        }
        server.ended().await;
        // All accepted connections were answered. The others were made by the system after the
        // queue was empty and before the listener was closed.
        assert_eq!(connected, server.handle.accepted() + reset);
        late += usize::from(reset > 0);
    }
    assert!(answered > 5_000, "{answered}");
    assert!(late <= 5, "in {late} of 50 stops");
}
