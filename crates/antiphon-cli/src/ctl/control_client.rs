//! Client of a control socket.

use std::time::Duration;

use antiphon::client::{Client, Error, Kind};
use antiphon::{ErrorCode, IntoParams, Params};
use serde_json::Value;

use super::socket::Socket;
use crate::exit::{Exit, Failure};

/// The way to a server. Every call has a connection of its own: after an upgrade somebody else
/// listens on the same socket.
pub(super) struct ControlClient {
    pub(super) socket: Socket,
    pub(super) timeout: Option<Duration>,
}

impl ControlClient {
    pub(super) fn client(&self) -> Result<Client, Error> {
        Client::builder(self.socket.url())
            .timeout(self.timeout)
            .build()
    }

    /// Calls a method.
    pub(super) async fn ask(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> Result<Value, Failure> {
        let client = self.client()?;
        let answer = client.call::<Value>(method, params).await;
        answer.map_err(|error| self.failure(error))
    }

    /// Calls a method that has no other result than true.
    pub(super) async fn demand(&self, method: &str) -> Result<(), Failure> {
        match self.ask(method, Params::none()).await? {
            Value::Bool(true) => Ok(()),
            other => Err(unexpected(method, &other)),
        }
    }

    /// What an error means; one that the server answers with is told in its own words.
    pub(super) fn failure(&self, error: Error) -> Failure {
        match error.kind() {
            Kind::Refused(object) if object.code() == ErrorCode::METHOD_NOT_FOUND => Failure::new(
                Exit::Refused,
                format!("{error}; {} is no control socket", self.socket),
            ),
            Kind::Refused(object) => Failure::new(Exit::Refused, object.message()),
            _ => error.into(),
        }
    }
}

/// The failure where an answer is none of a control socket.
pub(super) fn unexpected(method: &str, answer: &Value) -> Failure {
    /// How much of it is told, in characters.
    const SHOWN: usize = 200;
    let answer: String = answer.to_string().chars().take(SHOWN).collect();
    Failure::new(
        Exit::Protocol,
        format!("`{method}`: no answer of a control socket: {answer}"),
    )
}
