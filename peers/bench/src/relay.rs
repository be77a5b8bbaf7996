//! Benchmark of a topic over workers: a connection at one worker publishes, one at another receives.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::Failure;
use crate::cases::Case;
use crate::cpu::CpuTime;
use crate::fanout;
use crate::finding::Relay;
use crate::memory::port_of;
use crate::messages;
use crate::process::{connections_of, with_children};
use crate::statistics::quantile;
use crate::window::{LAST_ANSWERS, Plan};
use crate::wire::Link;

/// How many connections may be opened until two workers have one.
const MAX_LINKS: usize = 32;

/// What publisher and subscriber share.
#[derive(Default)]
struct Shared {
    /// When each item was sent that has not arrived.
    sent: RefCell<VecDeque<Instant>>,
    /// Milliseconds between the two, within the window.
    delays: RefCell<Vec<f64>>,
    arrived: Cell<u64>,
    is_measured: Cell<bool>,
    is_over: Cell<bool>,
    /// Whether the last item is published, and who waits for that.
    is_published: Cell<bool>,
    published: Notify,
}

/// Publishes at the server at `url`, whose supervisor is `pid`.
pub(crate) async fn measure(url: &str, case: Case, plan: Plan, pid: u32) -> Result<Relay, Failure> {
    let in_flight = match case {
        Case::Relay1 => 1,
        Case::Relay256 => 256,
        other => return Err(format!("{} passes nothing on", other.name()).into()),
    };
    let workers = with_children(pid)?.split_off(1);
    let (publisher, mut subscriber) = at_two_workers(url, &workers).await?;
    let request = messages::subscribe_to_news();
    subscriber
        .call(&request, messages::check_subscribed)
        .await?;
    let shared = Shared::default();
    let window = async {
        sleep(plan.warm_up).await;
        let read = || Ok::<_, Failure>((CpuTime::of_all(&[pid])?, CpuTime::of_all(&workers)?));
        let (before, began, count) = (read()?, Instant::now(), shared.arrived.get());
        shared.is_measured.set(true);
        sleep(plan.measured).await;
        shared.is_measured.set(false);
        let (after, elapsed) = (read()?, began.elapsed());
        let items = shared.arrived.get() - count;
        shared.is_over.set(true);
        let each = |after: CpuTime, before: CpuTime| {
            (after.user + after.kernel - before.user - before.kernel) * 1e6 / items as f64
        };
        let delays = shared.delays.borrow();
        let delay = |part| quantile(&delays, part).ok_or("no item has arrived");
        Ok(Relay {
            items_per_second: items as f64 / elapsed.as_secs_f64(),
            p50_ms: delay(0.5)?,
            p99_ms: delay(0.99)?,
            supervisor_us: each(after.0, before.0),
            workers_us: each(after.1, before.1),
        })
    };
    let ended = async {
        let publishing = publish(publisher, in_flight, &shared);
        let receiving = receive(subscriber, &shared);
        let (relay, (), ()) = tokio::try_join!(window, publishing, receiving)?;
        Ok(relay)
    };
    let limit = plan.warm_up + plan.measured + LAST_ANSWERS;
    timeout(limit, ended)
        .await
        .map_err(|_| "an item never came")?
}

/// Two connections, each at another worker.
async fn at_two_workers(url: &str, workers: &[u32]) -> Result<(Link, Link), Failure> {
    let port = port_of(url)?;
    let first = Link::open(url).await?;
    let before = connections_of(workers, port)?;
    let mut others = Vec::new();
    while others.len() < MAX_LINKS {
        // The upgrade was answered, so a worker has it.
        let link = Link::open(url).await?;
        let after = connections_of(workers, port)?;
        let mut counts = after.iter().zip(&before);
        if counts.any(|(&after, &before)| after > 0 && before == 0) {
            return Ok((first, link));
        }
        others.push(link);
    }
    Err("all connections are at one worker".into())
}

/// Keeps so many items in flight until the window is over.
async fn publish(mut link: Link, in_flight: usize, shared: &Shared) -> Result<(), Failure> {
    let mut ids = 1..;
    let (mut waiting, mut length) = (0, 0);
    loop {
        if !shared.is_over.get() {
            let more = in_flight - waiting;
            let requests = ids.by_ref().take(more).flat_map(|id| {
                let request = messages::publish_news(id, fanout::item());
                link.framing.encode(&request)
            });
            let requests: Vec<u8> = requests.collect();
            let now = Instant::now();
            shared.sent.borrow_mut().extend((0..more).map(|_| now));
            link.send(&requests).await?;
            waiting = in_flight;
        }
        if waiting == 0 {
            shared.is_published.set(true);
            shared.published.notify_one();
            return Ok(());
        }
        let answered = link.messages(|answer| {
            if answer.len() == length {
                return Ok(());
            }
            length = answer.len();
            messages::check_news_published(answer)
        });
        waiting -= answered.await?;
    }
}

/// Receives until all is published, and has arrived. The first item is parsed, and
/// later ones if their length differs.
async fn receive(mut link: Link, shared: &Shared) -> Result<(), Failure> {
    let mut length = 0;
    while !(shared.is_published.get() && shared.sent.borrow().is_empty()) {
        let received = link.messages(|message| {
            if message.len() != length {
                fanout::check(message)?;
                length = message.len();
            }
            Ok(())
        });
        let received = tokio::select! {
            received = received => received?,
            () = shared.published.notified() => continue,
        };
        let now = Instant::now();
        let mut sent = shared.sent.borrow_mut();
        for _ in 0..received {
            let at = sent.pop_front().ok_or("more items than were published")?;
            if shared.is_measured.get() {
                let delay = now.duration_since(at).as_secs_f64() * 1e3;
                shared.delays.borrow_mut().push(delay);
            }
        }
        shared.arrived.set(shared.arrived.get() + received as u64);
    }
    Ok(())
}
