//! Listeners, control socket and admin token that a supervisor inherits from its predecessor.

use std::os::fd::OwnedFd;

use super::channel;
use super::handover::{Handover, ListenerRecord};
use super::role::Assignment;
use super::systemd::activated;
use crate::client::Client;
use crate::router::Router;
use crate::server::bound::bind_listeners;
use crate::server::listener::Listener;
use crate::server::{ServeError, Server};
use crate::transport::unix::OwnedFile;

/// Marks the control socket among the listeners in a handover.
pub(crate) const CONTROL: &str = "control";

/// Resources that a supervisor inherits from its predecessor.
#[derive(Default)]
pub(crate) struct Inherited {
    listeners: Vec<(ListenerRecord, OwnedFd)>,
    pub(crate) control: Option<(ListenerRecord, OwnedFd)>,
    pub(crate) token: Option<String>,
}

/// Splits the handover into its parts, and opens the control channel to the predecessor.
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
    let nothing = Router::new().build()?;
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

/// All listeners: inherited ones for addresses that are still configured, sockets from systemd, and
/// newly bound ones for the remaining addresses.
pub(crate) async fn bind_all(
    server: &mut Server,
    inherited: &mut Inherited,
) -> Result<Vec<Listener>, ServeError> {
    let has_tls = server.settings.has_tls();
    server.settings.tls()?;
    let mut listeners = activated(has_tls)?;
    let of_systemd = |(record, _): &(ListenerRecord, OwnedFd)| record.external;
    let others_are_served = !listeners.is_empty()
        || !server.listeners.is_empty()
        || inherited.listeners.iter().any(of_systemd);
    server.settings.bind = server.settings.addresses(others_are_served);
    for (record, socket) in std::mem::take(&mut inherited.listeners) {
        let bind = &mut server.settings.bind;
        let requested = bind.iter().position(|address| *address == record.requested);
        // Sockets from systemd are kept even if their address is not configured.
        if requested.is_some() || record.external {
            requested.map(|at| bind.remove(at));
            let listener =
                Listener::inherited(socket, &record.url, &record.requested, !record.external)?;
            listeners.push(listener.external(record.external));
        }
    }
    listeners.extend(bind_listeners(server, true).await?);
    Ok(listeners)
}

/// Sockets with their descriptions, and the files of Unix sockets.
pub(crate) type Shared = (Vec<(ListenerRecord, OwnedFd)>, Vec<OwnedFile>);

/// Takes the listeners off the runtime, so that their sockets can be passed to workers.
pub(crate) fn share(listeners: Vec<Listener>) -> Result<Shared, ServeError> {
    let (mut sockets, mut files) = (Vec::new(), Vec::new());
    for mut listener in listeners {
        files.extend(listener.take_file());
        let record = ListenerRecord {
            requested: listener.requested().to_owned(),
            url: listener.to_string(),
            external: listener.is_external(),
        };
        sockets.push((record, listener.into_socket()?));
    }
    Ok((sockets, files))
}
