//! Tests of shutdown: accepted calls are answered, idle and hung connections are closed.

use std::io::ErrorKind::ConnectionReset;
use std::net::SocketAddr;
use std::time::Duration;

use antiphon::{Context, Router, Server};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::support::call;
use crate::support::http2::{begin, read, text};
use crate::support::site::{Log, Site};
use crate::support::tally::Tally;
use crate::support::wire::{Wire, post};

#[tokio::test]
async fn calls_in_flight_are_finished_and_idle_connections_end() {
    let mut site = Site::new().await;
    let mut busy = site.connect().await;
    busy.send(post("", &call("1", "sleep", "[300]"))).await;
    let mut http2 = site.http2().await;
    let stream = http2.post(&call("2", "sleep", "[300]")).await;
    let mut idle = site.connect().await;
    idle.call("1", "add", "[1,2]").await;
    let mut idle_http2 = site.http2().await;
    idle_http2.call("1", "add", "[1,2]").await;
    let silent = site.connect().await;
    site.log.slept.reach(2).await;
    site.until_open(5).await;

    assert!(!site.handle.is_stopping());
    site.handle.stop();
    assert!(site.handle.is_stopping());
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
    site.ended().await;
    assert!(TcpStream::connect(site.address).await.is_err());
}

#[tokio::test]
async fn a_request_on_its_way_is_answered_and_told_that_it_is_the_last() {
    let mut site = Site::new().await;
    let mut wires = Vec::new();
    for _ in 0..20 {
        let mut wire = site.connect().await;
        wire.call("1", "add", "[1,2]").await;
        wires.push(wire);
    }
    // The clients have sent their requests, and the server has not read them yet.
    for wire in &mut wires {
        wire.send(post("", &call("7", "add", "[3,4]"))).await;
    }
    site.handle.stop();
    for mut wire in wires {
        let answer = wire.answer().await;
        assert_eq!(answer.json()["result"], 7);
        assert!(answer.closes());
        wire.closed().await;
    }
    site.ended().await;
}

#[tokio::test]
async fn a_request_that_has_begun_may_end() {
    let mut site = Site::new().await;
    let request = post("", &call("7", "add", "[3,4]"));
    // This holds from the first byte on, also before the protocol is known.
    let mut begun = Vec::new();
    for split in [1, 4, 20, request.len() - 1] {
        for used in [false, true] {
            let mut wire = site.connect().await;
            if used {
                wire.call("1", "add", "[1,2]").await;
            }
            wire.send(&request[..split]).await;
            begun.push((wire, split));
        }
    }
    site.until_open(begun.len()).await;
    sleep(Duration::from_millis(30)).await;
    site.handle.stop();
    sleep(Duration::from_millis(30)).await;
    for (mut wire, split) in begun {
        let answer = wire.ask(&request[split..]).await;
        assert_eq!(answer.json()["result"], 7, "after {split} bytes");
        assert!(answer.closes());
    }
    site.ended().await;
}

#[tokio::test]
async fn a_large_answer_is_sent_to_its_end_however_slowly_it_is_read() {
    let mut site = Site::new().await;
    let mut wire = site.connect().await;
    wire.send(post("", &call("1", "big", "[9000000]"))).await;
    let mut http2 = site.http2().await;
    let response = http2.post(&call("1", "big", "[3000000]")).await;
    let mut answer = begin(response).await;
    sleep(Duration::from_millis(50)).await;
    site.handle.stop();
    sleep(Duration::from_millis(400)).await;
    let body = text(answer.body_mut()).await;
    assert!(body.len() > 3_000_000);
    let answer = wire.answer().await;
    assert!(answer.body.len() > 9_000_000);
    drop((wire, http2));
    site.ended().await;
}

#[tokio::test]
async fn connections_that_queue_for_us_are_served_before_the_listener_closes() {
    let log = Log::default();
    let server = Server::new(crate::support::site::router(&log)).bind("127.0.0.1:0");
    let listening = server.listen().await.unwrap();
    let address = *listening.addresses().first().unwrap();
    let handle = listening.handle();
    // The server does not accept yet, so all of these are in the queue.
    let mut queued = Vec::new();
    for _ in 0..50 {
        let mut wire = Wire::connect(address).await;
        wire.send(post("", &call("1", "add", "[1,2]"))).await;
        queued.push(wire);
    }
    assert_eq!(handle.accepted(), 0);
    handle.stop();
    let serving = tokio::spawn(listening.serve());
    for mut wire in queued {
        let answer = wire.answer().await;
        assert_eq!(answer.json()["result"], 3);
        assert!(answer.closes());
    }
    serving.await.unwrap().unwrap();
    assert_eq!(handle.accepted(), 50);
}

#[tokio::test]
async fn what_is_not_finished_in_time_is_cut_and_told() {
    let mut site = Site::with(|settings| {
        settings.graceful_timeout = Duration::from_millis(100);
    })
    .await;
    let mut http1 = site.connect().await;
    http1.send(post("", &call("1", "hold", "[]"))).await;
    let mut http2 = site.http2().await;
    let _stream = http2.post(&call("1", "hold", "[]")).await;
    site.log.held.reach(2).await;
    site.handle.stop();
    let answer = http1.answer().await;
    assert_eq!(answer.json()["error"]["code"], -32000);
    assert_eq!(answer.json()["error"]["message"], "The server is stopping");
    http1.closed().await;
    site.ended().await;
    site.log.dropped.reach(2).await;
    let _ = http2.driver.await.unwrap();
}

#[tokio::test]
async fn killing_cuts_at_once() {
    for stop_first in [false, true] {
        let mut site = Site::new().await;
        let mut http1 = site.connect().await;
        http1.send(post("", &call("1", "hold", "[]"))).await;
        let mut http2 = site.http2().await;
        let _stream = http2.post(&call("1", "hold", "[]")).await;
        let _idle = site.connect().await;
        site.log.held.reach(2).await;
        if stop_first {
            site.handle.stop();
        }
        site.handle.kill();
        site.ended().await;
        site.log.dropped.reach(2).await;
        http1.closed().await;
    }
}

#[tokio::test]
async fn work_that_methods_have_started_ends_with_its_connection_however_that_ends() {
    let (ended, begun) = (Tally::default(), Tally::default());
    let (ends, begins) = (ended.clone(), begun.clone());
    let router = Router::default().method_fn("start", move |ctx: Context| {
        let guard = ends.guard();
        begins.add();
        // The spawned work still has the context of its call.
        let own = ctx.clone();
        ctx.spawn(async move {
            std::future::pending::<()>().await;
            drop((own, guard));
        });
    });
    let mut site = Site::of(Server::new(router), Log::default()).await;
    let mut wire = site.connect().await;
    assert_eq!(
        wire.call("1", "start", "[]").await["result"],
        serde_json::Value::Null
    );
    assert_eq!(ended.get(), 0, "it goes on after the answer");
    drop(wire);
    ended.reach(1).await;

    let mut wire = site.connect().await;
    wire.call("1", "start", "[]").await;
    let mut http2 = site.http2().await;
    http2.call("1", "start", "[]").await;
    assert_eq!((begun.get(), ended.get()), (3, 1));
    site.handle.kill();
    site.ended().await;
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
        let mut wire = Wire {
            stream,
            read: Vec::new(),
        };
        let mut idle = Instant::now();
        for turn in 0..10_000 {
            let request = post(more, &call(&id.to_string(), "sleep", "[1]"));
            let before = idle.elapsed();
            idle = Instant::now();
            let sent = wire.try_send(request).await;
            match wire.try_answer().await {
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
        let mut site = Site::new().await;
        let clients: Vec<_> = (0..32)
            .map(|n| tokio::spawn(client(site.address, n % 2 == 0)))
            .collect();
        site.log.slept.reach(100 + 10 * round).await;
        site.handle.stop();
        let (mut connected, mut reset) = (0, 0);
        for client in clients {
            let outcomes = client.await.unwrap();
            assert_eq!(outcomes.lost, [""; 0]);
            answered += outcomes.answered;
            connected += outcomes.connected;
            reset += outcomes.reset;
        }
        site.ended().await;
        // All accepted connections were answered. The others were made by the system after the
        // queue was empty and before the listener was closed.
        assert_eq!(connected, site.handle.accepted() + reset);
        late += usize::from(reset > 0);
    }
    assert!(answered > 5_000, "{answered}");
    assert!(late <= 5, "in {late} of 50 stops");
}
