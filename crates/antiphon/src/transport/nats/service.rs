//! Server behind a broker: its subscriptions, from their start until they are drained.

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::discovery;
use super::group_member::GroupMember;
use super::identity_keys::IdentityKeys;
use super::link::{Link, pause};
use super::long_calls::LongCalls;
use super::serving::{BrokerLimits, GetSetup, Service, ServiceSetup};
use super::session_setup::SessionCount;
use super::signed_identity::Verifier;
use super::subject::Subjects;
use crate::address::{Address, NatsAddress};
use crate::describe::Access;
use crate::shutdown::Shutdown;

/// What brokers show of a server.
const NAME: &str = "antiphon server";

/// A name of the namespace that the protocol reserves, which every server has.
const PROTOCOL: &str = "rpc.discover";

/// How long a broker has to take the last responses.
const FLUSH: Duration = Duration::from_secs(1);

/// A connection of a server to a broker, before it serves.
pub(crate) struct Broker {
    link: Link,
    address: NatsAddress,
    verifier: Option<Arc<Verifier>>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Broker").field(&self.address).finish()
    }
}

impl Broker {
    /// Connects to a broker.
    ///
    /// # Errors
    ///
    /// If there is no connection.
    pub(crate) async fn connect(address: NatsAddress) -> io::Result<Self> {
        let keys = address.files.identity.as_deref().map(IdentityKeys::read);
        let verifier = keys.transpose()?.map(|keys| Arc::new(Verifier::new(keys)));
        let link = Link::connect(&address, NAME, None).await?;
        Ok(Self {
            link,
            address,
            verifier,
        })
    }

    /// The address for clients, who have files of their own.
    pub(crate) fn url(&self) -> String {
        Address::Nats(self.address.without_files()).to_string()
    }

    /// Answers calls until the server stops. A broker that has refused to take the connection back, so that
    /// the library has given it up, is asked again until it takes a new one.
    pub(crate) async fn run(
        self,
        setup: impl Fn() -> Option<ServiceSetup> + Send + Sync + 'static,
        shutdown: Shutdown,
        connections: TaskTracker,
    ) {
        let setup: GetSetup = Arc::new(setup);
        let Self {
            mut link,
            address,
            verifier,
        } = self;
        loop {
            let verifier = verifier.clone();
            serve(link, &address, verifier, &setup, &shutdown, &connections).await;
            if shutdown.is_stopping() {
                return;
            }
            tracing::error!("the NATS server has refused the connection; it is tried again");
            let opened = {
                let opening = pin!(open_again(&address));
                shutdown.until_stopped(opening).await
            };
            match opened {
                Some(opened) => link = opened,
                None => return,
            }
        }
    }
}

/// Subscribes to the subjects of all methods, as one of a group, and answers calls until the server stops
/// or the connection is given up. Then it leaves the group and takes what was on its way to it. Calls that
/// run longer belong to the tracker, and so does the end of the connection.
async fn serve(
    link: Link,
    address: &NatsAddress,
    verifier: Option<Arc<Verifier>>,
    setup: &GetSetup,
    shutdown: &Shutdown,
    connections: &TaskTracker,
) {
    let id = link.secret();
    let subjects = Subjects::new(&address.prefix);
    let service = Arc::new(Service {
        long: LongCalls::new(subjects.of_calls(&id)),
        sessions: SessionCount::default(),
        verifier,
        link,
        subjects,
        setup: Arc::clone(setup),
        shutdown: shutdown.clone(),
        calls: TaskTracker::new(),
        name: address.prefix.replace('.', "_"),
        id,
        started: SystemTime::now(),
    });
    let subscriptions = TaskTracker::new();
    // Those about calls outlive the others.
    let answering = TaskTracker::new();
    if let Err(error) = service.subscribe(&subscriptions, &answering).await {
        tracing::error!("the NATS server takes no subscription: {error}");
    }
    subscriptions.close();
    // They end when the server stops, or with the connection.
    subscriptions.wait().await;
    connections.spawn(async move {
        service.calls.close();
        let ending = async {
            service.calls.wait().await;
            if service.link.is_up() {
                let _ = timeout(FLUSH, service.link.client().flush()).await;
            }
        };
        service.shutdown.until_killed(ending).await;
        service.long.close();
    });
}

/// Connects, as often as it takes.
async fn open_again(address: &NatsAddress) -> Link {
    let mut attempt = 1;
    loop {
        sleep(pause(attempt)).await;
        match Link::connect(address, NAME, None).await {
            Ok(link) => return link,
            Err(error) => tracing::warn!("no connection to a NATS server: {error}"),
        }
        attempt += 1;
    }
}

impl BrokerLimits {
    /// What all of these brokers allow; `None` if there is none.
    pub(crate) fn of(brokers: &[Broker]) -> Option<Self> {
        let limits = brokers.iter().map(|broker| broker.link.max_payload());
        limits.min().map(|max_payload| Self { max_payload })
    }
}

impl Service {
    async fn subscribe(
        self: &Arc<Self>,
        subscriptions: &TaskTracker,
        answering: &TaskTracker,
    ) -> Result<(), async_nats::client::SubscribeError> {
        let client = self.link.client();
        let Some(setup) = (self.setup)() else {
            return Ok(());
        };
        let control = client
            .subscribe(format!("{}.*", self.long.subject()))
            .await?;
        let service = Arc::clone(self);
        answering.spawn(async move { service.long.read(control).await });
        for subject in discovery::subjects(&self.name, &self.id) {
            let asked = client.subscribe(subject).await?;
            subscriptions.spawn(discovery::answer(Arc::clone(self), asked));
        }
        let methods = setup.dispatcher.tree().methods(Access::Public);
        // What the protocol reserves is in no document.
        let names = methods.iter().map(|method| method.name());
        let names = names.chain([PROTOCOL]);
        for subject in self.subjects.of_service(names) {
            let group = self.name.clone();
            let calls = client.queue_subscribe(subject.clone(), group).await?;
            let member = GroupMember::new(Arc::clone(self), subject, calls);
            subscriptions.spawn(member.serve());
        }
        Ok(())
    }
}
