//! Worker processes, and the one that looks after them.
//!
//! The supervisor opens the listeners and serves nothing itself. Its workers are the same program,
//! executed once more; each gets the listeners over the socket pair that is its standard input
//! ([`charge`]), and speaks JSON-RPC on it from then on ([`control`]): it says that it is ready and
//! that it lives, and is told when to stop.
//!
//! | file | what it does |
//! |---|---|
//! | `role.rs` | whether this process is a worker, or takes over from another supervisor |
//! | `handover.rs`, `control.rs` | what a process is told at its start; the line after that |
//! | `process.rs` | starting a process, and signals to it |
//! | `worker.rs`, `report.rs` | the worker's side |
//! | `fleet.rs`, `reconcile.rs` | the supervisor's loop: what happens, and what follows from it |
//! | `event.rs`, `worker_state.rs` | what it hears, and what it knows of each worker |
//! | `restart.rs` | how often workers that die are replaced |
//! | `reload.rs`, `upgrade.rs` | new workers, or another program, in place of all |
//! | `status.rs`, `commands.rs` | what others can ask, and the control socket's methods |
//! | `control_path.rs` | where the control socket is |
//! | `signals.rs`, `systemd.rs`, `pid_file.rs` | the world outside |

mod commands;
mod control;
mod control_path;
mod event;
mod fleet;
mod handover;
mod pid_file;
mod process;
mod reconcile;
mod reload;
mod report;
mod restart;
mod role;
mod signals;
mod status;
mod systemd;
mod upgrade;
mod worker;
mod worker_state;

use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::admin_token::TokenFile;
use crate::client::Client;
use crate::server::bound::{Given, check, open_doors};
use crate::server::exposure::Reach;
use crate::server::listener::Door;
use crate::server::{Handle, Listening, ServeError, Server};
use crate::transport::unix::Cleanup;
use commands::ControlCommands;
use fleet::Fleet;
use handover::{Charge, DoorPlan};
use pid_file::PidFile;
use process::Recipe;
use signals::{Wish, Wishes};

pub(crate) use fleet::{Brief, News};
pub(crate) use reload::Reread;
pub(crate) use role::{Post, Role};
pub(crate) use systemd::{activated, notify};
pub(crate) use worker::work;

/// How long callers on the control socket have for their last answers.
const FAREWELL: Duration = Duration::from_millis(500);

/// How the control socket is called where listeners are handed over.
const CONTROL: &str = "control";

/// Runs workers until the server is stopped. The addresses are announced when it serves.
///
/// # Errors
///
/// What keeps a server from starting, also in its workers.
pub(crate) async fn supervise(
    mut server: Server,
    brief: Brief,
    reread: Reread,
    post: Option<Post>,
    announce: impl Fn(&str),
) -> Result<(), ServeError> {
    let recipe = Recipe::of_this()?;
    let mut wishes = Wishes::new()?;
    let (mut inherited, predecessor) = match post {
        Some(post) => inherit(post)?,
        None => (Inherited::default(), None),
    };
    let doors = doors(&mut server, &mut inherited).await?;
    Reach::of(&doors).permits(&server.settings)?;
    check(&mut server).await?;
    let token_file = match &server.settings.admin_token_file {
        Some(path) => Some(token_file(path, inherited.token.take())?),
        None => None,
    };
    if let Some(hook) = server.on_supervisor_start.take() {
        hook().await.map_err(ServeError::Lazy)?;
    }
    let urls: Vec<_> = doors.iter().map(ToString::to_string).collect();
    let (shared, mut cleanups) = share(doors)?;
    let token = token_file.as_ref().map(|file| file.token.text().to_owned());
    let pid_file = brief.supervision.pid_file.clone();
    let mut fleet = Fleet::new(recipe, brief, token, shared, reread);
    let control = Control::open(&mut fleet, inherited.control.take()).await?;
    fleet.boot()?;
    let mut line = predecessor;
    let mut _pid_file = None;
    let mut watchdog = systemd::watchdog().map(tokio::time::interval);
    loop {
        let next = fleet.settle();
        while let Some(news) = fleet.news.pop_front() {
            if news == News::Ready {
                for url in &urls {
                    announce(url);
                }
                _pid_file = pid_file.as_deref().map(PidFile::write).transpose()?;
                if let Some(line) = line.take() {
                    worker::say(&line, "ready", "").await;
                }
            }
            match news {
                // Nobody else is to come; who is in the queue is the workers'.
                News::Stopping if fleet.succeeded => {
                    std::mem::take(&mut cleanups)
                        .into_iter()
                        .for_each(Cleanup::leave);
                    // The service goes on.
                    continue;
                }
                News::Stopping => cleanups.clear(),
                _ => {}
            }
            notify(news);
        }
        if fleet.is_over() {
            break;
        }
        tokio::select! {
            wish = wishes.next() => match wish {
                Wish::Stop => fleet.stop(),
                Wish::Reload => fleet.begin_reload(None),
                Wish::Upgrade => fleet.begin_upgrade(None),
            },
            () = tick(&mut watchdog) => systemd::alive(),
            () = fleet.hear(next) => {}
        }
    }
    control.stop(fleet.succeeded).await;
    match fleet.failure.take() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

async fn tick(watchdog: &mut Option<tokio::time::Interval>) {
    match watchdog {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// What a supervisor has from the one it replaces.
#[derive(Default)]
struct Inherited {
    doors: Vec<(DoorPlan, OwnedFd)>,
    control: Option<(DoorPlan, OwnedFd)>,
    token: Option<String>,
}

/// Takes over what was handed over, and the line to whoever has done so.
fn inherit(post: Post) -> Result<(Inherited, Option<Client>), ServeError> {
    let Post {
        charge: Charge {
            doors, admin_token, ..
        },
        sockets,
        line,
    } = post;
    let nothing = crate::router::Router::default().build()?;
    let (predecessor, session) = control::open(line, &nothing)?;
    tokio::spawn(session);
    let mut inherited = Inherited {
        token: admin_token,
        ..Inherited::default()
    };
    for (plan, socket) in doors.into_iter().zip(sockets) {
        match plan.asked == CONTROL {
            true => inherited.control = Some((plan, socket)),
            false => inherited.doors.push((plan, socket)),
        }
    }
    Ok((inherited, Some(predecessor)))
}

/// All listeners: those of the predecessor for the addresses that are still asked for, those of the
/// system, and new ones for the rest.
async fn doors(server: &mut Server, inherited: &mut Inherited) -> Result<Vec<Door>, ServeError> {
    let has_tls = server.settings.has_tls();
    let binds_by_default = server.settings.binds_by_default();
    #[cfg(feature = "tls")]
    server.settings.tls()?;
    let split = |list: &String| {
        list.split(',')
            .map(|one| one.trim().to_owned())
            .collect::<Vec<_>>()
    };
    server.settings.bind = server.settings.bind.iter().flat_map(split).collect();
    let mut doors = Vec::new();
    let known = std::mem::take(&mut inherited.doors);
    for (plan, socket) in known {
        let bind = &mut server.settings.bind;
        let asked = bind.iter().position(|address| *address == plan.asked);
        // Those of the system need not be asked for.
        if asked.is_some() || plan.lent {
            asked.map(|at| bind.remove(at));
            let door = Door::handed(socket, &plan.url, &plan.asked, !plan.lent)?;
            doors.push(door.lent(plan.lent));
        }
    }
    doors.extend(activated(has_tls)?);
    if doors.iter().any(Door::is_lent) && binds_by_default {
        server.settings.bind.clear();
    }
    doors.extend(open_doors(server).await?);
    Ok(doors)
}

/// The sockets, and what removes their files in the end.
type Shared = (Vec<(DoorPlan, OwnedFd)>, Vec<Cleanup>);

fn share(doors: Vec<Door>) -> Result<Shared, ServeError> {
    let (mut sockets, mut cleanups) = (Vec::new(), Vec::new());
    for mut door in doors {
        cleanups.extend(door.take_cleanup());
        let plan = DoorPlan {
            asked: door.asked().to_owned(),
            url: door.to_string(),
            lent: door.is_lent(),
        };
        sockets.push((plan, door.into_socket()?));
    }
    Ok((sockets, cleanups))
}

/// Writes the token of the predecessor, or a new one.
fn token_file(path: &std::path::Path, known: Option<String>) -> Result<TokenFile, ServeError> {
    let made = match known {
        Some(token) => TokenFile::write_known(path, &token),
        None => TokenFile::write(path),
    };
    made.map_err(|error| {
        let path = path.display();
        ServeError::BadSetting(format!("the admin token cannot be kept in {path}: {error}"))
    })
}

/// The control socket, while it is served.
#[derive(Default)]
struct Control {
    served: Option<(Handle, JoinHandle<Result<(), ServeError>>)>,
    cleanup: Option<Cleanup>,
}

impl Control {
    /// Opens the socket, or takes the predecessor's. Without a place for it there is none.
    async fn open(
        fleet: &mut Fleet,
        inherited: Option<(DoorPlan, OwnedFd)>,
    ) -> Result<Self, ServeError> {
        let server = Server::new(ControlCommands(fleet.events.clone()));
        let mut door = match inherited {
            Some((plan, socket)) => Door::handed(socket, &plan.url, CONTROL, true)?,
            None => match control_path::of(&fleet.brief.supervision, &fleet.recipe.name())? {
                Some(path) => {
                    let address = format!("unix:{}", path.display());
                    Door::open(&address, &server.settings).await?
                }
                None => {
                    tracing::info!("there is no control socket: `--control` says where to have it");
                    return Ok(Self::default());
                }
            },
        };
        tracing::info!("the control socket is {door}");
        let cleanup = door.take_cleanup();
        let plan = DoorPlan {
            asked: CONTROL.to_owned(),
            url: door.to_string(),
            lent: false,
        };
        fleet.control = Some((plan, door.share()?));
        let given = Given {
            doors: Some(vec![door]),
            ..Given::default()
        };
        let listening = Listening::with(server, given).await?;
        Ok(Self {
            served: Some((listening.handle(), tokio::spawn(listening.serve()))),
            cleanup,
        })
    }

    /// Answers what has been asked, and ends. What a successor has taken over stays.
    async fn stop(self, succeeded: bool) {
        if succeeded {
            self.cleanup.into_iter().for_each(Cleanup::leave);
        }
        if let Some((handle, serving)) = self.served {
            handle.retire();
            let _ = tokio::time::timeout(FAREWELL, serving).await;
        }
    }
}
