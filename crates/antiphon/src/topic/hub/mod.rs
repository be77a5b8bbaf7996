//! Topics over worker processes: the supervisor's part. Without I/O.
//!
//! The supervisor numbers what workers publish, keeps the histories, and passes everything on to all
//! workers, in one order. What they have not taken yet is in one log, once. A worker that has not taken
//! it when the log is full gets what the histories have, and is told what is missing.
//!
//! | file | what it does |
//! |---|---|
//! | `exchange.rs` | [`Hub`](exchange::Hub): workers that come and go, and what they say |
//! | `shared_topic.rs` | one topic: its keys, and who has subscribers or produces |
//! | `broker_side.rs` | topics over many servers: what a broker is to be told, and what it says |
//! | `broker_queue.rs` | [`BrokerQueue`](broker_queue::BrokerQueue): orders to the broker, and what waits for them |
//! | `foreign_item.rs` | texts of items that come from elsewhere |
//! | `log.rs` | what the workers have not taken yet |
//! | `peer.rs` | one worker: what it has taken, and what it is to be told |
//! | `attached.rs` | a topic of one worker |
//! | `script.rs` | histories and keys, as it is told of them |
//! | `broker_tests.rs` | several servers behind a broker |
//! | `begin_tests.rs` | subscribers that are there before the history |
//! | `bounds_tests.rs` | what a worker cannot do to the supervisor and to others |
//! | `model_tests.rs` | random use by workers that come, go and are slow |
//! | `life_tests.rs` | topics that are dropped and made again, producers that stop |
//! | `resume_tests.rs` | subscribers that go on at another worker |

mod attached;
#[cfg(test)]
mod begin_tests;
#[cfg(test)]
mod bounds_tests;
pub(crate) mod broker_queue;
pub(crate) mod broker_side;
#[cfg(test)]
mod broker_tests;
pub(crate) mod exchange;
mod foreign_item;
#[cfg(test)]
mod life_tests;
mod log;
#[cfg(test)]
mod model_tests;
mod peer;
#[cfg(test)]
mod resume_tests;
mod script;
mod shared_topic;
