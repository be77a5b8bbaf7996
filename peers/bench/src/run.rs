//! Implementation of `bench run`: starts a fresh server and a fresh load generator or client for
//! each measurement, repeats all peers for several rounds, and prints the tables.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::cases::{Case, Form};
use crate::cpu::Pinning;
use crate::finding::{Finding, Refused};
use crate::servers::{FLOOR, Peer};
use crate::table::{self, Row};

const SERVER_CORE: u32 = 0;
const LOAD_CORE: u32 = 1;

/// Timeout of a child process.
const CHILD_LIMIT: Duration = Duration::from_secs(60);

/// How long a server may take to exit after its stdin is closed; then it is killed.
const SERVER_END: Duration = Duration::from_secs(2);

pub(crate) fn run(quick: bool, peers: &[Peer], cases: &[Case]) -> Result<(), Failure> {
    let rounds = rounds_of(Form::Http, quick);
    let bench = Bench {
        program: std::env::current_exe()?,
        pinning: Pinning::detect(),
        quick,
    };
    let mut rows: Vec<Row> = Vec::new();
    for &case in cases {
        for peer in peers.iter().filter(|peer| peer.offers(case)) {
            rows.push(Row::new(case, peer.name));
        }
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for index in order(&rows, round) {
            let row = &mut rows[index];
            if round >= rounds_of(row.case.form(), quick) {
                continue;
            }
            let found = bench
                .find(Peer::named(row.peer)?, row.case)
                .map_err(|failure| format!("{} {}: {failure}", row.peer, row.case.name()))?;
            row.add(found);
        }
    }
    println!(
        "{} cores, {}; medians of {rounds} rounds, memory of one.\n\n{}",
        thread::available_parallelism()?,
        bench.pinning.sentence(),
        table::markdown(&rows)
    );
    Ok(())
}

/// The count of rounds. Memory usage varies far less than CPU time, and its round takes much
/// longer.
fn rounds_of(form: Form, quick: bool) -> usize {
    match (form, quick) {
        (Form::Memory, _) => 1,
        (_, true) => 3,
        (_, false) => 9,
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

struct Bench {
    program: PathBuf,
    pinning: Pinning,
    quick: bool,
}

impl Bench {
    /// Makes one measurement of one peer, in fresh processes.
    fn find(&self, peer: Peer, case: Case) -> Result<Finding, Failure> {
        let form = case.form();
        if form == Form::InProcess {
            return self.measure(SERVER_CORE, &["inprocess", peer.name]);
        }
        let served = if form == Form::Client { FLOOR } else { peer };
        let server = match self.server(served, case) {
            Ok(server) => server,
            Err(failure) => return Finding::of(Err(failure)),
        };
        let (url, name, pid) = (&server.url, case.name(), server.child.id().to_string());
        match form {
            Form::Client => self.measure(LOAD_CORE, &["client", peer.name, url, name]),
            Form::Memory => self.measure(LOAD_CORE, &["memory", url, name, "--pid", &pid]),
            _ => self.measure(LOAD_CORE, &["load", url, name, "--pid", &pid]),
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
        if let Some(why) = line.trim().strip_prefix("refused: ") {
            return Err(Refused(why.to_owned()).into());
        }
        let port: u16 = line
            .trim()
            .parse()
            .map_err(|_| "the server did not start")?;
        server.url = format!("{}://127.0.0.1:{port}/", case.scheme());
        Ok(server)
    }

    /// Runs a child process that prints one finding.
    fn measure(&self, core: u32, arguments: &[&str]) -> Result<Finding, Failure> {
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
        // One line fits into the pipe buffer, so the child could write it before it was read.
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("a child without stdout")?;
        stdout.take(4096).read_to_string(&mut line)?;
        if !child.wait()?.success() {
            return Err("a measurement failed".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// A server process. Dropping it ends the process.
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

/// Kills by process id. A process that has already ended is no error.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
