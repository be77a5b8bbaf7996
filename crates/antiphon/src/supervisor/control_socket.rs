//! Control socket: a separate server for the owner of the process.

use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::control_methods::ControlCommands;
use super::control_path;
use super::handover::ListenerRecord;
use super::inherit::CONTROL;
use super::state::Supervisor;
use crate::server::bound::Provided;
use crate::server::listener::Listener;
use crate::server::{BoundServer, ServeError, Server, ServerHandle};
use crate::transport::unix::OwnedFile;

/// Time for the control socket to send its last responses on shutdown.
const CONTROL_DRAIN: Duration = Duration::from_millis(500);

/// The running control socket.
#[derive(Default)]
pub(crate) struct ControlSocket {
    served: Option<(ServerHandle, JoinHandle<Result<(), ServeError>>)>,
    file: Option<OwnedFile>,
}

impl ControlSocket {
    /// Opens the control socket, or takes over the predecessor's. Without a path there is none.
    pub(crate) async fn open(
        supervisor: &mut Supervisor,
        inherited: Option<(ListenerRecord, OwnedFd)>,
    ) -> Result<Self, ServeError> {
        let server = Server::new(ControlCommands(supervisor.events.clone()));
        let mut listener = match inherited {
            Some((record, socket)) => Listener::inherited(socket, &record.url, CONTROL, true)?,
            None => {
                match control_path::of(
                    &supervisor.config.supervision,
                    &supervisor.command_line.name(),
                )? {
                    Some(path) => {
                        let address = format!("unix:{}", path.display());
                        Listener::open(&address, &server.settings).await?
                    }
                    None => {
                        tracing::info!(
                            "there is no control socket: `--control` says where to have it"
                        );
                        return Ok(Self::default());
                    }
                }
            }
        };
        tracing::info!("the control socket is {listener}");
        let file = listener.take_file();
        let record = ListenerRecord {
            requested: CONTROL.to_owned(),
            url: listener.to_string(),
            external: false,
        };
        supervisor.control = Some((record, listener.share()?));
        let provided = Provided {
            listeners: Some(vec![listener]),
            ..Provided::default()
        };
        let bound = BoundServer::bind(server, provided).await?;
        Ok(Self {
            served: Some((bound.handle(), tokio::spawn(bound.serve()))),
            file,
        })
    }

    /// Says whether the socket file is removed at the end: not as long as another process serves on
    /// it.
    pub(crate) fn set_removed(&mut self, is_removed: bool) {
        let file = self.file.iter_mut();
        file.for_each(|file| file.set_removed(is_removed));
    }

    /// Sends pending responses and stops.
    pub(crate) async fn stop(self) {
        if let Some((handle, serving)) = self.served {
            handle.retire();
            let _ = tokio::time::timeout(CONTROL_DRAIN, serving).await;
        }
    }
}
