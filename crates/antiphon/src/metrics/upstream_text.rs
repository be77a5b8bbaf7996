//! The metrics of servers that calls are forwarded to, in the text format of Prometheus.

use std::fmt::Write as _;

use super::exposition::{head, label};
use super::snapshot::Snapshot;
use super::upstream_counts::{RemoteCounts, UpstreamCounts};

/// The metrics, by the names of the servers.
pub(super) fn upstreams(text: &mut String, snapshot: &Snapshot) {
    if snapshot.upstreams.is_empty() {
        return;
    }
    type Of = fn(&UpstreamCounts) -> u64;
    let of_each: [(&str, &str, &str, Of); 4] = [
        (
            "antiphon_upstream_up",
            "gauge",
            "Processes that send calls to this server.",
            |server| server.up,
        ),
        (
            "antiphon_upstream_calls_in_flight",
            "gauge",
            "Calls that this server has not answered yet.",
            |server| server.in_flight,
        ),
        (
            "antiphon_upstream_calls_total",
            "counter",
            "Calls that were sent to this server, or would have been.",
            |server| server.calls,
        ),
        (
            "antiphon_upstream_failures_total",
            "counter",
            "Calls that this server has not answered, or not as it should.",
            |server| server.failed,
        ),
    ];
    // Writing to a `String` cannot fail, here and below.
    for (name, kind, help, value) in of_each {
        head(text, name, kind, help);
        for (upstream, counts) in &snapshot.upstreams {
            let upstream = label(upstream);
            for (at, server) in counts.servers.iter().enumerate() {
                let value = value(server);
                let _ = writeln!(
                    text,
                    "{name}{{upstream=\"{upstream}\",server=\"{at}\"}} {value}"
                );
            }
        }
    }
    type OfAll = fn(&RemoteCounts) -> u64;
    let of_all: [(&str, &str, &str, OfAll); 3] = [
        (
            "antiphon_upstream_shared_total",
            "counter",
            "Calls that were answered with the result of an equal one at the same time.",
            |counts| counts.joined,
        ),
        (
            "antiphon_upstream_cached_total",
            "counter",
            "Calls that were answered from the cache.",
            |counts| counts.cached,
        ),
        (
            "antiphon_upstream_cache_bytes",
            "gauge",
            "Bytes of the results that are kept.",
            |counts| counts.cache_bytes,
        ),
    ];
    for (name, kind, help, value) in of_all {
        head(text, name, kind, help);
        for (upstream, counts) in &snapshot.upstreams {
            let (upstream, value) = (label(upstream), value(counts));
            let _ = writeln!(text, "{name}{{upstream=\"{upstream}\"}} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;
    use crate::describe::{ServedBy, UpstreamState};

    #[test]
    fn processes_are_summed_up_and_one_that_has_ended_has_no_gauges() {
        let state = |is_up| UpstreamState {
            place: "10.0.0.1:8060".to_owned(),
            is_up,
            in_flight: 2,
            calls: 10,
            failed: 1,
        };
        let served = ServedBy {
            name: "calc".into(),
            upstreams: vec![state(true), state(false)],
            joined: 3,
            cached: 4,
            cache_bytes: 500,
            is_all: true,
        };
        let mut one = Snapshot::default();
        let counts = RemoteCounts::of(&served);
        one.upstreams.insert("calc".to_owned(), counts);
        let mut both = one.clone();
        both.add(&one.without_gauges());
        let text = render(&both);
        for line in [
            r#"antiphon_upstream_up{upstream="calc",server="0"} 1"#,
            r#"antiphon_upstream_up{upstream="calc",server="1"} 0"#,
            r#"antiphon_upstream_calls_in_flight{upstream="calc",server="0"} 2"#,
            r#"antiphon_upstream_calls_total{upstream="calc",server="1"} 20"#,
            r#"antiphon_upstream_failures_total{upstream="calc",server="1"} 2"#,
            r#"antiphon_upstream_shared_total{upstream="calc"} 6"#,
            r#"antiphon_upstream_cached_total{upstream="calc"} 8"#,
            r#"antiphon_upstream_cache_bytes{upstream="calc"} 500"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("10.0.0.1"), "addresses are for the operator");
    }
}
