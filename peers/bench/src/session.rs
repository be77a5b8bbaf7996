//! Session load generator: a few connections over WebSocket or newline TCP, each with many calls in
//! flight. Each received response is replaced by one more call, in one write per wake-up.

use std::rc::Rc;

use crate::Failure;
use crate::cases::Case;
use crate::client;
use crate::messages;
use crate::servers::OwnLoad;
use crate::window::{self, Loop, Plan, Progress, Sample};
use crate::wire::{Framing, Link};

/// Count of ids in rotation, more than are ever in flight.
const IDS: usize = 256;

/// All ids have four digits, so all requests have the same length.
const FIRST_ID: usize = 1000;

/// Calls the server at `url` as fast as it answers. Before the window, every id is called once on
/// each connection, and its response is parsed.
pub(crate) async fn load(
    url: &str,
    case: Case,
    plan: Plan,
    pids: &[u32],
) -> Result<Sample, Failure> {
    let (connections, in_flight) = shape(case)?;
    let progress = Rc::new(Progress::default());
    let mut loops: Vec<Loop> = Vec::new();
    for _ in 0..connections {
        let mut link = Link::open(url).await?;
        let mut calls = Calls::new(link.framing);
        let length = verify_all_ids(&mut link, &mut calls, in_flight).await?;
        let progress = Rc::clone(&progress);
        loops.push(Box::pin(call_on(link, calls, in_flight, length, progress)));
    }
    window::measure(loops, progress, plan, pids).await
}

/// The same load, made by the clients of a peer with a protocol of its own. A client is a
/// connection.
pub(crate) async fn load_with_own(
    own: OwnLoad,
    url: &str,
    case: Case,
    plan: Plan,
    pids: &[u32],
) -> Result<Sample, Failure> {
    let (connections, in_flight) = shape(case)?;
    let (_, address) = url.split_once("://").unwrap_or(("", url));
    let address = address.trim_end_matches('/');
    let mut callers = Vec::new();
    for _ in 0..connections {
        callers.push((own.connect)(address.to_owned()).await?);
    }
    client::calls_at_a_time(&callers, in_flight, plan, pids).await
}

/// The count of connections, and of calls in flight on each.
fn shape(case: Case) -> Result<(usize, usize), Failure> {
    match case {
        Case::Ws64 | Case::Tcp64 => Ok((4, 64)),
        Case::Ws1 | Case::Tcp1 => Ok((32, 1)),
        Case::Client64 => Ok((1, 64)),
        other => Err(format!("{} is no load of sessions", other.name()).into()),
    }
}

/// Calls once with every id and parses the responses, which may arrive in any order. Returns their
/// common length.
async fn verify_all_ids(
    link: &mut Link,
    calls: &mut Calls,
    in_flight: usize,
) -> Result<usize, Failure> {
    let mut open = [true; IDS];
    let mut length = 0;
    for _ in 0..IDS / in_flight {
        link.send(calls.next(in_flight)).await?;
        let mut missing = in_flight;
        while missing > 0 {
            let came = link.messages(|answer| {
                let id = messages::id_of_ten(answer)?;
                let place = id.checked_sub(FIRST_ID).and_then(|id| open.get_mut(id));
                if !place.is_some_and(std::mem::take) {
                    return Err(format!("an answer to {id}, which was not called").into());
                }
                length = answer.len();
                Ok(())
            });
            missing = missing
                .checked_sub(came.await?)
                .ok_or("more answers than calls")?;
        }
    }
    Ok(length)
}

/// The loop of one connection. A response of the known length is counted, and any other one is
/// parsed. A lost response is detected at the end, when the calls in flight are awaited.
async fn call_on(
    mut link: Link,
    mut calls: Calls,
    in_flight: usize,
    length: usize,
    progress: Rc<Progress>,
) -> Result<(), Failure> {
    let look = |answer: &[u8]| {
        if answer.len() == length {
            return Ok(());
        }
        messages::id_of_ten(answer).map(drop)
    };
    let mut open = in_flight;
    link.send(calls.next(in_flight)).await?;
    while open > 0 {
        let came = link.messages(look).await?;
        open = open.checked_sub(came).ok_or("more answers than calls")?;
        for _ in 0..came {
            progress.count();
        }
        if progress.goes_on() {
            link.send(calls.next(came)).await?;
            open += came;
        }
    }
    Ok(())
}

/// The encoded calls of all ids, stored twice in a row, so that any run of them is one slice.
struct Calls {
    bytes: Vec<u8>,
    length: usize,
    next: usize,
}

impl Calls {
    fn new(framing: Framing) -> Self {
        let one_round: Vec<u8> = (FIRST_ID..FIRST_ID + IDS)
            .flat_map(|id| framing.encode(&messages::call(id)))
            .collect();
        Self {
            length: one_round.len() / IDS,
            bytes: one_round.repeat(2),
            next: 0,
        }
    }

    /// The next `count` calls; at most [`IDS`].
    fn next(&mut self, count: usize) -> &[u8] {
        let start = self.next * self.length;
        self.next = (self.next + count) % IDS;
        &self.bytes[start..start + count * self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_go_round() {
        let mut calls = Calls::new(Framing::Lines);
        let first = calls.next(200).to_vec();
        let second = calls.next(200).to_vec();
        assert!(first.starts_with(messages::call(1000).as_bytes()));
        assert!(second.starts_with(messages::call(1200).as_bytes()));
        let last = format!("{}\n", messages::call(1143));
        assert!(second.ends_with(last.as_bytes()));
    }
}
