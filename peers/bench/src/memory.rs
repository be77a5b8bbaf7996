//! Memory that a server holds for its connections: idle ones, ones that had a large call, and
//! one that calls and never reads. The figures are resident memory as the kernel counts it.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::Failure;
use crate::cases::Case;
use crate::finding::Memory;
use crate::messages;
use crate::process::{self, allow_files, resident_kib};
use crate::wire::Link;

/// How many connections are idle.
const IDLE: usize = 5_000;

/// How many are opened and closed before, so that what a server makes once is not counted.
const WARM_UP: usize = 500;

/// How many have a large call each.
const BIG: usize = 50;

/// The large argument, which is below the limits that any server has.
const BIG_BYTES: usize = 900_000;

/// How long after the large calls is looked. Whoever shrinks by a timer has had its time.
const BIG_REST: Duration = Duration::from_millis(2_500);

/// A server gets this long to see what has happened to its connections.
const SETTLE: Duration = Duration::from_millis(500);

/// How many calls are sent and never read.
const UNREAD: usize = 1_000;

/// How long a server may keep a connection that does not read, before it counts as never cut.
const UNREAD_LIMIT: Duration = Duration::from_secs(45);

/// How often memory is read while it grows.
const TICK: Duration = Duration::from_millis(10);

/// Files besides connections that either process may need.
const OTHER_FILES: usize = 100;

/// What client and server both have to be allowed.
pub(crate) fn allow_connections() -> Result<(), Failure> {
    allow_files((IDLE + OTHER_FILES) as u64)
}

/// Measures the server at `url` with the process `pid`.
pub(crate) async fn measure(url: &str, case: Case, pid: u32) -> Result<Memory, Failure> {
    allow_connections()?;
    match case {
        Case::Idle | Case::IdleTcp => idle(url, pid).await,
        Case::IdleBig => idle_big(url, pid).await,
        Case::Unread => unread(url, pid).await,
        other => Err(format!("{} is no case of memory", other.name()).into()),
    }
}

async fn idle(url: &str, pid: u32) -> Result<Memory, Failure> {
    warm_up(url).await?;
    let before = resident_kib(pid)?;
    let mut links = open(url, IDLE).await?;
    sleep(SETTLE).await;
    let opened = resident_kib(pid)?;
    for link in &mut links {
        link.call(&messages::call(1), |answer| {
            messages::id_of_ten(answer).map(drop)
        })
        .await?;
        link.shrink();
    }
    sleep(SETTLE).await;
    let called = resident_kib(pid)?;
    Ok(Memory {
        kib: (opened - before) / IDLE as f64,
        called_kib: Some((called - before) / IDLE as f64),
        cut_seconds: None,
    })
}

async fn idle_big(url: &str, pid: u32) -> Result<Memory, Failure> {
    warm_up(url).await?;
    let mut links = open(url, BIG).await?;
    sleep(SETTLE).await;
    let before = resident_kib(pid)?;
    let text = "e".repeat(BIG_BYTES);
    let request = messages::echo(&text);
    for link in &mut links {
        link.call(&request, |answer| messages::check_echo(answer, &text))
            .await?;
    }
    sleep(BIG_REST).await;
    let held = resident_kib(pid)?;
    Ok(Memory {
        kib: (held - before) / BIG as f64,
        called_kib: None,
        cut_seconds: None,
    })
}

/// The calls are small and the answers are 1 MiB each, so a server that works ahead without a
/// bound would need a gigabyte. Writing goes on beside watching: a server that stops to read
/// must not stop the measurement.
async fn unread(url: &str, pid: u32) -> Result<Memory, Failure> {
    warm_up(url).await?;
    let mut link = Link::open(url).await?;
    let (server_port, client_port) = (port_of(url)?, link.port()?);
    let calls: Vec<u8> = (1..=UNREAD)
        .flat_map(|id| link.framing.encode(&messages::blob(id)))
        .collect();
    sleep(SETTLE).await;
    let before = resident_kib(pid)?;
    let started = Instant::now();
    let mut peak = before;
    let watch = async {
        while started.elapsed() < UNREAD_LIMIT {
            peak = peak.max(resident_kib(pid)?);
            if !process::holds(server_port, client_port)? {
                return Ok(Some(started.elapsed().as_secs_f64()));
            }
            sleep(TICK).await;
        }
        Ok::<_, Failure>(None)
    };
    let write = async {
        // A cut connection ends this with an error, which the watch sees in its own way.
        let _ = link.send(&calls).await;
        std::future::pending::<()>().await;
    };
    let cut_seconds = tokio::select! {
        cut = watch => cut?,
        () = write => None,
    };
    Ok(Memory {
        kib: peak - before,
        called_kib: None,
        cut_seconds,
    })
}

/// Opens and closes connections, then waits until the server has seen their end.
async fn warm_up(url: &str) -> Result<(), Failure> {
    drop(open(url, WARM_UP).await?);
    sleep(SETTLE).await;
    Ok(())
}

/// Opens connections one after the other, as a full backlog would only slow them down.
async fn open(url: &str, count: usize) -> Result<Vec<Link>, Failure> {
    let mut links = Vec::with_capacity(count);
    for _ in 0..count {
        let mut link = Link::open(url).await?;
        link.shrink();
        links.push(link);
    }
    Ok(links)
}

fn port_of(url: &str) -> Result<u16, Failure> {
    let digits = url.trim_end_matches('/').rsplit(':').next();
    Ok(digits.unwrap_or_default().parse()?)
}
