//! Benchmark of clients: the CPU time of the process that makes the calls. The server is the floor,
//! which only returns the id with a fixed result.

use std::rc::Rc;

use crate::Failure;
use crate::cases::Case;
use crate::servers::Peer;
use crate::window::{self, LocalFuture, Loop, Plan, Progress, Sample};

/// Count of calls in flight in the concurrent cases, over HTTP and over one WebSocket.
const CONCURRENT: usize = 16;
const CONCURRENT_WS: usize = 64;

/// The numbers that clients add.
pub(crate) const NUMBERS: [f64; 2] = [3.0, 7.0];

/// Function that calls `calc.add` with 3 and 7 and returns the result. Boxing the future costs
/// about 30 ns of the roughly 10 µs of a call.
pub(crate) type Caller = Rc<dyn Fn() -> LocalFuture<'static, Result<f64, Failure>>>;

pub(crate) async fn measure(
    peer: Peer,
    url: &str,
    case: Case,
    plan: Plan,
) -> Result<Sample, Failure> {
    if case == Case::Client64 {
        let measure = peer
            .ws_client
            .ok_or_else(|| format!("{} has no WebSocket client", peer.name))?;
        return measure(url.to_owned(), plan).await;
    }
    let connect = peer
        .client
        .ok_or_else(|| format!("{} has no client", peer.name))?;
    let at_a_time = match case {
        Case::Client => 1,
        Case::Client16 => CONCURRENT,
        other => return Err(format!("{} is no case for a client", other.name()).into()),
    };
    calls_at_a_time(&[connect(url)?], at_a_time, plan, &[std::process::id()]).await
}

/// Measures concurrent calls on a connected WebSocket client.
pub(crate) async fn concurrent(caller: &Caller, plan: Plan) -> Result<Sample, Failure> {
    let this = std::process::id();
    calls_at_a_time(&[Rc::clone(caller)], CONCURRENT_WS, plan, &[this]).await
}

/// Makes so many calls at a time with each of the clients, and measures the given processes.
pub(crate) async fn calls_at_a_time(
    callers: &[Caller],
    at_a_time: usize,
    plan: Plan,
    pids: &[u32],
) -> Result<Sample, Failure> {
    let progress = Rc::new(Progress::default());
    let each = callers
        .iter()
        .flat_map(|caller| std::iter::repeat_n(caller, at_a_time));
    let loops = each
        .map(|caller| Box::pin(call_with(Rc::clone(caller), Rc::clone(&progress))) as Loop)
        .collect();
    window::measure(loops, progress, plan, pids).await
}

async fn call_with(caller: Caller, progress: Rc<Progress>) -> Result<(), Failure> {
    while progress.goes_on() {
        let result = caller().await?;
        if result != 10.0 {
            return Err(format!("a client got {result} for 3 + 7").into());
        }
        progress.count();
    }
    Ok(())
}
