//! Supervision of worker processes.
//!
//! The supervisor binds the listeners but serves no requests itself. Its workers execute the same
//! program again. The standard input of a worker is one end of a socket pair. The worker receives
//! the listeners on it ([`handover`]) and then uses it for a JSON-RPC session ([`channel`]): it
//! reports that it is ready, sends heartbeats, and receives commands to stop.
//!
//! | file | what it does |
//! |---|---|
//! | `role.rs` | role of this process: standalone, worker, or successor of another supervisor |
//! | `handover.rs`, `channel.rs` | handover to a new process; the control channel after that |
//! | `process.rs` | child processes and signals to them |
//! | `worker.rs`, `report.rs` | the worker's side |
//! | `supervise.rs` | the supervisor's main loop |
//! | `state.rs`, `worker_state.rs` | state of the supervisor and of each worker |
//! | `event.rs`, `event_loop.rs` | events and their handling |
//! | `reconcile.rs`, `deadline.rs` | which workers to start, stop and kill, and when |
//! | `spawn.rs`, `stop.rs`, `restart.rs` | starting and stopping workers; restart backoff |
//! | `reload.rs`, `upgrade.rs` | replacing all workers, or the whole program |
//! | `inherit.rs` | resources inherited from a predecessor |
//! | `status.rs` | status for `server_info` and the control socket |
//! | `control_socket.rs`, `control_path.rs`, `commands.rs` | control socket, its path and methods |
//! | `signals.rs`, `systemd.rs`, `pid_file.rs` | signals, service manager, PID file |

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
