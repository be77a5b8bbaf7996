//! Client of a control socket.

use std::time::Duration;

use antiphon::client::{Client, Error, ErrorKind};
use antiphon::{ErrorCode, IntoParams, Params};
use serde_json::Value;

use super::socket::Socket;
use crate::exit::{Exit, Failure};

/// Client of a control socket. Every call opens a new connection: after an upgrade, another process
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

    /// Calls a method whose only result is `true`.
    pub(super) async fn demand(&self, method: &str) -> Result<(), Failure> {
        match self.ask(method, Params::none()).await? {
            Value::Bool(true) => Ok(()),
            other => Err(unexpected(method, &other)),
        }
    }

    /// Converts an error; the message of an error response is used as it is.
    pub(super) fn failure(&self, error: Error) -> Failure {
        match error.kind() {
            ErrorKind::Refused(object) if object.code() == ErrorCode::METHOD_NOT_FOUND => {
                Failure::new(
                    Exit::Refused,
                    format!("{error}; {} is no control socket", self.socket),
                )
            }
            ErrorKind::Refused(object) => Failure::new(Exit::Refused, object.message()),
            _ => error.into(),
        }
    }
}

/// The failure for a result that no control socket would return.
pub(super) fn unexpected(method: &str, answer: &Value) -> Failure {
    /// How much of the result is shown, in characters.
    const SHOWN: usize = 200;
    let answer: String = answer.to_string().chars().take(SHOWN).collect();
    Failure::new(
        Exit::Protocol,
        format!("`{method}`: no answer of a control socket: {answer}"),
    )
}
