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
//! | `worker_process.rs`, `worker_topics.rs`, `report.rs` | the worker's side |
//! | `topic_thread.rs`, `topic_channel.rs` | the thread that passes on what workers publish; the channel for it |
//! | `main_loop.rs` | the supervisor's main loop |
//! | `state.rs`, `worker_state.rs` | state of the supervisor and of each worker |
//! | `event.rs`, `event_handlers.rs` | events and their handling |
//! | `reconcile.rs`, `next_wakeup.rs` | which workers to start, stop and kill, and when |
//! | `worker_exit.rs` | what the exit of a worker causes |
//! | `spawn.rs`, `stop.rs`, `restart.rs` | starting and stopping workers; restart backoff |
//! | `reload.rs`, `upgrade.rs` | replacing all workers, or the whole program |
//! | `inherit.rs` | resources inherited from a predecessor |
//! | `status.rs` | status for `server_info` and the control socket |
//! | `control_socket.rs`, `control_path.rs`, `control_methods.rs` | control socket, its path and methods |
//! | `run_files.rs` | files of a running server: the PID file, the admin token, sockets |
//! | `system.rs` | what differs between Unix systems |
//! | `signals.rs`, `systemd.rs`, `notify_socket.rs` | signals, service manager |

mod channel;
mod control_methods;
mod control_path;
mod control_socket;
mod event;
mod event_handlers;
mod handover;
mod inherit;
mod main_loop;
mod next_wakeup;
mod notify_socket;
mod process;
mod reconcile;
mod reload;
mod report;
mod restart;
mod role;
mod run_files;
mod signals;
mod spawn;
mod state;
mod status;
mod stop;
mod system;
mod systemd;
mod topic_channel;
mod topic_thread;
mod upgrade;
mod worker_exit;
mod worker_process;
mod worker_state;
mod worker_topics;

pub(crate) use main_loop::supervise;
pub(crate) use role::{Assignment, Role};
pub(crate) use run_files::RunFiles;
pub(crate) use state::GenerationConfig;
pub(crate) use system::name_process;
pub(crate) use systemd::{Notice, activated, notify};
pub(crate) use worker_process::work;
