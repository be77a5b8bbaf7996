//! `antiphon`: a JSON-RPC server, client and code generator for the command line.
//!
//! | file | what it does |
//! |---|---|
//! | `main.rs` | command line and exit code; the only place that prints errors |
//! | `serve.rs` | `antiphon serve` |
//! | `gateway/` | `antiphon gateway` |
//! | `allocator.rs` | how `antiphon serve` returns memory to the system |
//! | `calculator.rs`, `random_walks.rs`, `ticks.rs`, `news.rs` | methods of `antiphon serve` |
//! | `mcp.rs` | `antiphon mcp` |
//! | `call.rs` | `antiphon call` |
//! | `batch.rs` | `antiphon batch` |
//! | `listen.rs` | `antiphon listen` |
//! | `ctl/` | `antiphon ctl` |
//! | `token.rs` | `antiphon token` |
//! | `docs.rs` | `antiphon docs` |
//! | `codegen/` | `antiphon codegen` |
//! | `source.rs` | input of `docs` and `codegen`: an OpenRPC document from a file or a server |
//! | `openrpc/` | OpenRPC documents of every version, in one file or in several |
//! | `shell.rs` | `antiphon completions`, `antiphon man` |
//! | `credentials.rs` | credentials of a command: a token, a certificate |
//! | `remote.rs` | connection options, runtime and timeout of a command |
//! | `args.rs` | parameters from the command line, files and standard input |
//! | `output.rs`, `output_file.rs` | standard output and standard error; files |
//! | `json.rs` | indentation and colours for JSON text |
//! | `exit.rs` | exit codes |
//!
//! Standard output carries only results; messages about them go to standard error.

mod allocator;
mod args;
mod batch;
mod calculator;
mod call;
mod codegen;
mod credentials;
mod ctl;
mod docs;
mod exit;
mod gateway;
mod json;
mod listen;
mod mcp;
mod news;
mod openrpc;
mod output;
mod output_file;
mod random_walks;
mod remote;
mod serve;
mod shell;
mod source;
mod ticks;
mod token;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::exit::Failure;
use crate::output::{Color, Output};

/// JSON-RPC 2.0 on the command line: call methods, send batches, serve a calculator to try it on
#[derive(Parser)]
#[command(name = "antiphon", version, after_help = HELP)]
struct Cli {
    /// Colour in what is printed; `auto` means on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: Color,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a calculator, and commands that tell about the server
    Serve(Box<serve::ServeCommand>),
    /// Serve the methods of other servers, of which several may serve the same
    Gateway(Box<gateway::GatewayCommand>),
    /// Give an agent the methods of a server as tools, on standard input and output
    Mcp(mcp::McpCommand),
    /// Call one method and print its result
    Call(call::CallCommand),
    /// Send calls together, one JSON object a line
    Batch(batch::BatchCommand),
    /// Subscribe to a method and print its items, one a line
    Listen(listen::ListenCommand),
    /// Write what a server offers as Markdown, HTML, reStructuredText or OpenRPC
    Docs(docs::DocsCommand),
    /// Write a client in Rust, TypeScript or Python from an OpenRPC document
    Codegen(codegen::CodegenCommand),
    /// Look after a server with worker processes: status, kill, reload, upgrade, stop
    Ctl(ctl::CtlCommand),
    /// Make tokens with which callers authenticate themselves
    Token(token::TokenCommand),
    /// Print a script with which a shell completes this command line
    Completions(shell::CompletionsCommand),
    /// Print the manual, for `man -l -`
    Man,
}

const HELP: &str = "\
Examples:
  antiphon serve                             answer on 127.0.0.1:8060
  antiphon gateway -u ws://10.0.0.1:8060     in front of other servers
  antiphon mcp :8060                         the methods of a server as tools of an agent
  antiphon call :8060 calc.add 3 4           parameters by position
  antiphon call :8060 calc.add a=3 b=4       parameters by name
  antiphon call :8060 functions_list         what can be called
  antiphon batch :8060 calls.jsonl           many calls in one request
  antiphon listen ws://localhost:8060 ticks  a stream, one item a line
  antiphon docs :8060 -f html -o api.html     what is offered, for people
  antiphon codegen api.json --lang python    a client in another language
  antiphon ctl status --watch                a server with workers, each second
  antiphon token new alice calc:random       a token, and its line for `serve --auth-tokens`

Exit codes:
    0  done
    1  the server answered with an error (`serve`: it could not start)
    2  wrong usage, or a file that cannot be read or written
    3  no connection, or it broke
    4  no answer in time
    5  what came is no answer of JSON-RPC, or HTTP refused the request
    6  some calls of a batch failed, others did not
  130  interrupted";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.color);
    match run(cli.command, &output) {
        Ok(code) => code,
        Err(failure) => {
            output.failure(&failure);
            failure.exit().into()
        }
    }
}

fn run(command: Command, output: &Output) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(command) => {
            allocator::return_memory();
            Ok(command.run())
        }
        Command::Gateway(command) => {
            allocator::return_memory();
            command.run()
        }
        Command::Mcp(command) => command.run(),
        Command::Call(command) => command.run(output).map(ExitCode::from),
        Command::Batch(command) => command.run(output).map(ExitCode::from),
        Command::Listen(command) => command.run(output).map(ExitCode::from),
        Command::Docs(command) => command.run(output).map(ExitCode::from),
        Command::Codegen(command) => command.run(output).map(ExitCode::from),
        Command::Ctl(command) => command.run(output).map(ExitCode::from),
        Command::Token(command) => command.run(output).map(ExitCode::from),
        Command::Completions(command) => command.run(Cli::command(), output).map(ExitCode::from),
        Command::Man => shell::manual(Cli::command(), output).map(ExitCode::from),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        use clap::CommandFactory as _;
        super::Cli::command().debug_assert();
    }
}
