//! Attacks on the memory of a server, with real sockets on a real process.
//!
//! The promise: an attack of one kind makes the server hold at most the budget of 256 MiB and
//! 64 MiB more; other callers are answered meanwhile; and when the attack has ended, the process
//! gives the memory back. Each test is one attack through [`check`].
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`check`]: the attack, the callers beside it, and what has to hold |
//! | `target.rs` | process under attack |
//! | `subject.rs` | server with methods that wait, that answer much, and that never stop telling |
//! | `memory.rs` | memory of processes, as the system tells it |
//! | `honest.rs` | callers that ask for little and want an answer |
//! | `results.rs` | large results that nobody reads |
//! | `requests.rs` | messages that do not end, messages that wait, messages that grow in memory |
//! | `streams.rs` | subscriptions that nobody reads |
//! | `topics.rs` | topics: large items, and many keys |
//! | `pace.rs` | readers of a few bytes a second |
//! | `workers.rs` | two workers with a limit of the system on their memory; floods of signals |
//! | `handshakes.rs` | TLS handshakes that do not end |

mod handshakes;
mod honest;
mod memory;
mod pace;
mod requests;
mod results;
mod streams;
mod subject;
mod target;
mod topics;
mod workers;

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

pub(crate) use honest::{Honest, Report, ask};
pub(crate) use memory::{Sampler, more, resident_of};
pub(crate) use target::Target;

use crate::wire::{Peer, Protocol};

/// The most that an attack of one kind may hold, in MiB: a budget, and what the rest of the server
/// needs meanwhile.
const ANY: u64 = 256 + 64;
/// The most that one connection may hold which has no large results, in MiB.
const ONE_CONNECTION: u64 = 32;
/// What the process may keep when all is over, in MiB. Beside the 64 of the promise, the memory of threads for
/// blocking methods that have just ended counts.
const KEPT: u64 = 96;
/// The promise is a second. The tests also run on a busy machine, without optimisation.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time limit for giving memory back, from the end of the attack. The promise is ten seconds.
const GIVE_BACK: Duration = Duration::from_secs(30);

/// Attacks run one at a time: they need the machine, and look at its memory.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs an attack, which holds its connections until they are dropped, and checks what the server
/// holds, how others fare, and what is left.
fn check<T>(name: &str, mut target: Target, limit: u64, attack: impl FnOnce(&mut Target) -> T) {
    let http = target.place("http").clone();
    ask(&mut target.connect("http", Protocol::Http1), 0).unwrap();
    let processes = target.processes();
    let before = resident_of(&processes);
    let sampler = Sampler::start(processes.clone());
    let honest = Honest::start(vec![
        (http.clone(), Protocol::Http1),
        (http, Protocol::WebSocket),
    ]);
    let held = attack(&mut target);
    settle(&sampler);
    let most = more(sampler.most(), before);
    let honest = honest.stop();
    drop(held);
    let (kept, after) = give_back(&processes, before);
    println!(
        "{name}: at most {most} MiB held of {limit} MiB; {} other calls, {} failed, the slowest \
         {:?}; {kept} MiB more than before {after:?} after the end",
        honest.calls,
        honest.failures.len(),
        honest.worst,
    );
    let mut wrong = judge(&honest);
    if most > limit {
        wrong.push(format!("it held {most} MiB; the limit is {limit} MiB"));
    }
    if kept > KEPT {
        wrong.push(format!("it kept {kept} MiB; the limit is {KEPT} MiB"));
    }
    if target.processes() != processes {
        wrong.push("processes were replaced".to_owned());
    }
    let log = target.stop();
    wrong.extend(complaints(&log));
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

/// What is wrong with the outcome of honest calls.
pub(crate) fn judge(honest: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(first) = honest.failures.first() {
        let (failed, calls) = (honest.failures.len(), honest.calls);
        wrong.push(format!("{failed} of {calls} honest calls failed: {first}"));
    }
    if honest.worst > PATIENCE {
        wrong.push(format!("an honest call took {:?}", honest.worst));
    }
    wrong
}

/// Lines of the log that tell of a failure of the server itself.
pub(crate) fn complaints(log: &[String]) -> Vec<String> {
    let bad = |line: &&String| line.contains("ERROR") || line.contains("panick");
    log.iter().filter(bad).cloned().collect()
}

/// Waits until the memory has not grown for a while.
fn settle(sampler: &Sampler) {
    /// Memory that grows by less, in bytes, has settled.
    const STEP: u64 = 1 << 20;
    let begin = Instant::now();
    let (mut most, mut since) = (sampler.most(), begin);
    while since.elapsed() < Duration::from_secs(2) && begin.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(50));
        if sampler.most() > most + STEP {
            (most, since) = (sampler.most(), Instant::now());
        }
    }
}

/// Waits until the memory is back, and returns how much of it is not, in MiB.
pub(crate) fn give_back(processes: &[u32], before: u64) -> (u64, Duration) {
    let begin = Instant::now();
    loop {
        let kept = more(resident_of(processes), before);
        if kept <= KEPT || begin.elapsed() > GIVE_BACK {
            return (kept, begin.elapsed());
        }
        sleep(Duration::from_millis(20));
    }
}

/// Opens connections that send these bytes at the same time. What the server does not take is left
/// unsent.
fn send_on_many(
    target: &Target,
    scheme: &str,
    protocol: Protocol,
    connections: usize,
    bytes: impl Fn(&mut Peer) -> Vec<u8> + Sync,
) -> Vec<Peer> {
    let send = || {
        let mut peer = Peer::connect(target.place(scheme), protocol).ok()?;
        peer.socket.set_deadline(Duration::from_secs(3)).ok()?;
        let bytes = bytes(&mut peer);
        let _ = peer.socket.write_all(&bytes);
        Some(peer)
    };
    scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(send)).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap())
            .collect()
    })
}
