//! Implementation of `bench run`: starts a fresh server and a fresh load generator or client for
//! each measurement, repeats all peers for several rounds, and prints the tables.

use std::path::PathBuf;
use std::thread;

use crate::Failure;
use crate::cases::{Case, Form};
use crate::children::{LOAD_CORE, SERVER_CORE, Starter};
use crate::cpu::Pinning;
use crate::finding::Finding;
use crate::process::allow_all_files;
use crate::readme;
use crate::row::Row;
use crate::servers::{FLOOR, Peer, program};
use crate::table;

/// What to measure and to print.
pub(crate) struct Request {
    pub(crate) quick: bool,
    /// Whether the short table comes first.
    pub(crate) readme: bool,
    /// A built `antiphon`, instead of one that is built now.
    pub(crate) program: Option<PathBuf>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) cases: Vec<Case>,
}

pub(crate) fn run(request: Request) -> Result<(), Failure> {
    let mut rows = rows_of(&request);
    let measured = rows.iter().filter(|row| !row.is_empty());
    let rounds = measured
        .map(|row| rounds_of(row.case, request.quick))
        .max()
        .ok_or("none of these peers supports one of these cases")?;
    // The servers inherit the limit.
    allow_all_files()?;
    let has_program = rows
        .iter()
        .any(|row| !row.is_empty() && Peer::named(row.peer).is_ok_and(|peer| peer.program));
    let starter = Starter {
        bench: std::env::current_exe()?,
        antiphon: match request.program {
            Some(path) => Some(std::path::absolute(path)?),
            None if has_program => Some(program::build()?),
            None => None,
        },
        pinning: Pinning::detect(),
        quick: request.quick,
    };
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for index in order(&rows, round) {
            let row = &mut rows[index];
            if row.is_empty() || round >= rounds_of(row.case, request.quick) {
                continue;
            }
            let found = find(&starter, Peer::named(row.peer)?, row.case)
                .map_err(|failure| format!("{} {}: {failure}", row.peer, row.case.name()))?;
            row.add(found);
        }
    }
    println!(
        "{} cores, {}; medians of {rounds} rounds, of some cases of fewer.\n",
        thread::available_parallelism()?,
        starter.pinning.sentence(),
    );
    if request.readme {
        println!("{}", readme::markdown(&rows));
    }
    println!("{}", table::markdown(&rows));
    Ok(())
}

fn rows_of(request: &Request) -> Vec<Row> {
    let mut rows = Vec::new();
    for &case in &request.cases {
        for peer in request.peers.iter().filter(|peer| peer.offers(case)) {
            rows.push(match peer.lacks(case) {
                true => Row::empty(case, peer.name),
                false => Row::new(case, peer.name),
            });
        }
    }
    rows
}

/// The count of rounds. Memory usage varies far less than CPU time, `unread` lasts 45 seconds, and
/// there are many cases of scale.
fn rounds_of(case: Case, quick: bool) -> usize {
    match (case, case.form(), quick) {
        (Case::Unread, ..) => 1,
        (_, _, true) | (_, Form::Memory, _) => 3,
        (Case::Scale(_), ..) => 5,
        _ => 9,
    }
}

/// The order of the rows in a round. The peers of a case are measured in succession, and each round
/// begins with another peer, so that a slow phase of the machine affects all of them.
fn order(rows: &[Row], round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for case in order.chunk_by_mut(|&a, &b| rows[a].case == rows[b].case) {
        let turn = round % case.len();
        case.rotate_left(turn);
    }
    order
}

/// Makes one measurement of one peer, in fresh processes.
fn find(starter: &Starter, peer: Peer, case: Case) -> Result<Finding, Failure> {
    let form = case.form();
    if form == Form::InProcess {
        return starter.measure(SERVER_CORE, &["inprocess", peer.name]);
    }
    let served = if form == Form::Client { FLOOR } else { peer };
    let server = match starter.server(served, case) {
        Ok(server) => server,
        Err(failure) => return Finding::of(Err(failure)),
    };
    let (url, name, pid) = (&server.url, case.name(), server.pid().to_string());
    let arguments: &[&str] = match form {
        Form::Client => &["client", peer.name, url, &name],
        Form::Memory => &["memory", url, &name, "--pid", &pid],
        Form::Turns => &["turns", url, &name, "--pid", &pid],
        Form::Relay => &["relay", url, &name, "--pid", &pid],
        // The load depends on the peer, too.
        _ if peer.own_load.is_some() || (form == Form::Fanout && peer.program) => {
            &["load", url, &name, "--pid", &pid, "--client", peer.name]
        }
        _ => &["load", url, &name, "--pid", &pid],
    };
    starter.measure(LOAD_CORE, arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_begins_with_another_peer_of_each_case() {
        let rows = [
            Row::new(Case::Call, "floor"),
            Row::new(Case::Call, "antiphon"),
            Row::new(Case::Call, "jsonrpsee"),
            Row::new(Case::Ws1, "floor"),
            Row::new(Case::Ws1, "antiphon"),
        ];
        assert_eq!(order(&rows, 0), [0, 1, 2, 3, 4]);
        assert_eq!(order(&rows, 1), [1, 2, 0, 4, 3]);
        assert_eq!(order(&rows, 2), [2, 0, 1, 3, 4]);
    }
}
