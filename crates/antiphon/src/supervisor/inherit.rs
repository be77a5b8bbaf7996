//! Listeners, control socket and token that a supervisor has from the one it replaces.

use std::os::fd::OwnedFd;

use super::channel;
use super::handover::{Handover, ListenerRecord};
use super::role::Assignment;
use super::systemd::activated;
use crate::admin_token::TokenFile;
use crate::client::Client;
use crate::router::Router;
use crate::server::bound::bind_listeners;
use crate::server::listener::Listener;
use crate::server::{ServeError, Server};
use crate::transport::unix::Cleanup;

/// What the control socket is called where listeners are handed over.
pub(crate) const CONTROL: &str = "control";

/// What a supervisor has from the one it replaces.
#[derive(Default)]
pub(crate) struct Inherited {
    listeners: Vec<(ListenerRecord, OwnedFd)>,
    pub(crate) control: Option<(ListenerRecord, OwnedFd)>,
    pub(crate) token: Option<String>,
}

/// Takes over what was handed over, and the channel to the predecessor.
pub(crate) fn inherit(assignment: Assignment) -> Result<(Inherited, Option<Client>), ServeError> {
    let Assignment {
        handover:
            Handover {
                listeners,
                admin_token,
                ..
            },
        sockets,
        line,
    } = assignment;
    let nothing = Router::default().build()?;
    let (predecessor, session) = channel::open(line, &nothing)?;
    tokio::spawn(session);
    let mut inherited = Inherited {
        token: admin_token,
        ..Inherited::default()
    };
    for (record, socket) in listeners.into_iter().zip(sockets) {
        match record.requested == CONTROL {
            true => inherited.control = Some((record, socket)),
            false => inherited.listeners.push((record, socket)),
        }
    }
    Ok((inherited, Some(predecessor)))
}

/// All listeners: those of the predecessor for the addresses that are still asked for, those of the
/// system, and new ones for the rest.
pub(crate) async fn bind_all(
    server: &mut Server,
    inherited: &mut Inherited,
) -> Result<Vec<Listener>, ServeError> {
    let has_tls = server.settings.has_tls();
    let binds_by_default = server.settings.binds_by_default();
    server.settings.tls()?;
    let split = |list: &String| {
        list.split(',')
            .map(|one| one.trim().to_owned())
            .collect::<Vec<_>>()
    };
    server.settings.bind = server.settings.bind.iter().flat_map(split).collect();
    let mut listeners = Vec::new();
    let known = std::mem::take(&mut inherited.listeners);
    for (record, socket) in known {
        let bind = &mut server.settings.bind;
        let requested = bind.iter().position(|address| *address == record.requested);
        // Those of the system need not be asked for.
        if requested.is_some() || record.external {
            requested.map(|at| bind.remove(at));
            let listener =
                Listener::inherited(socket, &record.url, &record.requested, !record.external)?;
            listeners.push(listener.external(record.external));
        }
    }
    listeners.extend(activated(has_tls)?);
    if listeners.iter().any(Listener::is_external) && binds_by_default {
        server.settings.bind.clear();
    }
    listeners.extend(bind_listeners(server).await?);
    Ok(listeners)
}

/// The sockets, and what removes their files in the end.
pub(crate) type Shared = (Vec<(ListenerRecord, OwnedFd)>, Vec<Cleanup>);

pub(crate) fn share(listeners: Vec<Listener>) -> Result<Shared, ServeError> {
    let (mut sockets, mut cleanups) = (Vec::new(), Vec::new());
    for mut listener in listeners {
        cleanups.extend(listener.take_cleanup());
        let record = ListenerRecord {
            requested: listener.requested().to_owned(),
            url: listener.to_string(),
            external: listener.is_external(),
        };
        sockets.push((record, listener.into_socket()?));
    }
    Ok((sockets, cleanups))
}

/// Writes the token of the predecessor, or a new one.
pub(crate) fn token_file(
    path: &std::path::Path,
    known: Option<String>,
) -> Result<TokenFile, ServeError> {
    let made = match known {
        Some(token) => TokenFile::write_known(path, &token),
        None => TokenFile::write(path),
    };
    made.map_err(|error| {
        let path = path.display();
        ServeError::BadSetting(format!("the admin token cannot be kept in {path}: {error}"))
    })
}
