//! Server behind a broker: its subscriptions, from their start until they are drained.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::discovery;
use super::group_member::GroupMember;
use super::link::Link;
use super::long_calls::LongCalls;
use super::serving::{BrokerLimits, Service, ServiceSetup};
use super::subject::Subjects;
use crate::address::{Address, NatsAddress};
use crate::describe::Access;
use crate::shutdown::Shutdown;

/// How long a broker has to take the last responses.
const FLUSH: Duration = Duration::from_secs(1);

/// A connection of a server to a broker, before it serves.
#[derive(Debug)]
pub(crate) struct Broker {
    link: Link,
    address: NatsAddress,
}

impl Broker {
    /// Connects to a broker.
    ///
    /// # Errors
    ///
    /// If there is no connection.
    pub(crate) async fn connect(address: NatsAddress) -> io::Result<Self> {
        let link = Link::connect(&address, "antiphon server", None).await?;
        Ok(Self { link, address })
    }

    /// The address for clients.
    pub(crate) fn url(&self) -> String {
        Address::Nats(self.address.clone()).to_string()
    }

    /// Subscribes to the subjects of all methods, as one of a group, and answers calls until the server
    /// stops. Then it leaves the group and takes what was on its way to it. Calls that run longer belong
    /// to the tracker, and so does the end of the connection.
    pub(crate) async fn run(
        self,
        setup: impl Fn() -> Option<ServiceSetup> + Send + Sync + 'static,
        shutdown: Shutdown,
        connections: TaskTracker,
    ) {
        let id = self.link.secret();
        let subjects = Subjects::new(&self.address.prefix);
        let service = Arc::new(Service {
            long: LongCalls::new(subjects.of_calls(&id)),
            link: self.link,
            subjects,
            setup: Box::new(setup),
            shutdown,
            calls: TaskTracker::new(),
            name: self.address.prefix.replace('.', "_"),
            id,
            started: SystemTime::now(),
        });
        let subscriptions = TaskTracker::new();
        // Those about calls outlive the others.
        let answering = TaskTracker::new();
        if let Err(error) = service.subscribe(&subscriptions, &answering).await {
            tracing::error!("the NATS server takes no subscription: {error}");
        }
        service.shutdown.stopped().await;
        subscriptions.close();
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
        let names = methods.iter().map(|method| method.name());
        for subject in self.subjects.of_service(names) {
            let group = self.name.clone();
            let calls = client.queue_subscribe(subject.clone(), group).await?;
            let member = GroupMember::new(Arc::clone(self), subject, calls);
            subscriptions.spawn(member.serve());
        }
        Ok(())
    }
}
