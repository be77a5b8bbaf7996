//! The service as a NATS micro service (ADR-32).

use antiphon::Router;
use serde_json::Value;

use super::broker::{Broker, router};

#[tokio::test]
async fn a_service_tells_its_name_its_methods_and_their_calls() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let calculator = Router::new().method_fn("add", |a: f64, b: f64| a + b);
    let served = router().nest("calc", calculator);
    let _server = broker.serve("shop.eu", served).await;
    let client = broker.client("shop.eu");
    for _ in 0..3 {
        let _: f64 = client.call("calc.add", (1, 2)).await.unwrap();
    }
    let url = broker.url("x");
    let raw = async_nats::connect(url.strip_suffix("/x").unwrap())
        .await
        .unwrap();
    let ask = async |subject: String| -> Value {
        let answer = raw.request(subject, "".into()).await.unwrap();
        serde_json::from_slice(&answer.payload).unwrap()
    };
    let ping = ask("$SRV.PING".to_owned()).await;
    assert_eq!(ping["type"], "io.nats.micro.v1.ping_response");
    assert_eq!(ping["name"], "shop_eu");
    let id = ping["id"].as_str().unwrap();
    let find = |answer: &Value, name: &str| {
        let endpoints = answer["endpoints"].as_array().unwrap();
        let found = endpoints.iter().find(|one| one["name"] == name);
        found.unwrap().clone()
    };
    let info = ask("$SRV.INFO.shop_eu".to_owned()).await;
    assert_eq!(find(&info, "calc.add")["subject"], "shop.eu.rpc.calc.add");
    assert!(info["description"].is_string());
    let stats = ask(format!("$SRV.STATS.shop_eu.{id}")).await;
    assert_eq!(find(&stats, "calc.add")["num_requests"], 3);
    assert_eq!(find(&stats, "calc.add")["num_errors"], 0);
    assert!(stats["started"].as_str().unwrap().ends_with('Z'));
}
