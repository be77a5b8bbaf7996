//! Fuzz target for a server's session with a hostile client: exactly one response for each call.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use antiphon::{Context, ErrorObject, Router, Server, ServerHandle, call};
use antiphon_proto::Framing;
use bytes::Bytes;
use futures_core::Stream;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep};

use crate::ledger::{ECHO, Ledger, MAX_UNMATCHED, read, reply};
use crate::peer::{MAX_MESSAGE, PATIENCE, Peer, Script, address, framing};

/// The last call. Its response shows that all messages before it were processed.
const LAST: &str = r#"{"jsonrpc":"2.0","id":"the last","method":"echo","params":["the last"]}"#;

/// The maximum number of items of a subscription.
const MAX_ITEMS: u64 = 64;

thread_local! {
    static FIXTURE: Fixture = Fixture::new();
    /// The number of running calls of `hold` and `ask`, also of ended sessions.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

struct Fixture {
    runtime: Runtime,
    ports: [u16; 2],
    handle: ServerHandle,
    /// Whether `hold` may return.
    open: watch::Sender<bool>,
}

struct Guard;

impl Guard {
    fn new() -> Self {
        HELD.set(HELD.get() + 1);
        Self
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}

/// A stream that counts.
struct Count(u64, u64);

impl Stream for Count {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<u64>> {
        self.0 += 1;
        Poll::Ready((self.0 <= self.1).then_some(self.0))
    }
}

async fn ask(ctx: Context) -> Result<Box<RawValue>, ErrorObject> {
    let _guard = Guard::new();
    let peer = ctx.peer()?;
    Ok(call!(peer.who()).await?)
}

fn router(open: &watch::Sender<bool>) -> Router {
    let open = open.clone();
    Router::new()
        .method_fn(ECHO, |value: Box<RawValue>| value)
        .method_fn("later", async |text: Option<String>| {
            tokio::task::yield_now().await;
            text
        })
        .method_fn("hold", move || {
            let mut open = open.subscribe();
            async move {
                let _guard = Guard::new();
                let _ = open.wait_for(|open| *open).await;
            }
        })
        .method_fn("ask", ask)
        .method_fn("count", |to: u64| Count(0, to.min(MAX_ITEMS)))
}

impl Fixture {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let open = watch::Sender::new(false);
        let server = Server::new(router(&open))
            .bind(address(0, Framing::Newline))
            .bind(address(0, Framing::ContentLength))
            .configure(|settings| {
                settings.max_request = MAX_MESSAGE;
                // Low limits, so that few messages reach them.
                settings.sessions.max_running = 4;
                settings.sessions.max_parked = 4;
                settings.sessions.max_subscriptions = 2;
                settings.sessions.max_queued = 8;
            });
        let listening = runtime.block_on(server.listen()).expect("a server");
        let ports: Vec<_> = listening.addresses().iter().map(|at| at.port()).collect();
        let handle = listening.handle();
        runtime.spawn(listening.serve());
        Self {
            runtime,
            ports: [ports[0], ports[1]],
            handle,
            open,
        }
    }

    /// Waits until the connection has ended and no call runs.
    async fn settled(&self) {
        let end = Instant::now() + PATIENCE;
        while self.handle.connections() > 0 || HELD.get() > 0 {
            assert!(Instant::now() < end, "{} calls are left", HELD.get());
            sleep(Duration::from_micros(100)).await;
        }
    }
}

/// Sends the script to a server. The lowest bit of the first byte selects the framing, the next two
/// bits the end of the connection. The second byte selects the sizes of the pieces. Returns whether
/// the connection was still open after the script.
///
/// # Panics
///
/// If a response is missing, duplicate or wrong, or if a call runs on after the session.
pub fn check(input: &[u8]) -> bool {
    let Some((&[flags, pieces], text)) = input.split_first_chunk() else {
        return false;
    };
    FIXTURE.with(|fixture| {
        fixture.runtime.block_on(async {
            fixture.open.send_replace(false);
            let framing = framing(flags);
            let port = fixture.ports[usize::from(flags % 2)];
            let stream = TcpStream::connect(("127.0.0.1", port)).await;
            let peer = Peer::new(stream.expect("a connection"), framing);
            let good = visit(fixture, peer, flags, pieces, &Script::new(framing, text)).await;
            fixture.settled().await;
            good
        })
    })
}

async fn visit(fixture: &Fixture, mut peer: Peer, flags: u8, pieces: u8, script: &Script) -> bool {
    let (messages, end) = script.received();
    let mut ledger = Ledger::default();
    let send = |message| ledger.send(&read(message));
    messages.iter().for_each(send);
    if let Err(error) = end
        && error.is_answered()
    {
        ledger.owe_parse_error();
    }
    // With more responses, the result depends on how many of them match calls.
    let certain = ledger.answers <= MAX_UNMATCHED;
    let stays = end.is_ok() && certain;
    peer.play(script, pieces).await;
    match flags >> 1 & 3 {
        0 => {
            peer.cut();
            return stays;
        }
        1 => {
            goodbye(peer, &mut ledger).await;
            return stays;
        }
        _ => {}
    }
    fixture.open.send_replace(true);
    if !certain {
        goodbye(peer, &mut ledger).await;
        return false;
    }

    let mut said = false;
    loop {
        if stays && ledger.is_settled() {
            if said {
                break;
            }
            said = true;
            ledger.send(&read(&Bytes::from_static(LAST.as_bytes())));
            peer.say(LAST).await;
        }
        let Some(message) = peer.next(&ledger).await else {
            assert!(!stays, "it has closed; no answer to {ledger}");
            return false;
        };
        if let Some(id) = ledger.receive(&message) {
            peer.say(&reply(&id)).await;
        }
    }
    goodbye(peer, &mut ledger).await;
    true
}

/// Shuts down the sending direction, and checks the remaining messages: no response is duplicate.
async fn goodbye(mut peer: Peer, ledger: &mut Ledger) {
    peer.finish().await;
    while let Some(message) = peer.next(&*ledger).await {
        ledger.receive(&message);
    }
}
