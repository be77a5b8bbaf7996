//! Workers that share a listener accept connections in turns, over TCP and on a Unix socket.
//!
//! They are in one process, and the clock is paused.

use std::any::Any;
use std::net;
use std::os::unix::net as unix;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::server::accept::accept;
use crate::server::connection_limits::{ConnectionKind, ConnectionSlot, ConnectionSlots};
use crate::server::listener::{Incoming, Listener};
use crate::server::settings::Settings;
use crate::server::turns::Turns;
use crate::server::worker_counts::{CountTable, WorkerCounts};

/// A worker of several, all in this process.
struct Worker {
    listener: Listener,
    slots: ConnectionSlots,
    turns: Turns,
    open: Vec<(ConnectionSlot, Incoming)>,
}

impl Worker {
    async fn accept(&mut self) {
        let incoming = accept(&self.listener, &self.slots, &mut self.turns).await;
        let slot = self.slots.take(ConnectionKind::Requests, None);
        self.open.push((slot.unwrap(), incoming.unwrap()));
        tokio::task::yield_now().await;
    }

    /// Accepts a connection that is in the queue. Returns how long that took.
    async fn accept_late(&mut self) -> Duration {
        let begin = Instant::now();
        self.accept().await;
        begin.elapsed()
    }
}

/// Workers that share a listener.
fn workers(listener: &Listener, count: usize) -> Vec<Worker> {
    let mut table = CountTable::new().unwrap();
    let worker = |_| {
        let slot = table.take().unwrap();
        let counts = WorkerCounts::new(table.share().unwrap(), slot);
        let socket = listener.share().unwrap();
        Worker {
            listener: Listener::inherited(socket, &listener.url, "", false).unwrap(),
            slots: ConnectionSlots::new(1000, Arc::default(), None, true, Some(counts)),
            turns: Turns::default(),
            open: Vec::new(),
        }
    };
    (0..count).map(worker).collect()
}

/// A listener on TCP and one on a Unix socket, each with what connects to it.
async fn listeners(test: &str) -> Vec<(Listener, Box<dyn Fn() -> Box<dyn Any>>)> {
    let name = format!("antiphon-{test}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let settings = Settings::default();
    let tcp = Listener::open("127.0.0.1:0", &settings).await.unwrap();
    let address = tcp.address().unwrap();
    let unix = format!("http+unix:{}", path.display());
    let unix = Listener::open(&unix, &settings).await.unwrap();
    vec![
        (
            tcp,
            Box::new(move || Box::new(net::TcpStream::connect(address).unwrap())),
        ),
        (
            unix,
            Box::new(move || Box::new(unix::UnixStream::connect(&path).unwrap())),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_takes_nothing_delays_a_few_connections_by_some_milliseconds() {
    for (listener, connect) in listeners("late").await {
        let mut workers = workers(&listener, 3);
        let _connected: Vec<_> = (0..20).map(|_| connect()).collect();
        // The third worker is blocked from the start, the second one from now on.
        workers[1].accept().await;
        let first = &mut workers[0];
        let mut late = Vec::new();
        for _ in 0..19 {
            late.push(first.accept_late().await.as_millis());
        }
        // One more than the others have is accepted after a moment, as one of a burst. The next
        // ones have to wait for all pauses, and one, two and four are accepted after them. Then
        // nobody is waited for.
        let expected = [[0, 1, 7, 7, 0, 7].as_slice(), &[0; 13]].concat();
        assert_eq!(late, expected, "{listener}");
    }
}

#[tokio::test(start_paused = true)]
async fn connections_are_spread_evenly_and_again_when_some_have_closed() {
    for (listener, connect) in listeners("even").await {
        let mut workers = workers(&listener, 4);
        // One has many already.
        let slots: Vec<_> = workers.iter().map(|worker| worker.slots.clone()).collect();
        let before = (0..100).map(|_| slots[0].take(ConnectionKind::Requests, None));
        let before: Vec<_> = before.collect();
        let tasks: Vec<_> = (workers.drain(..))
            .map(|mut worker| {
                tokio::spawn(async move {
                    loop {
                        worker.accept().await;
                    }
                })
            })
            .collect();
        let settled = async |open: usize| {
            let counts = || slots.iter().map(ConnectionSlots::open);
            while counts().sum::<usize>() < open {
                sleep(Duration::from_millis(1)).await;
            }
            counts().collect::<Vec<_>>()
        };
        let mut connected: Vec<_> = (0..300).map(|_| connect()).collect();
        let counts = settled(400).await;
        assert!(
            counts.iter().all(|open| (80..=125).contains(open)),
            "{counts:?}"
        );
        drop(before);
        connected.extend((0..100).map(|_| connect()));
        let counts = settled(400).await;
        assert!(
            counts.iter().all(|open| (80..=125).contains(open)),
            "{counts:?}"
        );
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
