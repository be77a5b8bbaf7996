//! The text format of Prometheus (exposition format 0.0.4).

use std::fmt::Write as _;

use super::exposition::{head, label};
use super::snapshot::{BOUNDS, CODES, MethodSnapshot, Snapshot};
use super::upstream_text::upstreams;
use crate::topic::counts::TopicCounts;

/// The media type of this format.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Formats a snapshot.
pub(crate) fn render(snapshot: &Snapshot) -> String {
    let mut text = String::with_capacity(4096);
    let simple: [Simple; 5] = [
        (
            "antiphon_calls_total",
            "counter",
            "Calls and notifications.",
            |m| m.calls,
        ),
        (
            "antiphon_calls_in_flight",
            "gauge",
            "Calls that wait for something.",
            |m| m.in_flight,
        ),
        (
            "antiphon_received_bytes_total",
            "counter",
            "Bytes of requests.",
            |m| m.received,
        ),
        (
            "antiphon_sent_bytes_total",
            "counter",
            "Bytes of answers.",
            |m| m.sent,
        ),
        (
            "antiphon_rate_limited_total",
            "counter",
            "Calls that a rate limit has refused.",
            |m| m.limited,
        ),
    ];
    for (name, kind, help, value) in simple {
        head(&mut text, name, kind, help);
        for (method, counts) in &snapshot.methods {
            let _ = writeln!(
                text,
                "{name}{{method=\"{}\"}} {}",
                label(method),
                value(counts)
            );
        }
    }
    topics(&mut text, snapshot);
    upstreams(&mut text, snapshot);
    errors(&mut text, snapshot);
    durations(&mut text, snapshot);
    let whole = [
        (
            "antiphon_connections",
            "gauge",
            "Connections that are open.",
            snapshot.connections,
        ),
        (
            "antiphon_connections_total",
            "counter",
            "Connections since the start.",
            snapshot.accepted,
        ),
        (
            "antiphon_request_memory_bytes",
            "gauge",
            "Bytes held for requests.",
            snapshot.request_memory,
        ),
        (
            "antiphon_response_memory_bytes",
            "gauge",
            "Bytes held for responses.",
            snapshot.response_memory,
        ),
        (
            "antiphon_memory_refused_total",
            "counter",
            "Requests and responses for which there was no memory.",
            snapshot.memory_refused,
        ),
        (
            "antiphon_audit_missing_total",
            "counter",
            "Lines of the audit log that were dropped.",
            snapshot.audit_missing,
        ),
        (
            "antiphon_processes",
            "gauge",
            "Processes that serve.",
            snapshot.processes,
        ),
    ];
    for (name, kind, help, value) in whole {
        head(&mut text, name, kind, help);
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

/// The metrics of topics, by their names.
fn topics(text: &mut String, snapshot: &Snapshot) {
    type Of = fn(&TopicCounts) -> u64;
    let metrics: [(&str, &str, &str, Of); 4] = [
        (
            "antiphon_topic_published_total",
            "counter",
            "Items of topics that somebody had use of.",
            |topic| topic.published,
        ),
        (
            "antiphon_topic_delivered_total",
            "counter",
            "Items of topics that were queued for a subscriber.",
            |topic| topic.delivered,
        ),
        (
            "antiphon_topic_dropped_total",
            "counter",
            "Items of topics that a subscriber did not get, because it did not keep up.",
            |topic| topic.dropped,
        ),
        (
            "antiphon_topic_subscribers",
            "gauge",
            "Subscribers of topics.",
            |topic| topic.subscribers,
        ),
    ];
    for (name, kind, help, value) in metrics {
        if snapshot.topics.is_empty() {
            return;
        }
        head(text, name, kind, help);
        for (topic, counts) in &snapshot.topics {
            let _ = writeln!(
                text,
                "{name}{{topic=\"{}\"}} {}",
                label(topic),
                value(counts)
            );
        }
    }
}

/// A metric with one value per method: name, type, help text, and how to get the value.
type Simple = (
    &'static str,
    &'static str,
    &'static str,
    fn(&MethodSnapshot) -> u64,
);

fn errors(text: &mut String, snapshot: &Snapshot) {
    let name = "antiphon_errors_total";
    head(
        text,
        name,
        "counter",
        "Calls that ended with an error, by its code.",
    );
    for (method, counts) in &snapshot.methods {
        for (at, count) in counts
            .codes
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            let code = CODES
                .get(at)
                .map_or_else(|| "other".to_owned(), ToString::to_string);
            let method = label(method);
            let _ = writeln!(
                text,
                "{name}{{method=\"{method}\",code=\"{code}\"}} {count}"
            );
        }
    }
}

fn durations(text: &mut String, snapshot: &Snapshot) {
    let name = "antiphon_call_seconds";
    head(
        text,
        name,
        "histogram",
        "Duration of calls; of those that are ready at once, a sample.",
    );
    for (method, counts) in &snapshot.methods {
        let method = label(method);
        let mut all = 0;
        for (at, count) in counts.buckets.iter().enumerate() {
            all += count;
            let bound = BOUNDS
                .get(at)
                .map_or_else(|| "+Inf".to_owned(), |bound| seconds(*bound));
            let _ = writeln!(
                text,
                "{name}_bucket{{method=\"{method}\",le=\"{bound}\"}} {all}"
            );
        }
        let sum = counts.nanoseconds as f64 / 1e9;
        let _ = writeln!(text, "{name}_sum{{method=\"{method}\"}} {sum}");
        let _ = writeln!(text, "{name}_count{{method=\"{method}\"}} {all}");
    }
}

/// Microseconds as seconds.
fn seconds(microseconds: u64) -> String {
    (microseconds as f64 / 1e6).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::MethodMetrics;
    use super::*;
    use antiphon_proto::ErrorCode;
    use std::time::Duration;

    #[test]
    fn what_two_processes_have_counted_is_one_text() {
        let (known, unknown) = (MethodMetrics::default(), MethodMetrics::default());
        known.failed(ErrorCode::TIMEOUT);
        known.failed(ErrorCode(7));
        known.took(Duration::from_micros(40), 8);
        known.took(Duration::from_secs(60), 1);
        known.received(10);
        known.sent(20);
        known.limited();
        known.failed(ErrorCode::LIMIT_EXCEEDED);
        let mut one = Snapshot {
            connections: 2,
            accepted: 5,
            request_memory: 6,
            response_memory: 7,
            memory_refused: 8,
            audit_missing: 9,
            processes: 1,
            ..Snapshot::default()
        };
        one.count("a\"b", &known.snapshot(3));
        one.count("", &unknown.snapshot(1));
        let counts = TopicCounts {
            published: 1,
            delivered: 2,
            dropped: 3,
            subscribers: 4,
        };
        one.topics.insert("a\"b".to_owned(), counts);
        let ended = one.clone().without_gauges();
        let mut both = one.clone();
        both.add(&ended);
        let text = render(&both);
        for line in [
            "# TYPE antiphon_calls_total counter",
            "antiphon_calls_total{method=\"a\\\"b\"} 6",
            "antiphon_calls_total{method=\"\"} 2",
            "antiphon_received_bytes_total{method=\"a\\\"b\"} 20",
            "antiphon_sent_bytes_total{method=\"a\\\"b\"} 40",
            "antiphon_rate_limited_total{method=\"a\\\"b\"} 2",
            "antiphon_rate_limited_total{method=\"\"} 0",
            "antiphon_errors_total{method=\"a\\\"b\",code=\"-32001\"} 2",
            "antiphon_errors_total{method=\"a\\\"b\",code=\"-32005\"} 2",
            "antiphon_errors_total{method=\"a\\\"b\",code=\"other\"} 2",
            "antiphon_call_seconds_bucket{method=\"a\\\"b\",le=\"0.00001\"} 0",
            "antiphon_call_seconds_bucket{method=\"a\\\"b\",le=\"0.00005\"} 16",
            "antiphon_call_seconds_bucket{method=\"a\\\"b\",le=\"30\"} 16",
            "antiphon_call_seconds_bucket{method=\"a\\\"b\",le=\"+Inf\"} 18",
            "antiphon_call_seconds_sum{method=\"a\\\"b\"} 120.00064",
            "antiphon_call_seconds_count{method=\"a\\\"b\"} 18",
            "antiphon_connections 2",
            "antiphon_connections_total 10",
            "antiphon_request_memory_bytes 6",
            "antiphon_response_memory_bytes 7",
            "antiphon_memory_refused_total 16",
            "antiphon_audit_missing_total 18",
            "antiphon_processes 1",
            "# TYPE antiphon_topic_subscribers gauge",
            "antiphon_topic_published_total{topic=\"a\\\"b\"} 2",
            "antiphon_topic_delivered_total{topic=\"a\\\"b\"} 4",
            "antiphon_topic_dropped_total{topic=\"a\\\"b\"} 6",
            "antiphon_topic_subscribers{topic=\"a\\\"b\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
