//! Balancing among several servers that serve the same.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Balanced`]: upstreams and options → client |
//! | `balancer.rs` | which upstream is used next, and which ones are left out for a while |
//! | `health.rs` | what is known of one upstream: its failures, and until when it is left out |
//! | `check.rs` | whether each upstream answers, asked from time to time |
//! | `attempts.rs` | one call, at one upstream after the other as long as that is safe |
//! | `outage_tests.rs` | upstreams that are down, cut off or silent: what callers get |
//! | `status.rs` | [`UpstreamStatus`]: what a program may know of its upstreams |

mod attempts;
mod balancer;
mod builder;
mod check;
mod health;
#[cfg(test)]
mod outage_tests;
mod status;

pub(super) use attempts::{Attempt, Told};
pub(super) use balancer::Balancer;
pub use builder::{Balanced, IntoUpstream};
pub use status::UpstreamStatus;
