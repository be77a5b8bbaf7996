//! Storm: very many peers of every kind, most of which misbehave, and a tenth that only want answers.
//!
//! What each peer does follows from the seed; when it happens does not. The storm lasts 15 seconds,
//! or `ANTIPHON_STORM_SECONDS`; `ANTIPHON_STORM_SEED` makes another one.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | the storm, and what may be left of it |
//! | `hostile.rs` | peers that do what they should not |
//! | `random.rs` | generator of numbers from a seed |

mod hostile;
mod random;

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use self::random::Random;
use crate::attack::{
    Honest, Sampler, Target, alone, complaints, give_back, judge, more, resident_of,
};
use crate::support::TIMEOUT;
use crate::wire::Protocol;

/// Where peers connect, and what they speak there.
const KINDS: [(&str, Protocol); 9] = [
    ("http", Protocol::Http1),
    ("http", Protocol::Http2),
    ("http", Protocol::WebSocket),
    ("tcp", Protocol::Lines),
    ("framed", Protocol::Headers),
    ("unix", Protocol::Lines),
    ("http+unix", Protocol::Http1),
    ("http+unix", Protocol::Http2),
    ("http+unix", Protocol::WebSocket),
];
/// Threads of those who misbehave; there is a thread of honest calls for each kind.
const HOSTILE: u64 = 81;
/// The most that all of them may make the server hold, in MiB.
const HELD: u64 = 2 * 256 + 64;
/// What the process may keep, in MiB.
const KEPT: u64 = 64;

const LISTENERS: &str = "127.0.0.1:0,tcp://127.0.0.1:0,tcp://127.0.0.1:0?framing=content-length,\
                         unix:{folder}/lines,http+unix:{folder}/http";

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

#[test]
fn a_storm_of_peers_leaves_nothing_behind() {
    let _turn = alone();
    let duration = Duration::from_secs(setting("ANTIPHON_STORM_SECONDS", 15));
    let seed = setting("ANTIPHON_STORM_SEED", 20_261_127);
    let target = Target::shipped(&["--bind", LISTENERS]);
    let processes = target.processes();
    let before = resident_of(&processes);
    let sampler = Sampler::start(processes.clone());
    let callers = KINDS.map(|(scheme, protocol)| (target.place(scheme).clone(), protocol));
    let honest = Honest::start(callers.into());
    let (connections, calls) = rage(&target, seed, duration);
    let honest = honest.stop();
    let left = subside(&target);
    let (kept, after) = give_back(&processes, before);
    let most = more(sampler.most(), before);
    println!(
        "storm of {duration:?}, seed {seed}: {connections} connections, {calls} calls; {} honest \
         calls, {} lost, the slowest {:?}; at most {most} MiB held, {kept} MiB more than before \
         {after:?} after the end",
        honest.calls,
        honest.failures.len(),
        honest.worst,
    );
    let mut wrong = judge(&honest);
    if left != (0, 0) {
        wrong.push(format!("{left:?} connections and calls are left"));
    }
    if most > HELD || kept > KEPT {
        wrong.push(format!("it held {most} MiB and kept {kept} MiB"));
    }
    if target.processes() != processes {
        wrong.push("the process was replaced".to_owned());
    }
    wrong.extend(complaints(&target.stop()));
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
}

/// Lets the hostile peers act for this long. Returns the number of connections and of whole calls.
fn rage(target: &Target, seed: u64, duration: Duration) -> (usize, usize) {
    let end = Instant::now() + duration;
    let one = &|number: u64| {
        // Seeds that are close to each other would give the same numbers, one step apart.
        let mut random = Random::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let (mut connections, mut calls) = (0, 0);
        while Instant::now() < end {
            let (scheme, protocol) = random.pick(&KINDS);
            calls += hostile::act(&mut random, target.place(scheme), protocol);
            connections += 1;
        }
        (connections, calls)
    };
    scope(|scope| {
        let threads: Vec<_> = (0..HOSTILE)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        let totals = threads.into_iter().map(|thread| thread.join().unwrap());
        totals.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    })
}

/// Waits until no connection and no call is left, and returns how many are.
fn subside(target: &Target) -> (u64, u64) {
    let begin = Instant::now();
    loop {
        let left = target.load();
        if left == (0, 0) || begin.elapsed() > TIMEOUT {
            return left;
        }
        sleep(Duration::from_millis(20));
    }
}
