//! Connection to a broker, and whether it is up.
//!
//! The NATS library reconnects by itself, and keeps what is published meanwhile. Nothing is published on
//! a link that is down, so nothing is sent behind the back of a caller who was told that it was not.

use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, Message, Subscriber};
use futures_core::Stream as _;
use tokio::sync::watch;

use super::credentials::{Credentials, tls_of};
use crate::address::{NatsAddress, authority};
use crate::transport::tls::client::ClientTls;

/// Timeout for connecting to one NATS server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a silent broker is asked whether it is there. After two answers that are missing, the link
/// is down.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Pauses between attempts to reconnect. The first is doubled with each attempt, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The most messages of one subscription that have arrived and are not taken yet. The broker's library
/// drops those that come then.
pub(super) const MAX_WAITING: usize = 4096;

/// The most messages that wait to be written.
const MAX_UNWRITTEN: usize = 1024;

/// A connection to one of several NATS servers, which is made again when it is lost.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    client: Client,
    /// How often the connection was lost.
    outages: watch::Receiver<u64>,
    /// How often the broker has refused what this connection may not do.
    refusals: watch::Receiver<u64>,
}

impl Link {
    /// Connects. `name` is shown by the broker. Without `tls`, the trust anchors of the platform are used if
    /// the address or the broker asks for TLS.
    ///
    /// # Errors
    ///
    /// If no server of the address can be reached, or takes the credentials, or one of its files cannot be
    /// used.
    pub(crate) async fn connect(
        address: &NatsAddress,
        name: &str,
        tls: Option<&ClientTls>,
    ) -> io::Result<Self> {
        Self::connect_with(address, name, tls, |options| options).await
    }

    /// Connects for topics: what the broker answers comes on subjects of the service, so that a server need
    /// not be allowed to hear other inboxes.
    pub(super) async fn connect_topics(address: &NatsAddress, name: &str) -> io::Result<Self> {
        let inbox = format!("{}.topic-inbox", address.prefix);
        let configure = |options: ConnectOptions| options.custom_inbox_prefix(inbox);
        Self::connect_with(address, name, None, configure).await
    }

    async fn connect_with(
        address: &NatsAddress,
        name: &str,
        tls: Option<&ClientTls>,
        configure: impl FnOnce(ConnectOptions) -> ConnectOptions,
    ) -> io::Result<Self> {
        // The broker may ask for TLS at any time, so there is always a configuration.
        let of_files = tls_of(&address.files)?;
        let config = match of_files.as_ref().or(tls) {
            Some(tls) => tls.config(),
            None => ClientTls::platform().map_err(io::Error::other)?.config(),
        };
        let (tell_outages, outages) = watch::channel(0);
        let (tell_refusals, refusals) = watch::channel(0);
        let tell = Arc::new((tell_outages, tell_refusals));
        let options = match Credentials::of(address)? {
            None => ConnectOptions::new(),
            Some(credentials) => {
                let credentials = Arc::new(credentials);
                ConnectOptions::with_auth_callback(move |nonce| {
                    let credentials = Arc::clone(&credentials);
                    async move { credentials.answer(&nonce) }
                })
            }
        };
        let options = options
            .name(name)
            .require_tls(address.secure)
            .tls_client_config(config)
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_INTERVAL)
            .subscription_capacity(MAX_WAITING)
            .client_capacity(MAX_UNWRITTEN)
            .reconnect_delay_callback(pause)
            .event_callback(move |event| {
                note(&tell, &event);
                async {}
            });
        let places = (address.servers.iter())
            .map(|(host, port)| format!("nats://{}", authority(host, *port)))
            .collect::<Vec<_>>();
        // In a box: its future is larger than all that a call needs, and would be part of each call's.
        let connecting = Box::pin(configure(options).connect(places));
        let client = connecting.await.map_err(io::Error::other)?;
        Ok(Self {
            client,
            outages,
            refusals,
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it can be used now.
    pub(crate) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits until the connection was lost, at least once since the last call.
    pub(super) async fn lost(&mut self) {
        if self.outages.changed().await.is_err() {
            // Nobody tells of it any more: the library has given it up.
            std::future::pending::<()>().await;
        }
    }

    /// How often the connection was lost.
    pub(super) fn losses(&self) -> u64 {
        *self.outages.borrow()
    }

    /// Waits until the connection is lost, if that was not so since it was lost as often as this.
    pub(super) async fn lost_since(&self, losses: u64) {
        let mut outages = self.outages.clone();
        if outages
            .wait_for(|outages| *outages != losses)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the broker refuses something that this connection may not do.
    pub(super) async fn refused(&self) {
        let mut refusals = self.refusals.clone();
        refusals.mark_unchanged();
        if refusals.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// From here on, losses count.
    pub(super) fn forget_losses(&mut self) {
        self.outages.mark_unchanged();
    }

    /// Whether the connection was ever lost.
    pub(super) fn was_lost(&self) -> bool {
        self.losses() > 0
    }

    /// The most bytes in a message, headers included.
    pub(crate) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// A text that nobody can guess, and that is one word of a subject.
    pub(super) fn secret(&self) -> String {
        let inbox = self.client.new_inbox();
        inbox.rsplit('.').next().unwrap_or_default().to_owned()
    }
}

/// The next message of a subscription; `None` at its end.
pub(super) async fn next(subscriber: &mut Subscriber) -> Option<Message> {
    poll_fn(|cx| Pin::new(&mut *subscriber).poll_next(cx)).await
}

fn note((outages, refusals): &(watch::Sender<u64>, watch::Sender<u64>), event: &Event) {
    match event {
        Event::Disconnected => {
            tracing::warn!("the connection to the NATS server is lost");
            outages.send_modify(|outages| *outages += 1);
        }
        // This side has closed it.
        Event::Closed => outages.send_modify(|outages| *outages += 1),
        Event::SlowConsumer(_) => {
            tracing::warn!("a message from the NATS server was dropped: too many wait");
        }
        Event::LameDuckMode => tracing::info!("the NATS server is about to stop"),
        Event::ServerError(error) => {
            tracing::warn!("the NATS server reports: {error}");
            let is_refusal = error
                .to_string()
                .to_lowercase()
                .contains("permissions violation");
            refusals.send_modify(|refusals| *refusals += u64::from(is_refusal));
        }
        Event::ClientError(error) => tracing::debug!("the NATS library reports: {error}"),
        Event::Connected | Event::Draining => {}
    }
}

/// The pause before an attempt to reconnect: between half of its longest time and all of it, so that
/// not all come back at once.
pub(super) fn pause(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let longest = (FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings))).min(LONGEST_PAUSE);
    let random = RandomState::new().hash_one(attempt);
    let half = longest / 2;
    let span = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(random % span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_doubled_and_never_the_same_for_all() {
        for (attempt, longest) in [(0, 50), (1, 50), (2, 100), (5, 800), (7, 2000), (999, 2000)] {
            let longest = Duration::from_millis(longest);
            let pauses: Vec<_> = (0..50).map(|_| pause(attempt)).collect();
            assert!(
                pauses
                    .iter()
                    .all(|one| *one >= longest / 2 && *one <= longest)
            );
            assert!(
                pauses.windows(2).any(|pair| pair[0] != pair[1]),
                "{attempt}"
            );
        }
    }
}
