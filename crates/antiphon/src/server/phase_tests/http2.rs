//! HTTP/2, with peers that send frames.

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::Request;
use tokio::time::{interval, sleep};

use super::*;

/// A peer that answers pings and otherwise makes no effort.
struct Peer {
    /// The window of a response at the start.
    window: u32,
    /// How many bytes of a response it takes in a second.
    takes: usize,
    /// The request, and whether it ends.
    body: Option<(String, bool)>,
    /// Frames of the body, so many in each second, and their size.
    drip: (usize, usize),
    accept: &'static str,
}

const SECOND: Duration = Duration::from_secs(1);

fn silent() -> Peer {
    Peer {
        window: 65_535,
        takes: 65_535,
        body: None,
        drip: (0, 0),
        accept: "application/json",
    }
}

fn sends(body: String) -> Peer {
    Peer {
        body: Some((body, true)),
        ..silent()
    }
}

fn begins() -> Peer {
    Peer {
        body: Some((String::new(), false)),
        ..silent()
    }
}

fn subscribes(method: &str) -> Peer {
    Peer {
        accept: "text/event-stream",
        ..sends(call(method, "[]"))
    }
}

impl Peer {
    fn window(self, window: u32) -> Self {
        Self { window, ..self }
    }

    fn takes(self, takes: usize) -> Self {
        Self { takes, ..self }
    }

    fn drips(self, frames: usize, size: usize) -> Self {
        let drip = (frames, size);
        Self { drip, ..self }
    }

    /// Acts until the connection ends. Returns the size of the first frame of the response.
    async fn act(self, end: DuplexStream) -> Option<usize> {
        let mut builder = Builder::new();
        builder.initial_window_size(self.window);
        let (client, driver) = builder.handshake::<_, Bytes>(end).await.ok()?;
        tokio::spawn(driver);
        self.ask(client).await
    }

    async fn ask(self, mut client: SendRequest<Bytes>) -> Option<usize> {
        let Some((body, ends)) = self.body else {
            sleep(LONG).await;
            return None;
        };
        let request = Request::post("http://localhost/")
            .header("content-type", "application/json")
            .header("accept", self.accept);
        let request = request.body(()).unwrap();
        let (response, mut stream) = client.send_request(request, false).ok()?;
        stream.send_data(Bytes::from(body), ends).ok()?;
        if !ends {
            tokio::spawn(async move {
                let (frames, size) = self.drip;
                loop {
                    sleep(SECOND).await;
                    for _ in 0..frames {
                        if stream.send_data(vec![b' '; size].into(), false).is_err() {
                            return;
                        }
                    }
                }
            });
        }
        let mut first = None;
        let mut response = response.await.ok()?;
        let body = response.body_mut();
        let mut due = 0;
        let mut ticks = interval(SECOND);
        loop {
            // What has come is given back at the pace of this peer.
            tokio::select! {
                data = body.data() => {
                    let Some(Ok(data)) = data else { break };
                    first = first.or(Some(data.len()));
                    due += data.len();
                }
                _ = ticks.tick() => {
                    let taken = self.takes.min(due);
                    body.flow_control().release_capacity(taken).ok()?;
                    due -= taken;
                }
            }
        }
        // The connection stays open.
        sleep(LONG).await;
        drop(client);
        first
    }
}

#[tokio::test(start_paused = true)]
async fn each_phase_of_http_2_has_a_deadline() {
    let hold = || sends(call("hold", "[]"));
    let big = || sends(call("big", "[200000]"));
    let mut wrong = Vec::new();
    for (phase, peer, expected) in [
        ("no request", silent(), Some(75)),
        // 408 after 5 seconds.
        ("no body", begins(), Some(5 + 75)),
        ("a slow body", begins().drips(1, 1), Some(5 + 75)),
        ("empty frames", begins().drips(5, 0), Some(5 + 75)),
        ("a long body", begins().drips(1, 2000), Some(30 + 75)),
        // 400 when too many have come.
        ("frames of a byte", begins().drips(2000, 1), Some(19 + 75)),
        ("a call", hold(), Some(30 + 75)),
        ("no window", big().window(0).takes(0), Some(30)),
        ("a window of a byte", big().window(1).takes(1), Some(30)),
        (
            "a window of 512 bytes",
            big().window(512).takes(512),
            Some(59),
        ),
        ("a window that is read once", big().takes(0), Some(30)),
        (
            "a slow reader",
            big().window(2048).takes(2048),
            Some(97 + 75),
        ),
        ("an event stream", subscribes("quiet"), None),
        (
            "no window for events",
            subscribes("quiet").window(0).takes(0),
            Some(30),
        ),
        ("unread events", subscribes("endless").takes(0), Some(30)),
        (
            "a window of 500 bytes",
            subscribes("endless").window(500).takes(500),
            Some(57),
        ),
    ] {
        let (end, serving) = serve(HTTP, &Settings::default(), &Shutdown::default());
        tokio::spawn(peer.act(end));
        let actual = seconds(serving).await;
        if actual != expected {
            wrong.push(format!("{phase}: {actual:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Then the HTTP/2 library has nothing to send, and asks for no more events before there is a window.
#[tokio::test(start_paused = true)]
async fn a_window_that_ends_with_an_event_has_a_deadline() {
    let (end, _serving) = serve(HTTP, &Settings::default(), &Shutdown::default());
    let asking = tokio::spawn(subscribes("endless").takes(0).act(end));
    let first = asking.await.unwrap().expect("an event");
    let window = u32::try_from(first).unwrap();
    let (end, serving) = serve(HTTP, &Settings::default(), &Shutdown::default());
    tokio::spawn(subscribes("endless").window(window).takes(0).act(end));
    assert_eq!(seconds(serving).await, Some(30));
}
