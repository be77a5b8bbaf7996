//! Clients: what a call costs the process that makes it. The server is the floor, which echoes
//! the id and does nothing else.

use std::rc::Rc;

use crate::Failure;
use crate::cases::Case;
use crate::servers::Peer;
use crate::window::{self, LocalFuture, Loop, Plan, Progress, Sample};

/// How many calls the concurrent case has in flight.
const CONCURRENT: usize = 16;

/// One call of `calc.add` with 3 and 7, and its result. The box costs some 30 ns of the some
/// 10 µs of a call.
pub(crate) type Caller = Rc<dyn Fn() -> LocalFuture<'static, Result<f64, Failure>>>;

pub(crate) async fn measure(
    peer: Peer,
    url: &str,
    case: Case,
    plan: Plan,
) -> Result<Sample, Failure> {
    let connect = peer
        .client
        .ok_or_else(|| format!("{} has no client", peer.name))?;
    let at_a_time = match case {
        Case::Client => 1,
        Case::Client16 => CONCURRENT,
        other => return Err(format!("{} is no case for a client", other.name()).into()),
    };
    let caller = connect(url)?;
    let progress = Rc::new(Progress::default());
    let loops = (0..at_a_time)
        .map(|_| Box::pin(call_with(Rc::clone(&caller), Rc::clone(&progress))) as Loop)
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
