//! Supervision of worker processes.
//!
//! The supervisor binds the listeners and serves nothing itself. Its workers are the same program,
//! executed once more. Each gets the listeners over the socket pair that is its standard input
//! ([`handover`]), and speaks JSON-RPC on it from then on ([`channel`]): it says that it is ready and
//! alive, and is told when to stop.
//!
//! | file | what it does |
//! |---|---|
//! | `role.rs` | whether this process is a worker, or takes over from another supervisor |
//! | `handover.rs`, `channel.rs` | what a process is told at its start; the session after that |
//! | `process.rs` | starting a process, and signals to it |
//! | `worker.rs`, `report.rs` | the worker's side |
//! | `supervise.rs` | the supervisor, from its start to the end of its last worker |
//! | `state.rs`, `worker_state.rs` | what it knows, in all and of each worker |
//! | `event.rs`, `event_loop.rs` | what happens to it, and what it does then |
//! | `reconcile.rs`, `deadline.rs` | which workers to start, to stop and to kill, and when to look again |
//! | `spawn.rs`, `stop.rs`, `restart.rs` | starting and stopping workers; how often dead ones are replaced |
//! | `reload.rs`, `upgrade.rs` | new workers, or another program, in place of all |
//! | `inherit.rs` | what it has from the supervisor it replaces |
//! | `status.rs` | status as `server_info` and the control socket tell it |
//! | `control_socket.rs`, `control_path.rs`, `commands.rs` | the control socket, its path and its methods |
//! | `signals.rs`, `systemd.rs`, `pid_file.rs` | signals, the service manager, the PID file |

mod channel;
mod commands;
mod control_path;
mod control_socket;
mod deadline;
mod event;
mod event_loop;
mod handover;
mod inherit;
mod pid_file;
mod process;
mod reconcile;
mod reload;
mod report;
mod restart;
mod role;
mod signals;
mod spawn;
mod state;
mod status;
mod stop;
mod supervise;
mod systemd;
mod upgrade;
mod worker;
mod worker_state;

pub(crate) use role::{Assignment, Role};
pub(crate) use state::GenerationConfig;
pub(crate) use supervise::supervise;
pub(crate) use systemd::{Notice, activated, notify};
pub(crate) use worker::work;
