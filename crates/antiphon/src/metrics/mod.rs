//! Observation of a server: status, counters, metrics.
//!
//! Counting costs a few atomic additions per call. Reading the clock costs more, so the duration of
//! calls that are ready at their first poll is measured for one in eight of them, with weight
//! eight. Calls that have to wait are all measured.
//!
//! | file | what it does |
//! |---|---|
//! | `status.rs` | `ServerStatus`: uptime, listeners, connections, calls in flight |
//! | `process_info.rs` | memory, CPU time and threads of the process |
//! | `counters.rs` | calls, errors and calls in flight of a router |
//! | `places.rs` | places of calls in flight, and the shares of their callers |
//! | `method_metrics/` | [`MethodMetrics`]: metrics of one method; `no_method_metrics.rs` without feature `metrics` |
//! | `snapshot.rs` | [`Snapshot`]: all metrics at one time, which can be added up over workers |
//! | `upstream_counts.rs`, `upstream_text.rs` | those of the servers that calls are forwarded to; the same for Prometheus |
//! | `exposition.rs` | parts of the text format |
//! | `prometheus.rs` | formats a snapshot for Prometheus |

pub(crate) mod counters;
#[cfg(feature = "server")]
mod exposition;
#[cfg_attr(not(feature = "metrics"), path = "no_method_metrics.rs")]
pub(crate) mod method_metrics;
pub(crate) mod places;
#[cfg(feature = "server")]
pub(crate) mod process_info;
#[cfg(feature = "server")]
mod prometheus;
mod snapshot;
pub(crate) mod status;
mod upstream_counts;
#[cfg(feature = "server")]
mod upstream_text;

pub(crate) use method_metrics::{MethodMetrics, Stopwatch};
#[cfg(feature = "server")]
pub(crate) use prometheus::{MEDIA_TYPE, render};
pub(crate) use snapshot::Snapshot;
