//! Connector of sessions: address → connection.

use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::address::{Address, authority};
use crate::call_origin::{Connection, Transport};
use crate::client::connect::{ClientTls, NatsChannel};
use crate::dispatch::Dispatcher;
use crate::identity::{Identification, Identity};
use crate::memory_budget::Account;
use crate::router::BoxError;
use crate::session::{Session, SessionConfig, Wire};
use crate::session_state::{End, SessionHandle};
use crate::transport::memory;

/// What a client connects to, and what it serves on the connection.
pub(super) struct SessionConnector {
    pub(super) target: Target,
    /// The name of the target in errors.
    pub(super) place: String,
    /// The methods that the peer may call.
    pub(super) dispatcher: Dispatcher,
    pub(super) config: SessionConfig,
    /// Headers of the WebSocket handshake.
    pub(super) headers: HeaderMap,
    /// The most bytes in one message of the peer.
    pub(super) max_message: usize,
}

/// The target of a session.
pub(super) enum Target {
    /// A router in this process.
    InProcess {
        server: Dispatcher,
        /// Whether each message says on whose behalf it is sent.
        forwards_identity: bool,
    },
    /// An address, with the TLS configuration if it uses TLS.
    Address(Address, Option<ClientTls>),
    /// A server of this method behind a broker.
    Broker {
        channel: Arc<NatsChannel>,
        method: String,
        /// Who calls, if that is passed on.
        identity: Option<Identity>,
    },
    /// A network in memory.
    #[cfg(test)]
    Memory {
        connect: Box<dyn Fn() -> Result<memory::MemoryWire, BoxError> + Send + Sync>,
    },
}

/// An established session that is not driven yet.
pub(super) struct ConnectedSession {
    pub(super) handle: SessionHandle,
    pub(super) session: Pin<Box<dyn Future<Output = Arc<End>> + Send>>,
}

/// The name of an address in errors, if it is one for sessions.
pub(super) fn session_place(address: &Address) -> Option<String> {
    Some(match address {
        Address::WebSocket { host, port, .. } | Address::Tcp { host, port, .. } => {
            authority(host_or_loopback(host), *port)
        }
        Address::WebSocketUnix { .. } | Address::Unix { .. } => address.to_string(),
        // The arguments of a command may be secret.
        Address::Stdio { command, .. } => {
            let program = command.split_whitespace().next().unwrap_or_default();
            format!("stdio:{program}")
        }
        _ => return None,
    })
}

/// The host of an address; 127.0.0.1 by default.
pub(super) fn host_or_loopback(host: &Option<String>) -> &str {
    host.as_deref().unwrap_or("127.0.0.1")
}

impl SessionConnector {
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Whether connecting sends headers.
    pub(super) fn has_handshake(&self) -> bool {
        matches!(
            self.target,
            Target::Address(Address::WebSocket { .. } | Address::WebSocketUnix { .. }, _)
        )
    }

    /// Whether messages are sent on behalf of the caller of the method that sends them.
    pub(super) fn forwards_identity(&self) -> bool {
        match self.target {
            Target::InProcess {
                forwards_identity, ..
            } => forwards_identity,
            _ => false,
        }
    }

    /// Connects; `authorization` goes into the headers of a handshake.
    pub(super) async fn connect(
        &self,
        authorization: Option<&HeaderValue>,
    ) -> Result<ConnectedSession, BoxError> {
        match &self.target {
            Target::InProcess {
                server,
                forwards_identity,
            } => Ok(self.in_process(server, *forwards_identity)),
            Target::Address(address, tls) => {
                self.connect_to(address, tls.as_ref(), authorization).await
            }
            Target::Broker {
                channel,
                method,
                identity,
            } => {
                let opening = channel.open_session(method, identity.clone(), self.max_message);
                let wire = opening.await?;
                Ok(self.session(wire, Transport::Nats))
            }
            #[cfg(test)]
            Target::Memory { connect } => Ok(self.session(connect()?, Transport::InProcess)),
        }
    }

    fn in_process(&self, server: &Dispatcher, forwards_identity: bool) -> ConnectedSession {
        let (ours, theirs) = memory::pair();
        let connection = Connection::new(Transport::InProcess, None, Account::unlimited());
        let config = SessionConfig::default();
        let serving = Session::new(
            theirs,
            server.clone(),
            connection,
            !forwards_identity,
            &config,
            // What does not say on whose behalf it is sent has no rights at all.
            |origin| {
                if forwards_identity {
                    origin.identification = Identification::Anonymous;
                }
            },
        );
        // It ends when our end of the pair is dropped.
        tokio::spawn(serving);
        self.session(ours, Transport::InProcess)
    }

    pub(super) fn session<W: Wire>(&self, wire: W, transport: Transport) -> ConnectedSession {
        let connection = Connection::new(transport, None, Account::unlimited());
        // Calls of the server are never local, although we have opened the connection.
        let session = Session::new(
            wire,
            self.dispatcher.clone(),
            connection,
            false,
            &self.config,
            |_| {},
        )
        .limit_unasked();
        ConnectedSession {
            handle: session.handle(),
            session: Box::pin(session),
        }
    }
}

#[cfg(test)]
mod tests {
    use antiphon_proto::{ErrorCode, Id};
    use serde_json::Value;

    use super::*;
    use crate::context::Context;
    use crate::describe::Access;
    use crate::router::{Method, Router};
    use crate::session_state::{CallEnd, NewCall};

    /// Whatever a client sends: without a principal there is nobody whose rights it could have.
    #[tokio::test]
    async fn where_identities_are_forwarded_a_message_without_one_has_no_rights() {
        let router = Router::new()
            .method(Method::function("free", |ctx: Context| ctx.is_local()).public())
            .method_fn("known", || true)
            .method(Method::function("write", || true).scope("write"))
            .method(
                Method::function("near", || true)
                    .public()
                    .access(Access::Local),
            );
        let server = router.build().unwrap();
        let unauthenticated = Err(ErrorCode::UNAUTHENTICATED);
        for (forwards_identity, method, expected) in [
            (true, "free", Ok(false)),
            (true, "known", unauthenticated),
            (true, "write", unauthenticated),
            (true, "near", Err(ErrorCode::METHOD_NOT_FOUND)),
            (false, "free", Ok(true)),
            (false, "known", Ok(true)),
            (false, "write", Ok(true)),
            (false, "near", Ok(true)),
        ] {
            let connector = SessionConnector {
                target: Target::InProcess {
                    server: server.clone(),
                    forwards_identity,
                },
                place: String::new(),
                dispatcher: Router::new().build().unwrap(),
                config: SessionConfig::default(),
                headers: HeaderMap::new(),
                max_message: usize::MAX,
            };
            let ConnectedSession { handle, session } = connector.connect(None).await.unwrap();
            let driving = tokio::spawn(session);
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
            let calls = vec![NewCall::from(Id::from(1))];
            let (mut waiting, _) = handle.call(calls, text.into(), None).unwrap();
            let found = match waiting.remove(0).await {
                CallEnd::Answered(outcome, _) => outcome
                    .map(|result| result.decode::<Value>().unwrap() == true)
                    .map_err(|error| error.code()),
                end => panic!("{end:?}"),
            };
            assert_eq!(found, expected, "{forwards_identity} {method}");
            driving.abort();
        }
    }
}
