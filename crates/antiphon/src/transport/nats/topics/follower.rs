//! Connection of a hub to its broker: what was published here goes out, and what others publish comes in.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::{HeaderMap, Message, Subscriber};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};

use super::super::link::{Link, next, pause};
use super::names::{Names, TopicName};
use super::origins::{Origins, Verdict};
use super::shared::{Followed, NewTopic, PATIENCE, Shared, Unanswered};
use super::stream;
use crate::address::NatsAddress;
use crate::topic::hub::broker_queue::Order;
use crate::topic::keys::HistoryLimits;
use crate::topic::link::in_process::{SharedHub, lock};
use crate::topic::published::NotPublished;

/// What brokers show of this connection.
const NAME: &str = "antiphon topics";

/// Who has sent an item, and its number there.
const PLACE: &str = "rpc-item";

/// The most bytes of headers of an item.
const ROOM: usize = 256;

/// How often other servers are told how much was sent, if it is more than before.
const BEAT: Duration = Duration::from_secs(1);

/// After how many of these they are told in any case.
const SILENT_BEATS: u32 = 5;

/// Follows a broker for ever. While it is away, what is published stays in this server, or is refused.
pub(crate) async fn follow(hub: SharedHub, address: NatsAddress) {
    let mut name = None;
    loop {
        let link = connect(&address).await;
        let id = name.get_or_insert_with(|| link.secret()).clone();
        lock(&hub).broker_takes(link.max_payload().saturating_sub(ROOM));
        let shared = Shared {
            jetstream: stream::context(link.client()),
            id,
            hub: Arc::clone(&hub),
            link,
            names: Names::new(&address.prefix),
            topics: Mutex::default(),
        };
        if let Err(error) = run(&Arc::new(shared)).await {
            tracing::error!("the NATS server takes no subscription to topics: {error}");
            sleep(pause(usize::MAX)).await;
        }
        lock(&hub).follow_again();
    }
}

/// Connects, as often as it takes.
async fn connect(address: &NatsAddress) -> Link {
    let mut attempt = 1;
    loop {
        match Link::connect_topics(address, NAME).await {
            Ok(link) => return link,
            Err(error) => tracing::warn!("topics have no connection to a NATS server: {error}"),
        }
        sleep(pause(attempt)).await;
        attempt += 1;
    }
}

/// Carries items in both directions until the connection is given up.
async fn run(shared: &Arc<Shared>) -> Result<(), async_nats::client::SubscribeError> {
    let _end = EndTasks(shared);
    let client = shared.link.client();
    let items = client.subscribe(shared.names.all_passed_on()).await?;
    let beats = client.subscribe(shared.names.beats()).await?;
    tokio::select! {
        () = listen(shared, items, beats) => {}
        () = tell(shared) => {}
        () = beat(shared) => {}
    }
    Ok(())
}

/// Ends the tasks of all topics.
struct EndTasks<'a>(&'a Shared);

impl Drop for EndTasks<'_> {
    fn drop(&mut self) {
        self.0.topics().tasks.abort_all();
    }
}

/// Carries out what the hub orders.
async fn tell(shared: &Arc<Shared>) {
    loop {
        match poll_fn(|cx| lock(&shared.hub).poll_order(cx)).await {
            Order::Follow {
                topic,
                name,
                nth,
                history,
            } => shared.begin(topic, &name, nth, history),
            Order::Leave { topic } => shared.topics().remove(topic),
            Order::PassOn {
                topic,
                key,
                json,
                number,
            } => shared.pass_on(topic, &key, json, number).await,
            Order::Publish {
                topic,
                key,
                json,
                ticket,
            } => {
                if let Err(why) = shared.publish(topic, &key, json, ticket).await {
                    lock(&shared.hub).was_published(ticket, Err(why));
                }
            }
            Order::Ask { topic, ticket } => shared.ask(topic, ticket),
        }
    }
}

/// Takes what other servers send.
async fn listen(shared: &Shared, mut items: Subscriber, mut beats: Subscriber) {
    let mut origins = Origins::new(Instant::now());
    let mut gaps = Gaps::default();
    let mut later = interval(BEAT);
    later.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let verdict = tokio::select! {
            message = next(&mut items) => match message {
                Some(message) => shared.item(&message, &mut origins, &mut gaps),
                None => return,
            },
            message = next(&mut beats) => match message.as_ref().map(place_of) {
                Some(Some((server, number))) if server != shared.id => {
                    origins.beat(server, number, Instant::now())
                }
                Some(_) => Verdict::Next,
                None => return,
            },
            _ = later.tick() => Verdict::Next,
        };
        gaps.is_open |= verdict == Verdict::Gap;
        gaps.tell(shared);
    }
}

/// Gaps that subscribers have to be told of. Each makes all topics begin anew, so this is not done all the
/// time if the broker drops what this server does not take.
#[derive(Default)]
struct Gaps {
    is_open: bool,
    told: Option<Instant>,
}

impl Gaps {
    fn tell(&mut self, shared: &Shared) {
        let is_time = self.told.is_none_or(|told| told.elapsed() >= BEAT);
        if self.is_open && is_time {
            (self.is_open, self.told) = (false, Some(Instant::now()));
            tracing::warn!("items of topics of other servers were lost; subscribers are told");
            lock(&shared.hub).lost_some();
        }
    }
}

/// Tells other servers how much was sent.
async fn beat(shared: &Shared) {
    let mut interval = interval(BEAT);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut silent) = (0, SILENT_BEATS);
    loop {
        interval.tick().await;
        let sent = lock(&shared.hub).passed_on();
        silent += 1;
        if sent != told || silent >= SILENT_BEATS {
            (told, silent) = (sent, 0);
            let subject = shared.names.beats();
            shared.send(subject, Bytes::new(), sent).await;
        }
    }
}

impl Shared {
    fn begin(self: &Arc<Self>, id: u64, name: &str, nth: u32, history: HistoryLimits) {
        let Some(name) = TopicName::new(name, nth) else {
            tracing::error!(
                "the name of a topic is too long for a broker: it stays in this server"
            );
            return lock(&self.hub).number_here(id);
        };
        let topic = Arc::new(NewTopic { id, name, history });
        let (unanswered, answers) = mpsc::unbounded_channel();
        let mut topics = self.topics();
        topics.remove(id);
        let following = {
            let (shared, topic) = (Arc::clone(self), Arc::clone(&topic));
            topics
                .tasks
                .spawn(async move { stream::follow(&shared, &topic).await })
        };
        let shared = Arc::clone(self);
        let answering = topics
            .tasks
            .spawn(async move { shared.answer(answers).await });
        topics.by_name.insert(topic.name.clone(), id);
        let tasks = vec![following, answering];
        let followed = Followed {
            topic,
            tasks,
            unanswered,
        };
        topics.by_id.insert(id, followed);
        while topics.tasks.try_join_next().is_some() {}
    }

    /// An item of another server.
    fn item(&self, message: &Message, origins: &mut Origins, gaps: &mut Gaps) -> Verdict {
        let Some((server, number)) = place_of(message) else {
            return Verdict::Next;
        };
        if server == self.id {
            return Verdict::Next;
        }
        let verdict = origins.item(server, number, Instant::now());
        if verdict == Verdict::Again {
            return verdict;
        }
        if verdict == Verdict::Gap {
            gaps.is_open = true;
            gaps.tell(self);
        }
        let read = self.names.read_passed_on(&message.subject);
        let Some((topic, key)) = read else {
            return Verdict::Next;
        };
        let topic = self.topics().by_name.get(&topic).copied();
        if let Some(topic) = topic {
            lock(&self.hub).item_from_elsewhere(topic, &key, &message.payload);
        }
        Verdict::Next
    }

    async fn pass_on(&self, topic: u64, key: &str, json: Bytes, number: u64) {
        if let Some(topic) = self.find(topic) {
            let subject = self.names.passed_on(&topic.name, key);
            self.send(subject, json, number).await;
        }
    }

    /// Sends a message with a number. If it gets lost, the next number tells.
    async fn send(&self, subject: String, json: Bytes, number: u64) {
        if !self.link.is_up() {
            return;
        }
        let mut headers = HeaderMap::new();
        headers.insert(PLACE, format!("{} {number}", self.id).as_str());
        let sending = self
            .link
            .client()
            .publish_with_headers(subject, headers, json);
        match timeout(PATIENCE, sending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("an item was not sent to other servers: {error}"),
            Err(_) => tracing::warn!("the NATS server does not take items"),
        }
    }

    async fn publish(
        &self,
        topic: u64,
        key: &str,
        json: Bytes,
        ticket: u64,
    ) -> Result<(), NotPublished> {
        let unavailable = NotPublished::Unavailable;
        let topic_id = topic;
        let topic = self.find(topic_id).ok_or(unavailable)?;
        if !self.link.is_up() {
            return Err(unavailable);
        }
        let subject = self.names.kept(&topic.name, key);
        let until = Instant::now() + PATIENCE;
        let losses = self.link.losses();
        let publishing = self.jetstream.publish(subject, json);
        // What was handed over may be sent later, whatever this has waited for.
        let sent = timeout_at(until, publishing).await;
        let sent = sent.map_err(|_| NotPublished::Unknown)?;
        let answer = sent.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => NotPublished::TooLarge,
            PublishErrorKind::MaxAckPending => NotPublished::QueueFull,
            PublishErrorKind::TimedOut => NotPublished::Unknown,
            _ => unavailable,
        })?;
        let unanswered = Unanswered {
            ticket,
            answer,
            until,
            losses,
        };
        let topics = self.topics();
        let followed = topics.by_id.get(&topic_id);
        followed
            .and_then(|followed| followed.unanswered.send(unanswered).ok())
            .ok_or(NotPublished::Unknown)
    }

    /// Tells what has become of items of a topic, in their order.
    async fn answer(&self, mut answers: mpsc::UnboundedReceiver<Unanswered>) {
        while let Some(unanswered) = answers.recv().await {
            let Unanswered {
                ticket,
                answer,
                until,
                losses,
            } = unanswered;
            let answered = tokio::select! {
                answered = timeout_at(until, answer.into_future()) => answered,
                () = self.link.lost_since(losses) => Ok(Err(PublishErrorKind::BrokenPipe.into())),
            };
            let outcome = match answered {
                Ok(Ok(answer)) => Ok(answer.sequence),
                Ok(Err(error)) => Err(match error.kind() {
                    PublishErrorKind::StreamNotFound
                    | PublishErrorKind::WrongLastMessageId
                    | PublishErrorKind::WrongLastSequence => NotPublished::Unavailable,
                    _ => NotPublished::Unknown,
                }),
                Err(_) => Err(NotPublished::Unknown),
            };
            lock(&self.hub).was_published(ticket, outcome);
        }
    }

    fn ask(self: &Arc<Self>, id: u64, ticket: u64) {
        let shared = Arc::clone(self);
        self.topics().tasks.spawn(async move {
            let last = match shared.find(id) {
                Some(topic) => stream::last_number(&shared, &topic).await,
                None => None,
            };
            lock(&shared.hub).broker_has(id, ticket, last);
        });
    }
}

/// Who has sent a message, and its number there.
fn place_of(message: &Message) -> Option<(&str, u64)> {
    let place = message.headers.as_ref()?.get(PLACE)?.as_str();
    let (server, number) = place.split_once(' ')?;
    let is_name = (1..=64).contains(&server.len());
    is_name.then_some((server, number.parse().ok()?))
}
