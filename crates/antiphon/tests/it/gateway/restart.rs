//! Upstreams that are restarted one after the other while calls go on.

use std::time::Duration;

use antiphon::client::{Balanced, Remote};
use antiphon::{Gateway, Topic};

use super::load::Load;
use super::{Serving, client, methods, serve};
use crate::support::counter::Counter;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_while_upstreams_are_restarted() {
    for scheme in ["http", "ws", "tcp"] {
        let topic = Topic::builder("prices").build();
        let ran = Counter::default();
        let bind = |address: &str| match scheme {
            "tcp" => format!("tcp://{address}"),
            _ => address.to_owned(),
        };
        let mut servers = Vec::new();
        for _ in 0..3 {
            let router = methods("a", &ran, &topic);
            servers.push(Serving::of(router, &bind("127.0.0.1:0")).await);
        }
        let urls: Vec<_> = servers.iter().map(|server| server.at(scheme)).collect();
        let balanced = Balanced::of(urls.clone()).first_pause(Duration::from_millis(20));
        let remote = Remote::of(balanced.build().unwrap()).check(Duration::from_millis(300));
        let gateway = serve(Gateway::new().upstream(remote)).await;
        let load = Load::begin(|| client(&gateway));
        for round in 0..6 {
            let at = round % 3;
            load.progress(100).await;
            let old = &servers[at];
            old.handle.stop();
            let address = old.at("http").replace("http://", "");
            crate::support::until(
                || old.task.is_finished(),
                &format!("{scheme} {round} stops"),
            )
            .await;
            load.progress(50).await;
            servers[at] = Serving::of(methods("a", &ran, &topic), &bind(&address)).await;
        }
        assert!(load.end(scheme).await >= 900, "{scheme}");
    }
}
