//! The one command: starts a fresh server for each measurement, load or client beside it, goes
//! round over all peers several times, and prints the table.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::cases::Case;
use crate::cpu::Pinning;
use crate::servers::{FLOOR, Peer};
use crate::table::{self, Row};
use crate::window::Sample;

const SERVER_CORE: u32 = 0;
const LOAD_CORE: u32 = 1;

/// No child needs longer than this; one that does has failed.
const CHILD_LIMIT: Duration = Duration::from_secs(60);

/// A server ends at once when its stdin does; after this it is killed.
const SERVER_END: Duration = Duration::from_secs(2);

pub(crate) fn run(quick: bool, peers: &[Peer], cases: &[Case]) -> Result<(), Failure> {
    let rounds = if quick { 3 } else { 9 };
    let bench = Bench {
        program: std::env::current_exe()?,
        pinning: Pinning::detect(),
        quick,
    };
    let mut rows: Vec<Row> = Vec::new();
    for &case in cases {
        for peer in peers.iter().filter(|peer| peer.offers(case)) {
            let (peer, samples) = (peer.name, Vec::new());
            rows.push(Row {
                case,
                peer,
                samples,
            });
        }
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for index in order(&rows, round) {
            let row = &mut rows[index];
            let sample = bench
                .sample(Peer::named(row.peer)?, row.case)
                .map_err(|failure| format!("{} {}: {failure}", row.peer, row.case.name()))?;
            row.samples.push(sample);
        }
    }
    println!(
        "{} cores, {}; medians of {rounds} rounds.\n\n{}",
        thread::available_parallelism()?,
        bench.pinning.sentence(),
        table::markdown(&rows)
    );
    Ok(())
}

/// The peers of a case are measured one right after the other, and each round begins with
/// another one, so that a slow minute of the machine meets them all.
fn order(rows: &[Row], round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for case in order.chunk_by_mut(|&a, &b| rows[a].case == rows[b].case) {
        let turn = round % case.len();
        case.rotate_left(turn);
    }
    order
}

struct Bench {
    program: PathBuf,
    pinning: Pinning,
    quick: bool,
}

impl Bench {
    /// One measurement of one peer, in processes of its own.
    fn sample(&self, peer: Peer, case: Case) -> Result<Sample, Failure> {
        let name = case.name();
        match case {
            Case::Call | Case::Batch100 | Case::Params1m | Case::Result1m => {
                let server = self.server(peer, case)?;
                let pid = server.child.id().to_string();
                self.measure(LOAD_CORE, &["load", &server.url, name, "--pid", &pid])
            }
            Case::InProcess => self.measure(SERVER_CORE, &["inprocess", peer.name]),
            Case::Client | Case::Client16 => {
                let server = self.server(FLOOR, case)?;
                self.measure(LOAD_CORE, &["client", peer.name, &server.url, name])
            }
        }
    }

    fn server(&self, peer: Peer, case: Case) -> Result<Server, Failure> {
        let mut command = self.pinning.command(SERVER_CORE, &self.program);
        command.args(["serve", peer.name, case.name()]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take();
        let mut server = Server {
            child,
            url: String::new(),
        };
        let mut line = String::new();
        BufReader::new(stdout.ok_or("a server without stdout")?).read_line(&mut line)?;
        let port: u16 = line
            .trim()
            .parse()
            .map_err(|_| "the server did not start")?;
        server.url = format!("http://127.0.0.1:{port}/");
        Ok(server)
    }

    /// Runs a child that prints one sample.
    fn measure(&self, core: u32, arguments: &[&str]) -> Result<Sample, Failure> {
        let mut command: Command = self.pinning.command(core, &self.program);
        command.args(arguments);
        if self.quick {
            command.arg("--quick");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        if !ends_within(&mut child, CHILD_LIMIT)? {
            kill(&mut child);
            return Err("a measurement did not end in time".into());
        }
        // One line fits into the pipe, so it could be written before anybody read it.
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("a child without stdout")?;
        stdout.take(4096).read_to_string(&mut line)?;
        if !child.wait()?.success() {
            return Err("a measurement failed".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// A server process; dropping it ends it.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if !matches!(ends_within(&mut self.child, SERVER_END), Ok(true)) {
            kill(&mut self.child);
        }
    }
}

fn ends_within(child: &mut Child, limit: Duration) -> Result<bool, Failure> {
    let deadline = Instant::now() + limit;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

/// By its pid; that it has ended already is no failure.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
