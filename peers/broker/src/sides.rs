//! What is compared: servers and callers of Antiphon, and of the NATS library alone.

use std::time::Duration;

use antiphon::client::Client;
use antiphon::{Router, Server};
use async_nats::Client as Raw;
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep};

use crate::Failure;

/// The call that all of them make, and its response.
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[3,7]}"#;
const RESPONSE: &str = r#"{"jsonrpc":"2.0","id":1,"result":10.0}"#;

const SUBJECT: &str = "bench.rpc.calc.add";

/// Who serves, and who calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// The NATS library on both sides; the server returns a fixed response.
    Raw,
    /// The server is Antiphon's, the caller the NATS library.
    Served,
    /// Both are Antiphon's.
    Both,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::Raw, Self::Served, Self::Both];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "async-nats",
            Self::Served => "antiphon←async-nats",
            Self::Both => "antiphon",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        let found = Self::ALL.into_iter().find(|side| side.name() == name);
        found.ok_or_else(|| format!("{name} is not compared").into())
    }
}

/// Serves until the process ends.
pub(crate) async fn serve(side: Side, port: u16) -> Result<(), Failure> {
    if side == Side::Raw {
        let raw = connect(port).await?;
        let mut asked = raw.queue_subscribe(SUBJECT, "bench".to_owned()).await?;
        while let Some(message) = asked.next().await {
            if let Some(reply) = message.reply {
                raw.publish(reply, RESPONSE.into()).await?;
            }
        }
        return Ok(());
    }
    let calculator = Router::new().method_fn("add", |a: f64, b: f64| a + b);
    let server = Server::new(Router::new().nest("calc", calculator));
    server.bind(url(port)).listen().await?.serve().await?;
    Ok(())
}

/// A caller of a server that answers.
pub(crate) async fn caller(side: Side, port: u16) -> Result<Caller, Failure> {
    let caller = match side {
        Side::Both => Caller::Antiphon(Client::connect(url(port))?),
        Side::Raw | Side::Served => Caller::Raw(connect(port).await?),
    };
    let until = Instant::now() + Duration::from_secs(10);
    while let Err(failure) = caller.call().await {
        if Instant::now() >= until {
            return Err(failure);
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(caller)
}

pub(crate) enum Caller {
    Raw(Raw),
    Antiphon(Client),
}

impl Caller {
    /// One call. Its response is checked.
    pub(crate) async fn call(&self) -> Result<(), Failure> {
        let is_right = match self {
            Self::Raw(raw) => {
                let answer = raw.request(SUBJECT, CALL.into()).await?;
                answer.payload == RESPONSE
            }
            Self::Antiphon(client) => client.call::<f64>("calc.add", (3, 7)).await? == 10.0,
        };
        match is_right {
            true => Ok(()),
            false => Err("a wrong response".into()),
        }
    }
}

async fn connect(port: u16) -> Result<Raw, Failure> {
    Ok(async_nats::connect(format!("nats://127.0.0.1:{port}")).await?)
}

pub(crate) fn url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}/bench")
}
