//! Tests of servers and clients behind a real NATS server.
//!
//! | file | what it does |
//! |---|---|
//! | `broker.rs` | a NATS server that belongs to one test |
//! | `calls.rs` | calls, notifications, batches, names, limits |
//! | `credentials.rs` | logins, tokens, keys, certificates |
//! | `permissions.rs` | what the users of the documented settings may do |
//! | `identity.rs` | who calls, signed by who passes it on |
//! | `long_calls.rs` | acknowledgement, cancellation, servers that are gone |
//! | `sessions.rs` | subscriptions, progress, and what ends a session |
//! | `server_process.rs` | a server in a process of its own, and a record of what it has run |
//! | `proxy.rs` | a way to a broker that can be interrupted |
//! | `failures.rs` | servers that are killed and frozen, ways that are interrupted, a cluster of brokers |
//! | `history.rs` | random calls and failures: what callers are told agrees with what has run |
//! | `outages.rs` | brokers and servers that go and come back |
//! | `topics.rs` | topics of several servers, kept by the broker or not |
//! | `discovery.rs` | the service as a NATS micro service |

pub(crate) mod broker;
mod calls;
mod credentials;
mod discovery;
mod failures;
mod history;
mod identity;
mod long_calls;
mod outages;
mod permissions;
mod proxy;
mod server_process;
mod sessions;
mod topics;
