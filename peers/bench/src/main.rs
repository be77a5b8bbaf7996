//! Benchmark of JSON-RPC servers and clients. `bench run` is the main command; the other commands
//! are its child processes, which can also be run alone.

mod cases;
mod children;
mod client;
mod cpu;
mod fanout;
mod finding;
mod inprocess;
mod load;
mod memory;
mod messages;
mod process;
mod readme;
mod relay;
mod row;
mod run;
mod servers;
mod session;
mod statistics;
mod table;
mod turns;
mod window;
mod wire;

use std::error::Error;
use std::future::Future;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use cases::{Case, Form};
use finding::{Finding, Refused};
use run::Request;
use servers::{Peer, Serving};
use tokio::runtime::Builder;
use window::Plan;

const USAGE: &str = "usage:
bench run [--quick] [--peers A,B] [--cases A,B]   measure all, print Markdown tables
          [--readme] [--program PATH]             a short table first; a built `antiphon`
bench serve PEER [CASE] [--port N]                one server; prints its port, ends with stdin
bench load URL CASE [--pid N] [--quick]           load on a server; with --pid its CPU per call,
           [--client PEER]                        with its children; with a peer's own clients
bench memory URL CASE --pid N                     memory that a server holds for connections
bench turns URL CASE --pid N                      connections of each worker of a server
bench relay URL CASE --pid N [--quick]            items from one worker of a server to another
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
        ["run"] => run::run(Request {
            quick,
            readme: arguments.iter().any(|word| word == "--readme"),
            program: option(arguments, "--program").map(PathBuf::from),
            peers: chosen(arguments, "--peers", Peer::all().to_vec(), |name| {
                Ok(vec![Peer::named(name)?])
            })?,
            cases: chosen(arguments, "--cases", Case::all(), Case::group)?,
        }),
        ["serve", peer, case @ ..] => {
            let case = Case::named(case.first().copied().unwrap_or("call"))?;
            let port = option(arguments, "--port").map_or(Ok(0), str::parse)?;
            serve(Peer::named(peer)?, case, port)
        }
        ["load", url, case] => {
            let pids = match option(arguments, "--pid") {
                Some(pid) => process::with_children(pid.parse()?)?,
                None => Vec::new(),
            };
            let peer = option(arguments, "--client").map(Peer::named).transpose()?;
            let own = peer.and_then(|peer| peer.own_load);
            let methods = match peer.is_some_and(|peer| peer.program) {
                true => fanout::Methods::News,
                false => fanout::Methods::Items,
            };
            let case = Case::named(case)?;
            let found = match (own, case.form()) {
                (Some(own), _) => block_on(session::load_with_own(own, url, case, plan, &pids)),
                (_, Form::Session) => block_on(session::load(url, case, plan, &pids)),
                (_, Form::Fanout) => block_on(fanout::load(url, case, methods, plan, &pids)),
                _ => block_on(load::load(url, case, plan, &pids)),
            };
            Finding::of(found.map(Finding::Cpu))?.print()
        }
        ["memory", url, case] => {
            let pid = option(arguments, "--pid").ok_or("memory needs --pid")?;
            let found = block_on(memory::measure(url, Case::named(case)?, pid.parse()?));
            Finding::of(found.map(Finding::Memory))?.print()
        }
        ["turns", url, case] => {
            let pid = option(arguments, "--pid").ok_or("turns needs --pid")?;
            let Case::Turns(turns) = Case::named(case)? else {
                return Err(format!("{case} is no case of workers").into());
            };
            let counts = block_on(turns::measure(url, turns, pid.parse()?))?;
            Finding::Turns(counts).print()
        }
        ["relay", url, case] => {
            let pid = option(arguments, "--pid").ok_or("relay needs --pid")?;
            let (case, pid) = (Case::named(case)?, pid.parse()?);
            Finding::Relay(block_on(relay::measure(url, case, plan, pid))?).print()
        }
        ["client", peer, url, case] => {
            let (peer, case) = (Peer::named(peer)?, Case::named(case)?);
            let found = block_on(client::measure(peer, url, case, plan));
            Finding::of(found.map(Finding::Cpu))?.print()
        }
        ["inprocess", peer] => Finding::Cpu(inprocess::measure(Peer::named(peer)?, plan)?).print(),
        ["list"] => {
            let peers: Vec<_> = Peer::all().iter().map(|peer| peer.name).collect();
            let cases: Vec<_> = Case::all().into_iter().map(Case::name).collect();
            println!("peers: {}\ncases: {}", peers.join(" "), cases.join(" "));
            println!("groups of cases: readme idle turns scale scale-1 scale-10 scale-100 …");
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

/// Runs one server until stdin is closed, on a current-thread runtime, or with the threads of the
/// case. The first line of its output
/// is the port, or the reason why the peer does not support this case.
fn serve(peer: Peer, case: Case, port: u16) -> Result<(), Failure> {
    match case.form() {
        Form::Memory => memory::allow_connections()?,
        Form::Fanout => fanout::allow_connections(case)?,
        _ => process::allow_all_files()?,
    }
    std::thread::spawn(|| {
        // The input has no meaning; its end, or an error, shows that the parent has gone.
        while matches!(std::io::stdin().read(&mut [0; 64]), Ok(1..)) {}
        std::process::exit(0);
    });
    block_on_threads(case.setup().cores(), async move {
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

/// Runs a future on a current-thread runtime, so that it has one core.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    block_on_threads(1, future)
}

/// Runs a future on a runtime with so many threads.
fn block_on_threads<T>(
    threads: usize,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut runtime = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(threads).enable_all().build()?;
    runtime.block_on(future)
}

/// The arguments that are neither flags nor values of flags.
fn positional(arguments: &[String]) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "--quick" | "--readme" => {}
            "--peers" | "--cases" | "--port" | "--pid" | "--client" | "--program" => {
                _ = rest.next()
            }
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

/// What the comma-separated names after `flag` stand for, or all by default. Each is chosen once.
fn chosen<T: PartialEq>(
    arguments: &[String],
    flag: &str,
    all: Vec<T>,
    named: impl Fn(&str) -> Result<Vec<T>, Failure>,
) -> Result<Vec<T>, Failure> {
    let Some(names) = option(arguments, flag) else {
        return Ok(all);
    };
    let mut chosen = Vec::new();
    for name in names.split(',') {
        for one in named(name)? {
            if !chosen.contains(&one) {
                chosen.push(one);
            }
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_flags_are_no_words_and_what_is_named_twice_is_chosen_once() {
        let line = "run --readme --program antiphon --cases readme,call,turns --quick";
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(positional(&arguments), ["run"]);
        assert_eq!(option(&arguments, "--program"), Some("antiphon"));
        let cases = chosen(&arguments, "--cases", Vec::new(), Case::group).unwrap();
        let count = Case::README.len() + Case::group("turns").unwrap().len();
        assert_eq!(cases.len(), count);
        let peers = vec!["all"];
        let none = |_: &str| Err("nothing is named".into());
        assert_eq!(
            chosen(&arguments, "--peers", peers.clone(), none).unwrap(),
            peers
        );
    }
}
