//! Benchmark of JSON-RPC servers and clients. `bench run` is the main command; the other commands
//! are its child processes, which can also be run alone.

mod cases;
mod client;
mod cpu;
mod finding;
mod inprocess;
mod load;
mod memory;
mod messages;
mod process;
mod run;
mod servers;
mod session;
mod table;
mod window;
mod wire;

use std::error::Error;
use std::future::Future;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;

use cases::{Case, Form};
use finding::{Finding, Refused};
use servers::{Peer, Serving};
use window::Plan;

const USAGE: &str = "usage:
bench run [--quick] [--peers A,B] [--cases A,B]   measure all, print one Markdown table
bench serve PEER [CASE] [--port N]                one server; prints its port, ends with stdin
bench load URL CASE [--pid N] [--quick]           load on a server; with --pid its CPU per call
bench memory URL CASE --pid N                     memory that a server holds for connections
bench client PEER URL CASE [--quick]              a client's own CPU per call
bench inprocess PEER [--quick]                    bytes to bytes inside one process
bench list                                        the peers and the cases";

/// Any error. No error is recoverable: a run with one failure has no result.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<(), Failure> {
    let quick = arguments.iter().any(|word| word == "--quick");
    let plan = if quick { Plan::QUICK } else { Plan::FULL };
    let words = positional(arguments);
    match words.as_slice() {
        ["run"] => run::run(
            quick,
            &chosen(arguments, "--peers", &Peer::all(), Peer::named)?,
            &chosen(arguments, "--cases", &Case::ALL, Case::named)?,
        ),
        ["serve", peer, case @ ..] => {
            let case = Case::named(case.first().copied().unwrap_or("call"))?;
            let port = option(arguments, "--port").map_or(Ok(0), str::parse)?;
            serve(Peer::named(peer)?, case, port)
        }
        ["load", url, case] => {
            let pid = option(arguments, "--pid").map(str::parse).transpose()?;
            let case = Case::named(case)?;
            let found = match case.form() {
                Form::Session => block_on(session::load(url, case, plan, pid)),
                _ => block_on(load::load(url, case, plan, pid)),
            };
            Finding::of(found.map(Finding::Cpu))?.print()
        }
        ["memory", url, case] => {
            let pid = option(arguments, "--pid").ok_or("memory needs --pid")?;
            let found = block_on(memory::measure(url, Case::named(case)?, pid.parse()?));
            Finding::of(found.map(Finding::Memory))?.print()
        }
        ["client", peer, url, case] => {
            let (peer, case) = (Peer::named(peer)?, Case::named(case)?);
            let found = block_on(client::measure(peer, url, case, plan));
            Finding::of(found.map(Finding::Cpu))?.print()
        }
        ["inprocess", peer] => Finding::Cpu(inprocess::measure(Peer::named(peer)?, plan)?).print(),
        ["list"] => {
            let peers: Vec<_> = Peer::all().iter().map(|peer| peer.name).collect();
            let cases: Vec<_> = Case::ALL.iter().map(|case| case.name()).collect();
            println!("peers: {}\ncases: {}", peers.join(" "), cases.join(" "));
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

/// Runs one server on a current-thread runtime until stdin is closed. The first line of its output
/// is the port, or the reason why the peer does not support this case.
fn serve(peer: Peer, case: Case, port: u16) -> Result<(), Failure> {
    if case.form() == Form::Memory {
        memory::allow_connections()?;
    }
    std::thread::spawn(|| {
        // The input has no meaning; its end, or an error, shows that the parent has gone.
        while matches!(std::io::stdin().read(&mut [0; 64]), Ok(1..)) {}
        std::process::exit(0);
    });
    block_on(async move {
        let listening = match case.scheme() {
            "tcp" => {
                let serve = peer.serve_lines.ok_or("no newline TCP")?;
                serve(case).await
            }
            _ => listen(peer, case, port),
        };
        match listening {
            Ok((port, serving)) => {
                println!("{port}");
                serving.await
            }
            Err(failure) => {
                println!("{}", failure.downcast::<Refused>()?);
                Ok(())
            }
        }
    })
}

fn listen(peer: Peer, case: Case, port: u16) -> Result<(u16, Serving), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok((port, (peer.serve)(listener, case)))
}

/// Runs a future on a current-thread runtime, so that each server has one process and one core.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

/// The arguments that are neither flags nor values of flags.
fn positional(arguments: &[String]) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "--quick" => {}
            "--peers" | "--cases" | "--port" | "--pid" => drop(rest.next()),
            word => words.push(word),
        }
    }
    words
}

/// The argument after `flag`.
fn option<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let place = arguments.iter().position(|word| word == flag)?;
    arguments.get(place + 1).map(String::as_str)
}

/// The comma-separated names after `flag`, or all names by default.
fn chosen<T: Copy>(
    arguments: &[String],
    flag: &str,
    all: &[T],
    named: fn(&str) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    match option(arguments, flag) {
        Some(names) => names.split(',').map(named).collect(),
        None => Ok(all.to_vec()),
    }
}
