//! Tests of servers and clients behind a real NATS server.
//!
//! | file | what it does |
//! |---|---|
//! | `broker.rs` | a NATS server that belongs to one test |
//! | `calls.rs` | calls, notifications, batches, names, limits |
//! | `credentials.rs` | logins, tokens, keys, certificates |
//! | `long_calls.rs` | acknowledgement, cancellation, servers that are gone |
//! | `outages.rs` | brokers and servers that go and come back |
//! | `discovery.rs` | the service as a NATS micro service |

mod broker;
mod calls;
mod credentials;
mod discovery;
mod long_calls;
mod outages;
