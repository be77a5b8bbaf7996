//! Tests of topics over several servers, with a broker that keeps the items or only passes them on.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::super::Topic;
use super::super::feed::Feed;
use super::super::gaps::Missed;
use super::super::kept::Kept;
use super::super::published::{NotPublished, PublishError};
use super::super::queue::Next;
use super::broker_queue::Order;
use super::exchange::Hub;
use super::model_tests::{Random, Worker, settle};

const KEYS: [&str; 3] = ["a", "b", "c"];
const EPOCH: u64 = 7;

/// What a broker keeps: number, key, text.
#[derive(Default)]
struct Stream {
    items: VecDeque<(u64, String, Vec<u8>)>,
    last: u64,
    /// Items of each key; 0 if it keeps none.
    of_each_key: usize,
}

impl Stream {
    fn add(&mut self, key: &str, json: &[u8]) -> u64 {
        self.last += 1;
        self.items
            .push_back((self.last, key.to_owned(), json.to_vec()));
        let of_key = |item: &&(u64, String, Vec<u8>)| item.1 == key;
        if self.items.iter().filter(of_key).count() > self.of_each_key {
            let first = self.items.iter().position(|item| item.1 == key);
            self.items.remove(first.unwrap());
        }
        self.last
    }

    fn first(&self) -> u64 {
        self.items.front().map_or(self.last + 1, |item| item.0)
    }
}

/// A server: its hub and its workers, and how far it has followed the stream.
struct Server {
    hub: Hub,
    workers: Vec<Worker>,
    topic: u64,
    position: u64,
    sent: Vec<(String, Vec<u8>)>,
}

impl Server {
    fn new(stream: &Stream, workers: usize) -> Self {
        let mut hub = Hub::with_broker();
        hub.broker_takes(1_000);
        let history = stream.of_each_key;
        let workers = (0..workers).map(|_| Worker::new(&mut hub, history));
        let mut server = Self {
            workers: workers.collect(),
            hub,
            topic: 0,
            position: 0,
            sent: Vec::new(),
        };
        server.settle();
        server
    }

    fn settle(&mut self) {
        settle(&mut self.hub, &mut self.workers);
    }

    /// Carries out what the hub orders.
    fn obey(&mut self, stream: &mut Stream) {
        let cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(order) = self.hub.poll_order(&cx) {
            match order {
                Order::Follow { topic, .. } => {
                    self.topic = topic;
                    match stream.of_each_key {
                        0 => self.hub.number_here(topic),
                        _ => self.tell_all(stream),
                    }
                }
                Order::Leave { .. } => {}
                Order::PassOn { key, json, .. } => self.sent.push((key.to_string(), json.to_vec())),
                Order::Publish {
                    key, json, ticket, ..
                } => {
                    let number = stream.add(&key, &json);
                    self.hub.was_published(ticket, Ok(number));
                }
                Order::Ask { topic, ticket } => {
                    self.hub.broker_has(topic, ticket, Some(stream.last));
                }
            }
        }
        self.settle();
    }

    /// Tells all that the stream has.
    fn tell_all(&mut self, stream: &Stream) {
        let kept = Kept {
            lost: stream.first() - 1,
            of_each_key: stream.of_each_key,
        };
        self.hub.broker_numbers(self.topic, EPOCH, kept);
        for (number, key, json) in &stream.items {
            let told = self.hub.numbered_item(self.topic, *number, key, json);
            assert!(told.is_ok());
        }
        self.hub.broker_told_all(self.topic, stream.last);
        self.position = stream.last;
        self.settle();
    }

    /// Follows the stream for some items.
    fn hear(&mut self, stream: &Stream, most: usize) {
        let later = stream.items.iter().filter(|item| item.0 > self.position);
        let later: Vec<_> = later.take(most).cloned().collect();
        for (number, key, json) in later {
            let told = self.hub.numbered_item(self.topic, number, &key, &json);
            if told.is_err() {
                self.hub.broker_lost_some(self.topic);
                return self.tell_all(stream);
            }
            self.position = number;
        }
        self.settle();
    }
}

/// A subscriber of one key, and what it has seen.
struct Reader {
    server: usize,
    worker: usize,
    key: &'static str,
    feed: Feed,
    /// The values of its last item.
    seen: u64,
    cursor: Option<String>,
}

impl Reader {
    fn new(servers: &[Server], server: usize, worker: usize, key: &'static str) -> Self {
        let topic = &servers[server].workers[worker].topic;
        Self {
            server,
            worker,
            key,
            feed: topic.subscribe(key).into_feed(),
            seen: 0,
            cursor: None,
        }
    }

    /// Takes all that has come. `published` are the values of its key, in their order.
    fn read(&mut self, published: &[u64]) {
        while let Next::Item { item, missed, .. } = self.feed.next() {
            let (key, value): (String, u64) = serde_json::from_slice(item.json()).unwrap();
            assert_eq!(key, self.key);
            let at = published.iter().position(|known| *known == value).unwrap();
            let before = at.checked_sub(1).map_or(0, |before| published[before]);
            assert!(value > self.seen, "{value} comes after {}", self.seen);
            if missed.is_none() && self.cursor.is_some() {
                assert_eq!(
                    before, self.seen,
                    "nobody tells what is missing before {value}"
                );
            }
            let cursor = item.cursor(false);
            assert!(cursor.starts_with("7-0-"), "{cursor}");
            (self.seen, self.cursor) = (value, Some(cursor.into()));
        }
    }
}

#[test]
fn all_servers_have_the_order_of_the_broker_and_cursors_are_good_everywhere() {
    let mut unknown = 0;
    for seed in 1..=12 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut stream = Stream {
            of_each_key: [1, 3, 20][random.below(3)],
            ..Stream::default()
        };
        let mut servers: Vec<_> = (0..2).map(|_| Server::new(&stream, 2)).collect();
        servers
            .iter_mut()
            .for_each(|server| server.obey(&mut stream));
        let mut readers: Vec<Reader> = Vec::new();
        let mut published: [Vec<u64>; 3] = Default::default();
        for value in 1..=2_000 {
            let (server, worker) = (random.below(2), random.below(2));
            let at = random.below(3);
            match random.below(12) {
                0..6 => {
                    let worker = &servers[server].workers[worker];
                    let number = worker
                        .topic
                        .publish(KEYS[at], &(KEYS[at].to_owned(), value));
                    published[at].push(value);
                    drop(number);
                    servers[server].settle();
                    servers[server].obey(&mut stream);
                }
                6 | 7 => servers[server].hear(&stream, 1 + random.below(4)),
                8 if readers.len() < 20 => {
                    readers.push(Reader::new(&servers, server, worker, KEYS[at]));
                    servers[server].settle();
                }
                // One goes on elsewhere.
                9 if !readers.is_empty() => {
                    let old = readers.swap_remove(random.below(readers.len()));
                    let mut new = Reader::new(&servers, server, worker, old.key);
                    if let Some(cursor) = &old.cursor {
                        new.feed.resume(cursor);
                        (new.seen, new.cursor) = (old.seen, old.cursor.clone());
                    }
                    drop(old);
                    readers.push(new);
                    servers[server].settle();
                    servers[server].obey(&mut stream);
                }
                // A worker is replaced, or a whole server.
                10 if random.below(20) == 0 => {
                    readers.retain(|reader| (reader.server, reader.worker) != (server, worker));
                    let history = stream.of_each_key;
                    let server = &mut servers[server];
                    let old = std::mem::replace(
                        &mut server.workers[worker],
                        Worker::new(&mut server.hub, history),
                    );
                    server.hub.disconnect(old.peer);
                    server.settle();
                }
                11 if random.below(50) == 0 => {
                    readers.retain(|reader| reader.server != server);
                    servers[server] = Server::new(&stream, 2);
                    servers[server].obey(&mut stream);
                }
                _ => {}
            }
            for reader in &mut readers {
                let at = KEYS.iter().position(|key| *key == reader.key).unwrap();
                reader.read(&published[at]);
            }
        }
        for server in &mut servers {
            server.hear(&stream, usize::MAX);
            server.obey(&mut stream);
        }
        for reader in &mut readers {
            let at = KEYS.iter().position(|key| *key == reader.key).unwrap();
            let had = reader.cursor.is_some();
            reader.read(&published[at]);
            unknown += usize::from(!had);
            if had {
                assert_eq!(Some(&reader.seen), published[at].last(), "{}", reader.key);
            }
        }
    }
    assert!(unknown < 100);
}

fn take(feed: &Feed) -> Option<(u64, Option<Missed>)> {
    match feed.next() {
        Next::Item { item, missed, .. } => {
            let (_, value): (String, u64) = serde_json::from_slice(item.json()).unwrap();
            Some((value, missed))
        }
        _ => None,
    }
}

fn publish(server: &Server, worker: usize, value: u64) {
    let topic = &server.workers[worker].topic;
    drop(topic.publish("a", &("a".to_owned(), value)));
}

/// Also a subscriber that waits, and one of all keys.
#[test]
fn a_loss_on_the_way_is_told_to_all_subscribers() {
    let mut none = Stream::default();
    let mut server = Server::new(&none, 2);
    server.obey(&mut none);
    let own = server.workers[0].topic.subscribe("a").into_feed();
    let all = server.workers[1].topic.subscribe_all().into_feed();
    server.settle();
    publish(&server, 0, 1);
    server.settle();
    server.obey(&mut none);
    assert_eq!(server.sent, [("a".to_owned(), br#"["a",1]"#.to_vec())]);
    server
        .hub
        .item_from_elsewhere(server.topic, "a", br#"["a",2]"#);
    server
        .hub
        .item_from_elsewhere(server.topic, "a", b"nonsense");
    server.settle();
    for feed in [&own, &all] {
        assert_eq!(take(feed), Some((1, None)));
        assert_eq!(take(feed), Some((2, None)));
    }
    server.hub.lost_some();
    server.settle();
    server
        .hub
        .item_from_elsewhere(server.topic, "a", br#"["a",5]"#);
    publish(&server, 1, 6);
    server.settle();
    for feed in [&own, &all] {
        assert_eq!(take(feed), Some((5, Some(Missed::Unknown))));
        assert_eq!(take(feed), Some((6, None)));
    }
}

#[test]
fn what_is_published_before_the_broker_has_answered_waits_or_is_refused() {
    let outcome = |published: &mut super::super::Published| {
        let mut cx = Context::from_waker(Waker::noop());
        match std::pin::Pin::new(published).poll(&mut cx) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    };
    let mut stream = Stream {
        of_each_key: 5,
        ..Stream::default()
    };
    let mut server = Server::new(&stream, 1);
    let early = server.workers[0].topic.subscribe("a").into_feed();
    let topic: Topic<_> = server.workers[0].topic.clone();
    let publish = |value: u64| topic.publish("a", &("a".to_owned(), value));
    let mut first = publish(1);
    server.settle();
    assert!(outcome(&mut first).is_none());
    let long = "x".repeat(2_000);
    let mut too_large = topic.publish("a", &(long, 1));
    server.settle();
    let refused = outcome(&mut too_large);
    assert!(
        matches!(refused, Some(Err(PublishError::TooLarge))),
        "{refused:?}"
    );
    assert_eq!(take(&early), None);
    server.obey(&mut stream);
    server.obey(&mut stream);
    assert!(matches!(outcome(&mut first), Some(Ok(1))));
    server.hear(&stream, 10);
    assert_eq!(take(&early), Some((1, None)));
    // The broker does not take it.
    let mut second = publish(2);
    server.settle();
    let cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Order::Publish { ticket, .. }) = server.hub.poll_order(&cx) else {
        panic!("it is not published");
    };
    server
        .hub
        .was_published(ticket, Err(NotPublished::Unavailable));
    server.settle();
    let refused = outcome(&mut second);
    assert!(
        matches!(refused, Some(Err(PublishError::Unavailable))),
        "{refused:?}"
    );
    assert_eq!(take(&early), None);
}
