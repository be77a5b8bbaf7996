//! Cases: what is called, how often, and what has to come back.

use std::ops::Range;

use crate::framing::Framing;
use crate::programs::ProgramKind;

/// Calls of the batch.
const BATCH: usize = 100;

/// Calls in flight on one WebSocket.
const IN_FLIGHT: usize = 64;

/// Subscribers that receive each item.
const SUBSCRIBERS: usize = 200;

/// Items of a topic that are published at once.
const ITEMS: usize = 20;

/// What one count is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// One call in one request on an open connection.
    Http,
    /// A call in a batch over HTTP.
    Batch,
    /// Bytes to bytes, without a socket.
    InProcess,
    /// One call at a time over a WebSocket.
    Ws,
    /// Many calls at a time over a WebSocket.
    Ws64,
    /// One call at a time over TCP with newlines.
    Tcp,
    /// An item to each of many subscribers.
    FanOut,
    /// The same with a topic.
    Topic,
    /// Many items of a topic at once.
    Topic20,
}

/// How a case is counted: the program runs twice, and what the longer run has executed more is
/// divided by what it has done more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) program: ProgramKind,
    /// Rounds of the short run and of the long one.
    pub(crate) rounds: Range<usize>,
    /// Calls, or items of all subscribers, of one round.
    pub(crate) calls: usize,
}

/// What a client sends in one round, and which messages it has to receive, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) framing: Framing,
    pub(crate) request: Vec<u8>,
    pub(crate) responses: Vec<Vec<u8>>,
}

impl Case {
    pub(crate) const ALL: [Self; 9] = [
        Self::Http,
        Self::Batch,
        Self::InProcess,
        Self::Ws,
        Self::Ws64,
        Self::Tcp,
        Self::FanOut,
        Self::Topic,
        Self::Topic20,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Batch => "batch",
            Self::InProcess => "in-process",
            Self::Ws => "ws",
            Self::Ws64 => "ws64",
            Self::Tcp => "tcp",
            Self::FanOut => "fan-out",
            Self::Topic => "topic",
            Self::Topic20 => "topic20",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Http => "a call over HTTP/1.1",
            Self::Batch => "a call in a batch of 100 over HTTP/1.1",
            Self::InProcess => "a call in process, from bytes to bytes",
            Self::Ws => "a call over a WebSocket, one at a time",
            Self::Ws64 => "a call over a WebSocket, 64 at a time",
            Self::Tcp => "a call over TCP with newlines, one at a time",
            Self::FanOut => "an item to each of 200 subscribers over WebSockets",
            Self::Topic => "an item of a topic to each of 200 subscribers over WebSockets",
            Self::Topic20 => "the same, 20 items at once",
        }
    }

    pub(crate) fn plan(self) -> Plan {
        let (program, rounds, calls) = match self {
            Self::Http | Self::Ws | Self::Tcp => (ProgramKind::Serve, 500..2_500, 1),
            Self::Batch => (ProgramKind::Serve, 20..120, BATCH),
            Self::Ws64 => (ProgramKind::Serve, 20..120, IN_FLIGHT),
            Self::InProcess => (ProgramKind::Calls, 1_000..11_000, 1),
            Self::FanOut => (ProgramKind::Publisher, 10..110, SUBSCRIBERS),
            Self::Topic => (ProgramKind::Topic, 10..110, SUBSCRIBERS),
            Self::Topic20 => (ProgramKind::Topic, 5..25, SUBSCRIBERS * ITEMS),
        };
        Plan {
            program,
            rounds,
            calls,
        }
    }

    /// The scheme of the address that is called. WebSockets share the port of HTTP.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::FanOut | Self::Topic | Self::Topic20 => "ws",
            Self::Http | Self::Batch | Self::InProcess | Self::Ws | Self::Ws64 => "http",
        }
    }

    /// Connections that only receive.
    pub(crate) fn subscribers(self) -> usize {
        match self {
            Self::FanOut | Self::Topic | Self::Topic20 => SUBSCRIBERS,
            _ => 0,
        }
    }

    /// Items that each of them receives in a round.
    pub(crate) fn items(self) -> usize {
        match self {
            Self::Topic20 => ITEMS,
            _ => 1,
        }
    }

    /// One round of the connection that sends. In process there is none.
    pub(crate) fn exchange(self) -> Exchange {
        let (framing, first_id, calls) = match self {
            Self::Http | Self::Batch | Self::InProcess => (Framing::Http, 1, 1),
            Self::Ws => (Framing::WebSocket, 1, 1),
            // All ids have two digits.
            Self::Ws64 => (Framing::WebSocket, 10, IN_FLIGHT),
            Self::Tcp => (Framing::Lines, 1, 1),
            Self::FanOut | Self::Topic | Self::Topic20 => return publication(self.items()),
        };
        if self == Self::Batch {
            return Exchange {
                framing,
                request: framing.encode(&batch_of(&call(1))),
                responses: vec![batch_of(&response(1)).into_bytes()],
            };
        }
        let ids = first_id..first_id + calls;
        Exchange {
            framing,
            request: ids
                .clone()
                .flat_map(|id| framing.encode(&call(id)))
                .collect(),
            responses: ids.map(|id| response(id).into_bytes()).collect(),
        }
    }
}

/// What a subscriber sends first. The response has an id that the server makes.
pub(crate) fn subscription() -> Vec<u8> {
    Framing::WebSocket.encode(r#"{"jsonrpc":"2.0","id":1,"method":"items","params":[]}"#)
}

/// The end of each item.
pub(crate) const ITEM: &str = r#":1234567}}"#;

fn publication(items: usize) -> Exchange {
    let call =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"publish","params":[1234567,{items}]}}"#);
    let response = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{SUBSCRIBERS}}}"#);
    Exchange {
        framing: Framing::WebSocket,
        request: Framing::WebSocket.encode(&call),
        responses: vec![response.into_bytes()],
    }
}

fn call(id: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"calc.add","params":[3,4]}}"#)
}

fn response(id: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":7.0}}"#)
}

fn batch_of(one: &str) -> String {
    format!("[{}]", vec![one; BATCH].join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again() {
        for case in Case::ALL {
            assert_eq!(Case::named(case.name()), Some(case));
            assert!(case.plan().rounds.start < case.plan().rounds.end);
        }
        assert_eq!(Case::named("https"), None);
    }

    #[test]
    fn the_load_has_the_same_bytes_in_each_round_and_each_call_the_same_length() {
        for case in Case::ALL {
            assert_eq!(case.exchange(), case.exchange());
        }
        let exchange = Case::Ws64.exchange();
        assert_eq!(exchange.responses.len(), IN_FLIGHT);
        assert_eq!(exchange.request.len() % IN_FLIGHT, 0);
        assert!(exchange.responses.iter().all(|one| one.len() == 38));
    }
}
