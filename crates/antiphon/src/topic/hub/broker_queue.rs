//! Orders of a hub to its broker, and what they wait for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::super::item::Text;
use super::super::keys::HistoryLimits;
use super::super::link::buffer::MAX_TEXT;
use super::log::Origin;

/// The most bytes of items that wait to be passed on to other servers, and the most of them.
const MAX_PASSED_ON: usize = 65_536;
const MAX_PASSED_ON_BYTES: usize = 2 * MAX_TEXT;

/// The most orders of which it is not known what has become of them.
const MAX_TICKETS: usize = 1 << 20;

/// What the broker is to be told.
#[derive(Debug)]
pub(crate) enum Order {
    /// There is a topic: the first, second… of this name.
    Follow {
        topic: u64,
        name: Box<str>,
        nth: u32,
        history: HistoryLimits,
    },
    /// It is there no more.
    Leave { topic: u64 },
    /// An item for the other servers, with its number among those of this one.
    PassOn {
        topic: u64,
        key: Arc<str>,
        json: Bytes,
        number: u64,
    },
    /// An item that the broker is to keep and to number.
    Publish {
        topic: u64,
        key: Arc<str>,
        json: Bytes,
        ticket: u64,
    },
    /// How many items has the broker by now?
    Ask { topic: u64, ticket: u64 },
}

/// What an order waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ticket {
    Item { origin: Origin, bytes: usize },
    Question { worker: u64, question: u64 },
}

/// What a broker is to be told.
#[derive(Debug, Default)]
pub(crate) struct BrokerQueue {
    orders: VecDeque<Order>,
    tickets: HashMap<u64, Ticket>,
    last_ticket: u64,
    /// Items that wait to be passed on, and their bytes.
    passing: (usize, usize),
    /// Items that were passed on, or lost.
    pub(super) passed_on: u64,
    /// The most bytes of an item; `None` until the broker has said it.
    pub(super) max_item: Option<usize>,
    task: Option<Waker>,
}

impl BrokerQueue {
    pub(super) fn order(&mut self, order: Order) {
        self.orders.push_back(order);
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    pub(super) fn ticket(&mut self, ticket: Ticket) -> u64 {
        self.last_ticket += 1;
        self.tickets.insert(self.last_ticket, ticket);
        self.last_ticket
    }

    /// Passes an item on to other servers. If too many wait they are told that one is missing.
    pub(super) fn pass_on(&mut self, topic: u64, key: &str, text: &Text) {
        self.passed_on += 1;
        let bytes = key.len() + text.json().len();
        let (items, all) = self.passing;
        if items >= MAX_PASSED_ON || all + bytes > MAX_PASSED_ON_BYTES {
            return;
        }
        self.passing = (items + 1, all + bytes);
        self.order(Order::PassOn {
            topic,
            key: key.into(),
            json: text.json_bytes(),
            number: self.passed_on,
        });
    }

    /// What it waits for, which is known now.
    pub(super) fn redeem(&mut self, ticket: u64) -> Option<Ticket> {
        self.tickets.remove(&ticket)
    }

    /// The next order, or wakes the task when there is one.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Order> {
        let Some(order) = self.orders.pop_front() else {
            self.task = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if let Order::PassOn { key, json, .. } = &order {
            let (items, bytes) = self.passing;
            self.passing = (items - 1, bytes - key.len() - json.len());
        }
        Poll::Ready(order)
    }

    /// Whether more questions than any program has wait already.
    pub(super) fn is_full(&self) -> bool {
        self.tickets.len() >= MAX_TICKETS
    }
}
