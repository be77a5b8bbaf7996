//! Topics of a server without workers: through a broker they are those of all its servers.
//!
//! With workers their supervisor sees to that.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;

use crate::address::Address;
use crate::server::error::ServeError;
use crate::server::settings::Settings;
use crate::topic::hub::exchange::Hub;
use crate::topic::link::in_process::join;
use crate::topic::link::worker_end::Link;
use crate::topic::registry::{follow_already, work_with};
use crate::transport::nats;

/// How long the broker has to tell what it keeps.
const HISTORIES: Duration = Duration::from_secs(30);

/// Makes the topics of this process those of all servers behind the first broker, for as long as the runtime
/// runs. Of several servers in a process the first one decides. Returns when they have their histories.
///
/// # Errors
///
/// [`ServeError::Broker`] if the broker does not tell what it keeps.
pub(super) async fn begin(settings: &Settings) -> Result<(), ServeError> {
    let Some(address) = settings.topic_broker() else {
        return Ok(());
    };
    if follow_already() {
        return Ok(());
    }
    let shown = Address::Nats(address.clone()).to_string();
    let hub = Arc::new(Mutex::new(Hub::with_broker()));
    let link = Link::new();
    work_with(&link);
    let end = EndLink(Arc::clone(&link));
    let of_link = Arc::clone(&hub);
    tokio::spawn(async move {
        tokio::select! {
            _ = join(&end.0, &of_link) => tracing::error!("the channel for topics has failed"),
            () = nats::topics::follow(Arc::clone(&of_link), address) => {}
        }
    });
    timeout(HISTORIES, link.live())
        .await
        .map_err(|_| ServeError::Broker {
            address: shown,
            source: io::Error::new(
                io::ErrorKind::TimedOut,
                "it does not tell what it keeps of topics",
            ),
        })
}

/// Ends the channel for all who use it.
struct EndLink(Arc<Link>);

impl Drop for EndLink {
    fn drop(&mut self) {
        self.0.end();
    }
}
