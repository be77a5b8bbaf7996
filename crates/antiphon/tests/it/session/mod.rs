//! Tests of sessions: connections on which both sides may make calls.

mod both_ways;
mod calls;
mod cancel_safety;
mod cut;
mod everywhere;
mod fairness;
mod greedy_client;
mod hostile_client;
mod hostile_server;
mod raw;
mod reconnect;
mod resume;
mod stop;
mod streams;
mod topics;
