//! Messages through NATS servers: one subject for each method, and an inbox for responses.
//!
//! A caller publishes a request on the subject of its method. One of the servers that have subscribed to
//! that subject as a group gets it, and publishes the response on the caller's inbox. What takes longer is
//! acknowledged there, and shows with beats that it still runs.
//!
//! | file | what it does |
//! |---|---|
//! | `subject.rs` | names of methods → subjects, and back |
//! | `headers.rs` | what goes with a message: time, trace, kind |
//! | `link.rs` | [`Link`](link::Link): the connection to a broker, and whether it is up |
//! | `credentials.rs` | what a program shows to a broker |
//! | `signed_identity.rs` | who calls, as the one says who passes it on |
//! | `identity_keys.rs` | the keys with which that is signed |
//! | `replays.rs` | signed messages that were seen |
//! | `requests.rs` | caller: requests in flight, by inbox |
//! | `table.rs` | caller: those that have no answer yet |
//! | `inbox.rs` | caller: the task that reads the inbox |
//! | `service.rs` | server: subscriptions, from their start until they are drained |
//! | `serving.rs` | server: what all calls share |
//! | `group_member.rs` | server: one subscription, and how it leaves its group |
//! | `receive.rs` | server: one message, from its checks to its response |
//! | `long_call.rs` | server: a call that takes longer: acknowledgement, beats |
//! | `long_calls.rs` | server: those calls, and their cancellation |
//! | `open_session.rs` | caller: sessions, for subscriptions and progress |
//! | `accept_session.rs` | server: sessions of callers |
//! | `session_setup.rs` | server: what they run with, and their number |
//! | `bridge.rs` | either end of a session: its messages on two subjects |
//! | `flow.rs` | their parts, and how many may be on their way |
//! | `discovery.rs` | server: answers as a NATS micro service (ADR-32) |
//! | `topics/` | topics of all servers with one prefix |

mod accept_session;
mod bridge;
mod credentials;
mod discovery;
mod flow;
mod group_member;
mod headers;
mod identity_keys;
mod inbox;
mod link;
mod long_call;
mod long_calls;
mod open_session;
mod receive;
mod replays;
mod requests;
mod service;
mod serving;
mod session_setup;
mod signed_identity;
mod subject;
mod table;
pub(crate) mod topics;

pub(crate) use headers::RequestHeaders;
pub(crate) use requests::{Delivery, Requests};
pub(crate) use service::Broker;
pub(crate) use serving::{BrokerLimits, ServiceSetup};
pub(crate) use table::Failure;
