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
    calls_at_a_time(&connect(url)?, at_a_time, plan).await
}

/// Measures concurrent calls on a connected WebSocket client.
pub(crate) async fn concurrent(caller: &Caller, plan: Plan) -> Result<Sample, Failure> {
    calls_at_a_time(caller, CONCURRENT_WS, plan).await
}

async fn calls_at_a_time(caller: &Caller, at_a_time: usize, plan: Plan) -> Result<Sample, Failure> {
    let progress = Rc::new(Progress::default());
    let loops = (0..at_a_time)
        .map(|_| Box::pin(call_with(Rc::clone(caller), Rc::clone(&progress))) as Loop)
        .collect();
    window::measure(loops, progress, plan, Some(std::process::id())).await
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
