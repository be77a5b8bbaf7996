//! Benchmark without a socket, from bytes to bytes. It measures wall time on a pinned core, as the
//! median of many slices, which a single preemption cannot change.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::servers::Peer;
use crate::window::{Plan, Sample};

/// Count of slices of the measured time.
const SLICES: u32 = 15;

pub(crate) fn measure(peer: Peer, plan: Plan) -> Result<Sample, Failure> {
    let answer = peer
        .in_process
        .ok_or_else(|| format!("{} has no in-process form", peer.name))?;
    let calls = calls_within(plan.warm_up, plan.measured / SLICES, answer)?;
    let mut slices = Vec::new();
    for _ in 0..SLICES {
        slices.push(time(calls, answer)?);
    }
    slices.sort_unstable();
    let per_call = slices[slices.len() / 2].as_secs_f64() / calls as f64;
    Ok(Sample {
        calls: calls * u64::from(SLICES),
        calls_per_second: 1.0 / per_call,
        user_us: per_call * 1e6,
        kernel_us: 0.0,
    })
}

/// Warms up, and finds how many calls fill one slice by doubling their count.
fn calls_within(
    warm_up: Duration,
    slice: Duration,
    answer: fn(u64) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let started = Instant::now();
    let mut calls = 1000;
    loop {
        let took = time(calls, answer)?;
        if took >= slice && started.elapsed() >= warm_up {
            return Ok(calls);
        }
        if took < slice {
            calls *= 2;
        }
    }
}

fn time(calls: u64, answer: fn(u64) -> Result<(), Failure>) -> Result<Duration, Failure> {
    let started = Instant::now();
    answer(calls)?;
    Ok(started.elapsed())
}
