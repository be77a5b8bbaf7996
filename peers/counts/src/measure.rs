//! Count of one case: two runs of different length. What both do, start, handshake and end, drops
//! out of their difference.

use crate::Failure;
use crate::callgrind::Counted;
use crate::cases::{self, Case};
use crate::connection::Connection;
use crate::framing::Framing;
use crate::programs::{Program, ProgramKind, Programs};

/// Totals of the two runs of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    short: u64,
    long: u64,
}

impl Totals {
    pub(crate) fn measure(case: Case, programs: &Programs) -> Result<Self, Failure> {
        let rounds = case.plan().rounds;
        Ok(Self {
            short: run(case, programs, rounds.start)?,
            long: run(case, programs, rounds.end)?,
        })
    }

    /// The lower total of each run. A busy machine can only add to one: a message that arrives in
    /// two pieces, a timer that ends meanwhile.
    pub(crate) fn lowest(self, again: Self) -> Self {
        Self {
            short: self.short.min(again.short),
            long: self.long.min(again.long),
        }
    }

    /// Instructions of one call, or of one item.
    pub(crate) fn count(self, case: Case) -> Result<u64, Failure> {
        let plan = case.plan();
        let calls = plan.rounds.len() * plan.calls;
        Ok(per_call(self.short, self.long, calls)?)
    }
}

/// The difference of two totals, divided by the calls that the longer run has made more, rounded.
fn per_call(short: u64, long: u64, calls: usize) -> Result<u64, String> {
    match (long.checked_sub(short), u64::try_from(calls)) {
        (Some(more), Ok(calls)) if calls > 0 && more > 0 => Ok((more + calls / 2) / calls),
        _ => Err(format!(
            "{calls} calls more took {long} instructions, and without them it were {short}"
        )),
    }
}

/// Total of a run of so many rounds.
fn run(case: Case, programs: &Programs, rounds: usize) -> Result<u64, Failure> {
    let kind = case.plan().program;
    let program = programs.program(kind, rounds);
    let mut counted = Counted::start(&program)?;
    if kind != ProgramKind::Calls {
        load(case, &program, &mut counted, rounds)
            .map_err(|failure| counted.failure(&failure.to_string()))?;
        counted.terminate()?;
    }
    counted.total()
}

fn load(
    case: Case,
    program: &Program,
    counted: &mut Counted,
    rounds: usize,
) -> Result<(), Failure> {
    let addresses = counted.addresses(program.addresses)?;
    let mut addresses = addresses.into_iter();
    let (_, address) = addresses
        .find(|(scheme, _)| scheme == case.scheme())
        .ok_or_else(|| format!("it does not listen on {}", case.scheme()))?;

    let mut subscribers = Vec::new();
    for _ in 0..case.subscribers() {
        let mut subscriber = Connection::open(address, Framing::WebSocket)?;
        subscriber.send(&cases::subscription())?;
        subscriber.receive()?;
        subscribers.push(subscriber);
    }
    let exchange = case.exchange();
    let mut connection = Connection::open(address, exchange.framing)?;
    for _ in 0..rounds {
        connection.exchange(&exchange)?;
        for subscriber in &mut subscribers {
            for _ in 0..case.items() {
                let item = subscriber.receive()?;
                if !item.ends_with(cases::ITEM.as_bytes()) {
                    return Err(format!("a wrong item: {}", String::from_utf8_lossy(&item)).into());
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_measurements_the_lower_total_of_each_run_holds() {
        let once = Totals {
            short: 1_000,
            long: 21_700,
        };
        let again = Totals {
            short: 1_300,
            long: 21_000,
        };
        let lowest = once.lowest(again);
        assert_eq!(lowest, again.lowest(once));
        assert_eq!((lowest.short, lowest.long), (1_000, 21_000));
    }

    #[test]
    fn what_was_executed_more_is_divided_by_what_was_done_more() {
        for (short, long, calls, expected) in [
            (1_000, 21_000, 2, Some(10_000)),
            (0, 15, 10, Some(2)),
            (0, 14, 10, Some(1)),
            (7, 7, 10, None),
            (8, 7, 10, None),
            (7, 8, 0, None),
        ] {
            let found = per_call(short, long, calls);
            assert_eq!(found.ok(), expected, "{short} {long} {calls}");
        }
    }
}
