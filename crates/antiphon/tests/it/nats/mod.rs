//! Tests of servers and clients behind a real NATS server.
//!
//! | file | what it does |
//! |---|---|
//! | `broker.rs` | a NATS server that belongs to one test |
//! | `calls.rs` | calls, notifications, batches, names, limits |
//! | `credentials.rs` | logins, tokens, keys, certificates |
//! | `long_calls.rs` | acknowledgement, cancellation, servers that are gone |
//! | `sessions.rs` | subscriptions, progress, and what ends a session |
//! | `outages.rs` | brokers and servers that go and come back |
//! | `discovery.rs` | the service as a NATS micro service |

pub(crate) mod broker;
mod calls;
mod credentials;
mod discovery;
mod long_calls;
mod outages;
mod sessions;
