//! Measures calls through a NATS server: those of Antiphon, and raw requests of the NATS library.
//!
//! | file | what it has |
//! |---|---|
//! | `main.rs` | the command `run`: broker, servers, callers, rounds, table |
//! | `gateway.rs` | the command `gateway`: servers, gateways and their load |
//! | `sides.rs` | the servers and the callers that are compared |
//! | `processes.rs` | child processes, and the CPU time of one |

mod gateway;
mod processes;
mod sides;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use processes::{Child, Cpu, broker};
use serde::{Deserialize, Serialize};
use sides::Side;

/// Any error: a run with one failure has no result.
type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "usage:
broker run [--quick]                  measure all, print a Markdown table
broker gateway [--quick]              measure gateways in front of the broker, print a Markdown table
broker serve SIDE PORT                one server behind the broker at this port, until stdin ends
broker call SIDE PORT COUNT PID NATS MS
                                      so many calls at a time; the CPU time of the processes PID and NATS in the window
broker front KIND PORT                a server or a gateway over HTTP, until stdin ends
broker load FORM PORT PID NATS MS     calls over HTTP; the CPU time of the processes PID and NATS in the window";

/// How many calls are in flight at a time.
const AT_A_TIME: [usize; 2] = [1, 64];

/// What one caller has found in its window.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
struct Found {
    calls_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    server_us: f64,
    broker_us: f64,
    caller_us: f64,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("broker: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<(), Failure> {
    match *words {
        ["run"] => run(7, Duration::from_secs(2)),
        ["run", "--quick"] => run(3, Duration::from_secs(1)),
        ["gateway"] => gateway::run(7, Duration::from_secs(2)),
        ["gateway", "--quick"] => gateway::run(3, Duration::from_secs(1)),
        ["front", kind, port] => {
            processes::end_with_parent();
            block_on(gateway::serve(kind, port.parse()?))
        }
        ["load", form, port, pid, nats, window] => {
            let window = Duration::from_millis(window.parse()?);
            let watched = [pid.parse()?, nats.parse()?];
            let load = gateway::load(form == "batch", port.parse()?, watched, window);
            block_on(load)
        }
        ["serve", side, port] => {
            let (side, port) = (Side::named(side)?, port.parse()?);
            processes::end_with_parent();
            block_on(sides::serve(side, port))
        }
        ["call", side, port, count, pid, nats, window] => {
            let (side, port) = (Side::named(side)?, port.parse()?);
            let window = Duration::from_millis(window.parse()?);
            let watched = [pid.parse()?, nats.parse()?];
            let found = block_on(measure(side, port, count.parse()?, watched, window))?;
            println!("{}", serde_json::to_string(&found)?);
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(future)
}

/// All rounds. The order of what is compared is another one in each, so that a slow phase of the
/// machine affects all of them.
fn run(rounds: usize, window: Duration) -> Result<(), Failure> {
    let (broker, port) = broker()?;
    let mut rows: Vec<_> = (AT_A_TIME.into_iter())
        .flat_map(|count| Side::ALL.map(|side| (count, side, Vec::new())))
        .collect();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for index in 0..rows.len() {
            let length = rows.len();
            let (count, side, found) = &mut rows[(index + round) % length];
            found.push(one(*side, port, *count, broker.id(), window)?);
        }
    }
    println!(
        "Medians of {rounds} rounds; server on core 0, caller on core 1, the broker on any.\n"
    );
    println!(
        "| at a time | server ← caller | calls/s | p50 µs | p99 µs | CPU of the server, µs a call | of the broker | of the caller |"
    );
    println!("|---:|---|---:|---:|---:|---:|---:|---:|");
    for (count, side, found) in &rows {
        let median = |figure: fn(&Found) -> f64| {
            let mut figures: Vec<_> = found.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        println!(
            "| {count} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} |",
            side.name(),
            median(|found| found.calls_per_second),
            median(|found| found.p50_us),
            median(|found| found.p99_us),
            median(|found| found.server_us),
            median(|found| found.broker_us),
            median(|found| found.caller_us),
        );
    }
    Ok(())
}

/// One measurement, in fresh processes.
fn one(
    side: Side,
    port: u16,
    count: usize,
    broker: u32,
    window: Duration,
) -> Result<Found, Failure> {
    let port = port.to_string();
    let server = Child::start(0, &["serve", side.name(), &port])?;
    let (count, pid) = (count.to_string(), server.id().to_string());
    let (broker, window) = (broker.to_string(), window.as_millis().to_string());
    let words = ["call", side.name(), &port, &count, &pid, &broker, &window];
    let caller = Child::start(1, &words)?;
    Ok(serde_json::from_str(&caller.output()?)?)
}

/// Makes calls until the window is over.
async fn measure(
    side: Side,
    port: u16,
    count: usize,
    [server, broker]: [u32; 2],
    window: Duration,
) -> Result<Found, Failure> {
    use futures_util::future::try_join_all;
    use tokio::time::Instant;

    let caller = sides::caller(side, port).await?;
    let this = std::process::id();
    let begin = Instant::now() + window / 2;
    let end = begin + window;
    let calling = || async {
        let mut took = Vec::new();
        loop {
            let before = Instant::now();
            if before >= end {
                return Ok::<_, Failure>(took);
            }
            caller.call().await?;
            if before >= begin {
                took.push(before.elapsed());
            }
        }
    };
    let watching = async {
        tokio::time::sleep_until(begin).await;
        let all = || -> Result<_, Failure> {
            Ok([Cpu::of(server)?.0, Cpu::of(broker)?.0, Cpu::of(this)?.0])
        };
        let before = all()?;
        tokio::time::sleep_until(end).await;
        let after = all()?;
        Ok([0, 1, 2].map(|index| after[index] - before[index]))
    };
    let (took, cpu) = tokio::try_join!(try_join_all((0..count).map(|_| calling())), watching)?;
    let mut took = took.concat();
    took.sort_unstable();
    let calls = took.len() as f64;
    let at = |part: f64| {
        let index = (calls * part) as usize;
        took.get(index)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    Ok(Found {
        calls_per_second: calls / window.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
        server_us: cpu[0] * 1e6 / calls,
        broker_us: cpu[1] * 1e6 / calls,
        caller_us: cpu[2] * 1e6 / calls,
    })
}
