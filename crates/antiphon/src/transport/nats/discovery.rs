//! Discovery as a NATS micro service (ADR-32): whoever asks learns name, methods and statistics.

use std::sync::Arc;

use antiphon_proto::RawJson;
use async_nats::Subscriber;
use serde::Serialize;

use super::link::next;
use super::serving::{Service, ServiceSetup, is_inbox};
use crate::audit::Timestamp;
use crate::describe::MethodInfo;

/// What can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Question {
    Ping,
    Info,
    Stats,
}

const QUESTIONS: [(Question, &str, &str); 3] = [
    (Question::Ping, "PING", "io.nats.micro.v1.ping_response"),
    (Question::Info, "INFO", "io.nats.micro.v1.info_response"),
    (Question::Stats, "STATS", "io.nats.micro.v1.stats_response"),
];

/// The version of a service whose router names none.
const NO_VERSION: &str = "0.0.0";

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    id: &'a str,
    version: &'a str,
    metadata: Nothing,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<Vec<Endpoint<'a>>>,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Endpoint<'a> {
    name: &'a str,
    subject: String,
    queue_group: &'a str,
    metadata: Nothing,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    statistics: Option<Statistics>,
}

/// Calls of a method over all transports of the server.
#[derive(Serialize)]
struct Statistics {
    num_requests: u64,
    num_errors: u64,
    last_error: &'static str,
    /// Nanoseconds.
    processing_time: u64,
    average_processing_time: u64,
}

/// The subjects on which a service is asked: as any, by its name, by its name and the id of a server.
pub(super) fn subjects(name: &str, id: &str) -> Vec<String> {
    let of = |verb| {
        [
            format!("$SRV.{verb}"),
            format!("$SRV.{verb}.{name}"),
            format!("$SRV.{verb}.{name}.{id}"),
        ]
    };
    QUESTIONS.iter().flat_map(|(_, verb, _)| of(verb)).collect()
}

/// Answers on one of these subjects until the server stops.
pub(super) async fn answer(service: Arc<Service>, mut asked: Subscriber) {
    let answering = async {
        while let Some(message) = next(&mut asked).await {
            let verb = message.subject.split('.').nth(1).unwrap_or_default();
            let question = QUESTIONS.iter().find(|(_, known, _)| *known == verb);
            let reply = message.reply.filter(is_inbox);
            if let (Some((question, _, kind)), Some(reply)) = (question, reply)
                && let Some(setup) = (service.setup)()
            {
                let text = text(&service, &setup, *question, kind);
                service.publish(reply, text.into()).await;
            }
        }
    };
    tokio::select! {
        () = answering => {}
        () = service.shutdown.stopped() => {}
    }
}

/// An answer. A list of methods that is larger than a message is left out.
fn text(service: &Service, setup: &ServiceSetup, question: Question, kind: &str) -> Vec<u8> {
    let tree = setup.dispatcher.tree();
    let root = tree.root();
    let version = Some(root.version()).filter(|version| !version.is_empty());
    let mut answer = Answer {
        kind,
        name: &service.name,
        id: &service.id,
        version: version.unwrap_or(NO_VERSION),
        metadata: Nothing {},
        description: (question == Question::Info).then(|| root.title()),
        started: (question == Question::Stats).then(|| Timestamp(service.started).to_string()),
        endpoints: (question != Question::Ping).then(|| endpoints(service, setup, question)),
    };
    let whole = json(&answer);
    if whole.len() <= service.link.max_payload() {
        return whole;
    }
    answer.endpoints = Some(Vec::new());
    json(&answer)
}

fn json(answer: &Answer<'_>) -> Vec<u8> {
    let text = RawJson::from_value(answer);
    text.map_or_else(|_| Vec::new(), |text| text.as_str().into())
}

fn endpoints<'a>(
    service: &'a Service,
    setup: &'a ServiceSetup,
    question: Question,
) -> Vec<Endpoint<'a>> {
    let common = setup.dispatcher.common();
    let tree = setup.dispatcher.tree();
    let listed = (0..tree.len()).filter_map(|index| Some((index, tree.method(index)?)));
    let reader = setup.reader(service.verifier.is_some());
    let public = listed.filter(|(_, method)| reader.sees(method));
    let endpoint = |(index, method): (usize, &'a MethodInfo)| {
        let counters = common.counters.method(index);
        let statistics = counters.filter(|_| question == Question::Stats);
        Some(Endpoint {
            name: method.name(),
            subject: service.subjects.of_method(method.name())?,
            queue_group: &service.name,
            metadata: Nothing {},
            statistics: statistics.map(|counters| {
                let calls = counters.calls();
                let time = counters.metrics.snapshot(calls).nanoseconds;
                Statistics {
                    num_requests: calls,
                    num_errors: counters.errors(),
                    last_error: "",
                    processing_time: time,
                    average_processing_time: time.checked_div(calls).unwrap_or_default(),
                }
            }),
        })
    };
    public.filter_map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_asked_as_any_by_name_and_by_id() {
        let subjects = subjects("shop", "7");
        assert_eq!(subjects.len(), 9);
        for expected in ["$SRV.PING", "$SRV.INFO.shop", "$SRV.STATS.shop.7"] {
            assert!(subjects.iter().any(|one| one == expected), "{expected}");
        }
    }
}
