//! Topic that a stream of JetStream keeps: its history first, then what is published, in one order.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::context::{
    Context, ContextBuilder, CreateStreamErrorKind, GetStreamErrorKind,
};
use async_nats::jetstream::stream::{Config, Info};
use async_nats::jetstream::{ErrorCode, Message};
use async_nats::{Client, Error, RequestErrorKind};
use tokio::time::{sleep, timeout};

use super::super::link::{Link, pause};
use super::names::Names;
use super::shared::{NewTopic, PATIENCE, Shared};
use crate::topic::hub::broker_side::Gap;
use crate::topic::kept::Kept;
use crate::topic::link::in_process::lock;

/// How long it has to say that there is JetStream.
const PROBE: Duration = Duration::from_secs(2);

/// How often it is asked at once: a cluster that has just started may need some time.
const PROBES: u32 = 10;

/// The pause before it is asked again later.
const PROBE_AGAIN: Duration = Duration::from_secs(60);

/// How long a history may pause that is being told.
const HISTORY_PAUSE: Duration = Duration::from_secs(10);

/// The most items on their way to a stream.
const MAX_UNANSWERED: usize = 1 << 18;

/// A stream has room for this many times the bytes of the topic's history, with what it takes itself.
const ROOM: i64 = 2;

/// Copies of a stream in a cluster, if it has so many servers.
const COPIES: usize = 3;

/// What asks JetStream.
pub(super) fn context(client: &Client) -> Context {
    ContextBuilder::new()
        .timeout(PATIENCE)
        .ack_timeout(10 * PATIENCE)
        .max_ack_inflight(MAX_UNANSWERED)
        .backpressure_on_inflight(false)
        .build(client.clone())
}

/// What is known of JetStream.
enum Answer {
    Is,
    IsNot,
    /// Nobody answers.
    Silence,
    /// This server may not ask.
    Refused,
}

/// Whether the broker has JetStream for this account.
async fn probe(shared: &Shared) -> Answer {
    if !shared.link.client().server_info().jetstream {
        return Answer::IsNot;
    }
    let client = shared.link.client();
    let asking = timeout(PROBE, client.request("$JS.API.INFO", "".into()));
    let answer = tokio::select! {
        () = shared.link.refused() => return Answer::Refused,
        answer = asking => answer,
    };
    match answer {
        Ok(Ok(answer)) if has_error(&answer.payload) => Answer::IsNot,
        Ok(Ok(_)) => Answer::Is,
        Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Answer::IsNot,
        Ok(Err(_)) | Err(_) => Answer::Silence,
    }
}

/// Whether an answer of JetStream is an error: all that it has beside its kind.
fn has_error(answer: &[u8]) -> bool {
    let name = b"\"error\":";
    answer.windows(name.len()).any(|window| window == name)
}

/// Sees to it that a topic has its items, as long as it is there.
pub(super) async fn follow(shared: &Shared, topic: &NewTopic) {
    if topic.history.items == 0 {
        return lock(&shared.hub).number_here(topic.id);
    }
    let mut silent = 0;
    loop {
        let losses = shared.link.losses();
        match probe(shared).await {
            Answer::Is => break,
            Answer::IsNot => number_here_until_back(shared, topic, losses).await,
            Answer::Refused => {
                tracing::warn!(
                    "this server may not use JetStream: it keeps the items of topics for itself"
                );
                number_here_until_back(shared, topic, losses).await;
            }
            Answer::Silence if silent < PROBES => {
                silent += 1;
                sleep(pause(1)).await;
            }
            Answer::Silence => {
                tracing::warn!(
                    "the NATS server does not say whether it has JetStream: until then each server keeps \
                     the items of topics for itself"
                );
                lock(&shared.hub).number_here(topic.id);
                sleep(PROBE_AGAIN).await;
            }
        }
    }
    let mut attempt = 1;
    loop {
        let mut link = shared.link.clone();
        link.forget_losses();
        match follow_stream(shared, topic, &mut link, &mut attempt).await {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!("a topic does not get its items from the NATS server: {error}");
            }
        }
        attempt += 1;
        sleep(pause(attempt)).await;
    }
}

/// Numbers the items of a topic here until there is another connection: the broker may have been started
/// again with JetStream, which servers that start later would use.
async fn number_here_until_back(shared: &Shared, topic: &NewTopic, losses: u64) {
    lock(&shared.hub).number_here(topic.id);
    shared.link.lost_since(losses).await;
    while !shared.link.is_up() {
        sleep(pause(1)).await;
    }
}

/// Follows the stream until the connection is lost, or it has to begin anew.
async fn follow_stream(
    shared: &Shared,
    topic: &NewTopic,
    link: &mut Link,
    attempt: &mut usize,
) -> Result<(), Error> {
    if !link.is_up() {
        return Ok(());
    }
    let stream = open(&shared.jetstream, &shared.names, topic).await?;
    let epoch = epoch_of(&stream);
    let (first, last) = (stream.state.first_sequence, stream.state.last_sequence);
    let known = lock(&shared.hub).has_of_broker(topic.id);
    let goes_on =
        known.filter(|(known, had)| *known == epoch && (first..=last + 1).contains(&(had + 1)));
    let from = match goes_on {
        Some((_, had)) => DeliverPolicy::ByStartSequence {
            start_sequence: had + 1,
        },
        None => DeliverPolicy::All,
    };
    let mut messages = consume(&shared.jetstream, link.client(), &stream, from).await?;
    let is_told = match goes_on {
        Some(_) => true,
        None => {
            let kept = Kept {
                lost: first.saturating_sub(1).min(last),
                of_each_key: per_key(&stream.config),
            };
            let mut hub = lock(&shared.hub);
            hub.broker_numbers(topic.id, epoch, kept);
            let is_empty = stream.state.messages == 0;
            if is_empty {
                hub.broker_told_all(topic.id, last);
            }
            is_empty
        }
    };
    *attempt = 0;
    read(shared, topic, &mut messages, link, last, is_told).await
}

/// Reads what the stream tells. Up to the number `last` it is the history.
async fn read(
    shared: &Shared,
    topic: &NewTopic,
    messages: &mut Ordered,
    link: &mut Link,
    last: u64,
    mut is_told: bool,
) -> Result<(), Error> {
    loop {
        let message = tokio::select! {
            () = link.lost() => return Ok(()),
            () = sleep(HISTORY_PAUSE), if !is_told => return Err("its history does not come".into()),
            message = next(messages) => message,
        };
        let Some(message) = message else {
            return Ok(());
        };
        let message = message?;
        let info = message.info()?;
        let (number, is_last) = (info.stream_sequence, info.pending == 0);
        if take(shared, topic, &message, number).is_err() {
            // What was published is not in the stream any more: it is told anew, with what is missing.
            lock(&shared.hub).broker_lost_some(topic.id);
            return Ok(());
        }
        if !is_told && (number >= last || is_last) {
            is_told = true;
            lock(&shared.hub).broker_told_all(topic.id, number.max(last));
        }
    }
}

fn take(shared: &Shared, topic: &NewTopic, message: &Message, number: u64) -> Result<(), Gap> {
    let mut hub = lock(&shared.hub);
    let key = Names::read_kept(&message.subject);
    match key {
        Some(key) => hub.numbered_item(topic.id, number, &key, &message.payload),
        None => hub.number_without_item(topic.id, number),
    }
}

async fn next(messages: &mut Ordered) -> Option<Result<Message, Error>> {
    use futures_core::Stream as _;
    let mut messages = std::pin::pin!(messages);
    let next = std::future::poll_fn(|cx| messages.as_mut().poll_next(cx)).await?;
    Some(next.map_err(Into::into))
}

async fn consume(
    jetstream: &Context,
    client: &Client,
    stream: &Info,
    from: DeliverPolicy,
) -> Result<Ordered, Error> {
    let config = OrderedConfig {
        deliver_subject: client.new_inbox(),
        deliver_policy: from,
        ..OrderedConfig::default()
    };
    let opening = async {
        let stream = jetstream.get_stream_no_info(&stream.config.name).await?;
        let consumer = stream.create_consumer(config).await?;
        Ok::<_, Error>(consumer.messages().await?)
    };
    timeout(2 * PATIENCE, opening).await?
}

/// The stream of a topic, which is made if it is not there. One that is there stays as it is.
async fn open(jetstream: &Context, names: &Names, topic: &NewTopic) -> Result<Info, Error> {
    let name = names.stream(&topic.name);
    for copies in [COPIES, 1] {
        if let Some(info) = info(jetstream, &name).await? {
            return Ok(info);
        }
        let history = topic.history;
        let bytes = i64::try_from(history.bytes).unwrap_or(i64::MAX);
        let config = Config {
            name: name.clone(),
            subjects: vec![names.all_kept(&topic.name)],
            max_messages_per_subject: i64::try_from(history.items).unwrap_or(i64::MAX),
            max_bytes: bytes.saturating_mul(ROOM),
            num_replicas: copies,
            ..Config::default()
        };
        match timeout(PATIENCE, jetstream.create_stream(config)).await? {
            Ok(stream) => return Ok(stream.cached_info().clone()),
            Err(error) => match error.kind() {
                CreateStreamErrorKind::JetStream(fault) if is_passing(fault.error_code()) => {}
                _ => return Err(error.into()),
            },
        }
    }
    info(jetstream, &name)
        .await?
        .ok_or_else(|| "its stream could not be made".into())
}

/// Whether there may be a stream all the same: another server has made it, or it needs fewer copies.
fn is_passing(code: ErrorCode) -> bool {
    [
        ErrorCode::STREAM_NAME_EXIST,
        ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED,
        ErrorCode::CLUSTER_NO_PEERS,
        ErrorCode::INSUFFICIENT_RESOURCES,
    ]
    .contains(&code)
}

/// What the broker says of a stream; `None` if there is none.
async fn info(jetstream: &Context, name: &str) -> Result<Option<Info>, Error> {
    match timeout(PATIENCE, jetstream.get_stream(name)).await? {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(fault)
                if fault.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(error.into()),
        },
    }
}

/// The number of the last item of a topic; `None` if the broker does not say.
pub(super) async fn last_number(shared: &Shared, topic: &NewTopic) -> Option<u64> {
    let name = shared.names.stream(&topic.name);
    let info = info(&shared.jetstream, &name).await.ok()??;
    Some(info.state.last_sequence)
}

/// Another number for each stream that was ever made under this name, the same for all servers.
fn epoch_of(stream: &Info) -> u64 {
    let nanos = stream.created.unix_timestamp_nanos();
    u64::try_from(nanos / 1000).unwrap_or_default()
}

fn per_key(config: &Config) -> usize {
    match usize::try_from(config.max_messages_per_subject) {
        Ok(most) if most > 0 => most,
        _ => usize::MAX,
    }
}
