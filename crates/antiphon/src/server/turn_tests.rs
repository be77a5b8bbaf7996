//! Workers that share a listener accept connections in turns, over TCP and on a Unix socket.
//!
//! They are in one process, and the clock is paused.

use std::any::Any;
use std::net::{self, IpAddr, Ipv4Addr};
use std::os::unix::net as unix;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::memory_budget::account::Accounts;
use crate::memory_budget::{Direction, MemoryBudgets, Reservation};
use crate::server::accept::accept;
use crate::server::connection_kind::ConnectionKind;
use crate::server::connection_limits::{ConnectionSlot, ConnectionSlots};
use crate::server::listener::{Incoming, Listener};
use crate::server::settings::Settings;
use crate::server::turns::Turns;
use crate::server::worker_counts::{CountTable, WorkerCounts};
use crate::server::worker_load::WorkerLoad;
use crate::transport::http::SessionPlace as _;

/// A worker of several, all in this process.
struct Worker {
    listener: Listener,
    slots: ConnectionSlots,
    turns: Turns,
    open: Vec<(ConnectionSlot, Incoming)>,
    refused: Arc<AtomicUsize>,
}

/// The limits of a worker, and its memory.
struct Limits {
    max: usize,
    per_ip: Option<usize>,
    budgets: MemoryBudgets,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max: 1000,
            per_ip: None,
            budgets: MemoryBudgets::new(1000, 1000),
        }
    }
}

/// The number of open connections of a worker, as others see it.
fn open(slots: &ConnectionSlots) -> usize {
    usize::try_from(slots.load().unwrap().open).unwrap()
}

impl Worker {
    async fn accept(&mut self) {
        let incoming = accept(&self.listener, &self.slots, &mut self.turns).await;
        let incoming = incoming.unwrap();
        let address = incoming.address().map(|address| address.ip());
        match self.slots.take(ConnectionKind::Requests, address) {
            Some(slot) => self.open.push((slot, incoming)),
            None => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        tokio::task::yield_now().await;
    }

    /// Opens connections that the listener has not seen, each from another address.
    fn hold(&self, count: u32) -> Vec<ConnectionSlot> {
        let address = |number: u32| Some(IpAddr::from(Ipv4Addr::from_bits(number)));
        let taken =
            (0..count).map(|number| self.slots.take(ConnectionKind::Requests, address(number)));
        taken.map(Option::unwrap).collect()
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
    workers_with(listener, (0..count).map(|_| Limits::default()))
}

fn workers_with(listener: &Listener, limits: impl IntoIterator<Item = Limits>) -> Vec<Worker> {
    let mut table = CountTable::new().unwrap();
    let worker = |limits: Limits| {
        let slot = table.take().unwrap();
        let counts = WorkerCounts::new(table.share().unwrap(), slot);
        let socket = listener.share().unwrap();
        Worker {
            listener: Listener::inherited(socket, &listener.url, "", false).unwrap(),
            slots: ConnectionSlots::new(
                limits.max,
                Arc::default(),
                limits.per_ip,
                true,
                Some(WorkerLoad::new(counts, limits.budgets)),
            ),
            turns: Turns::default(),
            open: Vec::new(),
            refused: Arc::default(),
        }
    };
    limits.into_iter().map(worker).collect()
}

/// Workers that accept connections, until they are dropped.
struct Running {
    slots: Vec<ConnectionSlots>,
    refused: Vec<Arc<AtomicUsize>>,
    tasks: JoinSet<()>,
}

impl Running {
    fn start(workers: Vec<Worker>) -> Self {
        let mut running = Self {
            slots: workers.iter().map(|worker| worker.slots.clone()).collect(),
            refused: (workers.iter().map(|worker| Arc::clone(&worker.refused))).collect(),
            tasks: JoinSet::new(),
        };
        for mut worker in workers {
            let slots = worker.slots.clone();
            running
                .tasks
                .spawn(async move { slots.end_penalties().await });
            running.tasks.spawn(async move {
                loop {
                    worker.accept().await;
                }
            });
        }
        running
    }

    fn open(&self) -> Vec<usize> {
        self.slots.iter().map(open).collect()
    }

    fn refused(&self) -> Vec<usize> {
        let refused = |count: &Arc<AtomicUsize>| count.load(Ordering::Relaxed);
        self.refused.iter().map(refused).collect()
    }

    /// Waits until as many connections are open or refused.
    async fn settled(&self, count: usize) {
        let sum = || [self.open(), self.refused()].concat().iter().sum::<usize>();
        while sum() < count {
            sleep(Duration::from_millis(1)).await;
        }
        // Until those who have left a connection to others know that it is gone.
        sleep(Duration::from_millis(10)).await;
    }
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
        let before = workers[0].hold(100);
        let running = Running::start(std::mem::take(&mut workers));
        let is_even = |open: &[usize]| open.iter().all(|open| (80..=125).contains(open));
        let mut connected: Vec<_> = (0..300).map(|_| connect()).collect();
        running.settled(400).await;
        assert!(is_even(&running.open()), "{:?}", running.open());
        drop(before);
        connected.extend((0..100).map(|_| connect()));
        running.settled(400).await;
        assert!(is_even(&running.open()), "{:?}", running.open());
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_one_worker_refuses_is_accepted_by_another() {
    let (listener, connect) = listeners("address").await.remove(0);
    let limits = || Limits {
        per_ip: Some(10),
        ..Limits::default()
    };
    let workers = workers_with(&listener, [limits(), limits()]);
    // The second worker is new.
    let _before = workers[0].hold(20);
    let running = Running::start(workers);
    let mut connected = Vec::new();
    for count in 21..=40 {
        connected.push(connect());
        running.settled(count).await;
    }
    assert_eq!(
        (running.open(), running.refused()),
        (vec![30, 10], vec![0, 0])
    );
    // There are no more places for this address.
    for count in 41..=50 {
        connected.push(connect());
        running.settled(count).await;
    }
    assert_eq!(running.refused().iter().sum::<usize>(), 10);
    // Penalties have an end.
    sleep(Duration::from_secs(6)).await;
    assert!(
        running
            .slots
            .iter()
            .all(|slots| slots.load().unwrap().penalty == 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_refused_meets_another_worker_when_it_comes_again() {
    let (listener, connect) = listeners("again").await.remove(0);
    let limits = |per_ip| Limits {
        per_ip: Some(per_ip),
        ..Limits::default()
    };
    // The second worker has fewest, and nothing left for this address.
    let workers = workers_with(&listener, [limits(10), limits(1)]);
    let held = workers[0].hold(100);
    let localhost = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
    let place = workers[1].slots.take(ConnectionKind::Requests, localhost);
    let running = Running::start(workers);
    sleep(Duration::from_secs(10)).await;
    let mut connected = Vec::new();
    for tries in 1..=4 {
        connected.push(connect());
        running.settled(held.len() + 1 + tries).await;
        // As `Retry-After` says.
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(
        (running.open(), running.refused()),
        (vec![103, 1], vec![0, 1])
    );
    drop(place);
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_a_place_leaves_connections_to_one_that_has_some() {
    for (listener, connect) in listeners("full").await {
        // Full in all, and full of requests.
        for (max, held) in [(4, 3), (16, 14), (64, 56)] {
            let full = Limits {
                max,
                ..Limits::default()
            };
            let workers = workers_with(&listener, [full, Limits::default()]);
            let held = [workers[0].hold(held), workers[1].hold(60)];
            let before = held.iter().map(Vec::len).sum::<usize>();
            let last = match max {
                4 => workers[0].slots.take(ConnectionKind::Session, None),
                _ => None,
            };
            let before = before + usize::from(last.is_some());
            let running = Running::start(workers);
            let _connected: Vec<_> = (0..100).map(|_| connect()).collect();
            running.settled(before + 100).await;
            assert_eq!((running.open()[1], running.refused()), (160, vec![0, 0]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_accept_or_has_no_memory_is_not_waited_for() {
    for (listener, connect) in listeners("unable").await {
        let mut workers = workers(&listener, 2);
        let (first, second) = workers.split_at_mut(1);
        let _before = first[0].hold(20);
        let _connected: Vec<_> = (0..10).map(|_| connect()).collect();
        // The second one is out of file descriptors, and its turn would be next.
        let slots = second[0].slots.clone();
        let unable = slots.unable();
        for _ in 0..5 {
            assert_eq!(first[0].accept_late().await, Duration::ZERO);
        }
        drop(unable);
        assert!(!slots.load().unwrap().is_full(ConnectionKind::Requests));
        assert_ne!(first[0].accept_late().await, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_has_refused_memory_or_a_session_stands_back() {
    let (listener, _) = listeners("back").await.remove(0);
    let limits = Limits {
        max: 16,
        ..Limits::default()
    };
    let accounts = Accounts {
        budgets: limits.budgets.clone(),
        ..Accounts::new(0, 0)
    };
    let workers = workers_with(&listener, [limits, Limits::default()]);
    let _before = workers[1].hold(40);
    let slots = &workers[0].slots;
    let number = || slots.load().unwrap().number();
    let expect_penalty = async |what: &str| {
        // A quarter and 10 more than the other has.
        assert_eq!(number(), 40 + 10 + 10, "{what}");
        let ended = slots.end_penalties();
        let _ = tokio::time::timeout(Duration::from_secs(6), ended).await;
        assert!(number() < 20, "{what}");
    };
    for direction in [Direction::Request, Direction::Response] {
        assert!(Reservation::of_all(&accounts.open(), direction, 2000).is_err());
        expect_penalty("memory").await;
    }
    let kept = [ConnectionKind::Session; 14].map(|kind| slots.take(kind, None).unwrap());
    let request = slots.take(ConnectionKind::Requests, None).unwrap();
    assert!(!request.become_session());
    expect_penalty("session").await;
    drop(kept);
    assert!(request.become_session());
    assert_eq!(number(), 1);
}

#[tokio::test]
async fn what_a_worker_tells_is_true_after_each_change() {
    let (listener, _) = listeners("true").await.remove(0);
    let limits = || Limits {
        max: 16,
        per_ip: Some(3),
        ..Limits::default()
    };
    let workers = workers_with(&listener, [limits(), limits()]);
    let [worker, other] = workers.as_slice() else {
        unreachable!()
    };
    let told = || {
        let mut slots = Vec::new();
        let shared = other.slots.shared().unwrap();
        shared.read_others(&mut slots).unwrap();
        slots[0]
    };
    let check = |open, requests, sessions| {
        let told = told().load().unwrap();
        let full = (told.full_of_requests, told.full_of_sessions);
        assert_eq!((told.open, full), (open, (requests, sessions)));
        assert_eq!(Some(told), worker.slots.load());
    };
    check(0, false, false);
    let take = |kind| worker.slots.take(kind, None);
    let mut requests: Vec<_> = (0..14).map(|_| take(ConnectionKind::Requests)).collect();
    check(14, true, false);
    // Refused by kind: told anew, since others may have been told of one that was counted.
    let before = told();
    assert!(take(ConnectionKind::Requests).is_none());
    assert_ne!(told(), before);
    check(14, true, false);
    assert!(requests[0].as_ref().unwrap().become_session());
    check(14, false, false);
    requests.push(take(ConnectionKind::Requests));
    requests.push(take(ConnectionKind::Session));
    check(16, true, true);
    let before = told();
    assert!(take(ConnectionKind::Session).is_none());
    assert_ne!(told(), before);
    requests.clear();
    check(0, false, false);
    // Refused by address.
    let address = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
    let three = [(); 3].map(|()| {
        worker
            .slots
            .take(ConnectionKind::Requests, address)
            .unwrap()
    });
    assert!(
        worker
            .slots
            .take(ConnectionKind::Requests, address)
            .is_none()
    );
    check(3, false, false);
    drop(three);
    check(0, false, false);
    worker.slots.shared().unwrap().leave();
    assert_eq!(told().load(), None);
}
