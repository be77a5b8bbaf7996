//! Benchmark cases: names, methods of measurement, and transports.
//!
//! | file | what it has |
//! |---|---|
//! | `mod.rs` | [`Case`], its name, its [`Form`] and its URL scheme |
//! | `answers.rs` | requests, fixed responses and checks of responses |
//! | `scale.rs` | [`Scale`]: count of connections, threads and workers |
//! | `turns.rs` | [`Turns`]: connections that several workers share |

mod answers;
mod scale;
mod turns;

use std::borrow::Cow;

use crate::Failure;

pub(crate) use answers::{CALL, add, blob, is_ten};
pub(crate) use scale::{Scale, Setup};
pub(crate) use turns::Turns;

/// A benchmark case, which is one group of rows in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// One call over HTTP.
    Call,
    /// A hundred calls in one HTTP request.
    Batch100,
    /// One call with 1 MiB of parameters.
    Params1m,
    /// One call with 1 MiB of result.
    Result1m,
    /// The single call without a socket.
    InProcess,
    /// A client that makes one call at a time.
    Client,
    /// A client with sixteen concurrent calls.
    Client16,
    /// WebSocket, four connections, 64 calls in flight on each.
    Ws64,
    /// WebSocket, 32 connections, one call in flight on each.
    Ws1,
    /// Newline TCP, four connections, 64 calls in flight on each.
    Tcp64,
    /// Newline TCP, 32 connections, one call in flight on each.
    Tcp1,
    /// A client with 64 concurrent calls over one WebSocket.
    Client64,
    /// One item to a thousand subscribers, each with a WebSocket.
    Fanout1,
    /// Twenty items at once to a thousand subscribers.
    Fanout20,
    /// As `Fanout1`, with the library's own publish and subscribe, where it has that.
    Topic1,
    /// As `Fanout20`, with the same.
    Topic20,
    /// One item to ten thousand subscribers at two workers.
    Crowd,
    /// One item in flight from one worker to another.
    Relay1,
    /// As `Relay1`, with 256 items in flight.
    Relay256,
    /// Memory of idle WebSockets.
    Idle,
    /// Memory of idle TCP connections.
    IdleTcp,
    /// Memory of WebSockets after one large call on each.
    IdleBig,
    /// Memory of a WebSocket that calls and never reads.
    Unread,
    /// Connections that four workers share.
    Turns(Turns),
    /// The single call over HTTP on many connections.
    Scale(Scale),
}

/// The method of measurement of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Load on a server over HTTP.
    Http,
    /// Load on a server over sessions.
    Session,
    /// Items from a server to its subscribers.
    Fanout,
    /// Memory usage of a server.
    Memory,
    /// No socket.
    InProcess,
    /// Load from a client on the floor.
    Client,
    /// Connections of each worker of a server.
    Turns,
    /// Items from one worker of a server to another.
    Relay,
}

impl Case {
    /// The cases that are not members of a family.
    const SINGLE: [Self; 23] = [
        Self::Call,
        Self::Batch100,
        Self::Params1m,
        Self::Result1m,
        Self::InProcess,
        Self::Client,
        Self::Client16,
        Self::Ws64,
        Self::Ws1,
        Self::Tcp64,
        Self::Tcp1,
        Self::Client64,
        Self::Fanout1,
        Self::Fanout20,
        Self::Topic1,
        Self::Topic20,
        Self::Crowd,
        Self::Relay1,
        Self::Relay256,
        Self::Idle,
        Self::IdleTcp,
        Self::IdleBig,
        Self::Unread,
    ];

    /// The rows of the short table, with their titles.
    pub(crate) const README: [(Self, &str); 11] = [
        (Self::Call, "one call over HTTP"),
        (Self::Batch100, "a batch of 100"),
        (Self::Params1m, "1 MiB of parameters"),
        (Self::Result1m, "1 MiB of result"),
        (Self::InProcess, "in process, bytes to bytes"),
        (Self::Ws64, "4 WebSockets with 64 calls in flight each"),
        (Self::Ws1, "32 WebSockets with one call each"),
        (Self::Fanout1, "one item to each of 1,000 subscribers"),
        (Self::Client, "the client, one call at a time"),
        (Self::Client16, "the client, sixteen at a time"),
        (Self::Idle, "memory of an idle WebSocket"),
    ];

    /// All cases in the order of the tables' rows.
    pub(crate) fn all() -> Vec<Self> {
        let turns = Turns::ALL.into_iter().map(Self::Turns);
        let scale = Scale::all().into_iter().map(Self::Scale);
        Self::SINGLE.into_iter().chain(turns).chain(scale).collect()
    }

    /// The name on the command line and in the tables.
    pub(crate) fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Call => "call",
            Self::Batch100 => "batch100",
            Self::Params1m => "params1m",
            Self::Result1m => "result1m",
            Self::InProcess => "inprocess",
            Self::Client => "client",
            Self::Client16 => "client16",
            Self::Ws64 => "ws64",
            Self::Ws1 => "ws1",
            Self::Tcp64 => "tcp64",
            Self::Tcp1 => "tcp1",
            Self::Client64 => "client64",
            Self::Fanout1 => "fanout1",
            Self::Fanout20 => "fanout20",
            Self::Topic1 => "topic1",
            Self::Topic20 => "topic20",
            Self::Crowd => "crowd",
            Self::Relay1 => "relay1",
            Self::Relay256 => "relay256",
            Self::Idle => "idle",
            Self::IdleTcp => "idle-tcp",
            Self::IdleBig => "idle-big",
            Self::Unread => "unread",
            Self::Turns(turns) => return turns.to_string().into(),
            Self::Scale(scale) => return scale.to_string().into(),
        })
    }

    pub(crate) fn form(self) -> Form {
        match self {
            Self::Call | Self::Batch100 | Self::Params1m | Self::Result1m | Self::Scale(_) => {
                Form::Http
            }
            Self::Ws64 | Self::Ws1 | Self::Tcp64 | Self::Tcp1 => Form::Session,
            Self::Fanout1 | Self::Fanout20 => Form::Fanout,
            Self::Topic1 | Self::Topic20 | Self::Crowd => Form::Fanout,
            Self::Idle | Self::IdleTcp | Self::IdleBig | Self::Unread => Form::Memory,
            Self::InProcess => Form::InProcess,
            Self::Client | Self::Client16 | Self::Client64 => Form::Client,
            Self::Turns(_) => Form::Turns,
            Self::Relay1 | Self::Relay256 => Form::Relay,
        }
    }

    /// The URL scheme of the server in this case.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Tcp64 | Self::Tcp1 | Self::IdleTcp => "tcp",
            Self::Ws64 | Self::Ws1 | Self::Client64 => "ws",
            Self::Fanout1 | Self::Fanout20 => "ws",
            Self::Topic1 | Self::Topic20 | Self::Crowd => "ws",
            Self::Relay1 | Self::Relay256 => "ws",
            Self::Idle | Self::IdleBig | Self::Unread => "ws",
            _ => "http",
        }
    }

    /// How many threads or workers the server has.
    pub(crate) fn setup(self) -> Setup {
        match self {
            Self::Scale(scale) => scale.setup,
            Self::Turns(_) => Setup::Workers(turns::WORKERS),
            Self::Crowd | Self::Relay1 | Self::Relay256 => Setup::Workers(2),
            _ => Setup::Threads(1),
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        Self::all()
            .into_iter()
            .find(|case| case.name() == name)
            .ok_or_else(|| format!("there is no case {name:?}").into())
    }

    /// The case of this name, or else the group: `readme`, or the part of names before a hyphen.
    pub(crate) fn group(name: &str) -> Result<Vec<Self>, Failure> {
        if name == "readme" {
            return Ok(Self::README.into_iter().map(|(case, _)| case).collect());
        }
        if let Ok(case) = Self::named(name) {
            return Ok(vec![case]);
        }
        let prefix = format!("{name}-");
        let cases = Self::all().into_iter();
        let group: Vec<Self> = cases
            .filter(|one| one.name().starts_with(&prefix))
            .collect();
        if group.is_empty() {
            return Err(format!("there is no case and no group {name:?}").into());
        }
        Ok(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_groups_are_complete() {
        let mut names: Vec<_> = Case::all().into_iter().map(Case::name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        for (name, count) in [
            ("idle", 1),
            ("turns", Turns::ALL.len()),
            ("scale", Scale::all().len()),
            ("scale-100", 4),
            ("scale-100-t2", 1),
            ("readme", Case::README.len()),
        ] {
            assert_eq!(Case::group(name).unwrap().len(), count, "{name}");
        }
        Case::group("scal").unwrap_err();
        Case::named("scale").unwrap_err();
    }
}
