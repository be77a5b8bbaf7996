//! Upstreams that are restarted one after the other while calls go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use antiphon::client::{Balanced, Remote};
use antiphon::{Gateway, Topic};
use tokio::time::{sleep, timeout};

use super::{LIMIT, Serving, client, methods, serve};
use crate::support::counter::Counter;

/// Callers that make one call after the other.
const CALLERS: usize = 8;

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
        let (stop, made) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (client, stop) = (client(&gateway), Arc::clone(&stop));
                let made = Arc::clone(&made);
                tokio::spawn(async move {
                    let mut number = caller as i64;
                    while !stop.load(Ordering::Relaxed) {
                        number += 8;
                        // Some take a while, so that there are always calls under way.
                        match number % 3 {
                            0 => {
                                let slept: u64 = client.call("sleep", (2,)).await?;
                                assert_eq!(slept, 2);
                            }
                            _ => {
                                let sum: i64 = client.call("add", (number, 1)).await?;
                                assert_eq!(sum, number + 1);
                            }
                        }
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok::<_, antiphon::client::Error>(())
                })
            })
            .collect();
        let progress = async |more: u64| {
            let goal = made.load(Ordering::Relaxed) + more;
            while made.load(Ordering::Relaxed) < goal
                && !callers.iter().any(|one| one.is_finished())
            {
                sleep(Duration::from_millis(1)).await;
            }
        };
        for round in 0..6 {
            let at = round % 3;
            timeout(LIMIT, progress(100)).await.expect("calls go on");
            let old = &servers[at];
            old.handle.stop();
            let address = old.at("http").replace("http://", "");
            crate::support::until(
                || old.task.is_finished(),
                &format!("{scheme} {round} stops"),
            )
            .await;
            timeout(LIMIT, progress(50)).await.expect("calls go on");
            servers[at] = Serving::of(methods("a", &ran, &topic), &bind(&address)).await;
        }
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            let outcome = timeout(LIMIT, caller).await.unwrap().unwrap();
            outcome.unwrap_or_else(|error| panic!("{scheme}: {error}"));
        }
        assert!(made.load(Ordering::Relaxed) >= 900, "{scheme}");
    }
}
