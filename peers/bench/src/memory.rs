//! Memory usage of servers per connection: idle connections, connections after a large call, and a
//! connection that never reads. The figures are the resident memory reported by the kernel.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::Failure;
use crate::cases::Case;
use crate::finding::Memory;
use crate::messages;
use crate::process::{self, allow_files, resident_kib};
use crate::wire::Link;

/// Count of idle connections.
const IDLE: usize = 5_000;

/// Count of connections in the warm-up, so that one-time allocations of the server are not counted.
const WARM_UP: usize = 500;

/// Count of connections with one large call each.
const BIG: usize = 50;

/// Size of the large argument, which is below the limits of all servers.
const BIG_BYTES: usize = 900_000;

/// Delay between the large calls and the reading, so that servers can shrink buffers by a timer.
const BIG_REST: Duration = Duration::from_millis(2_500);

/// Delay for the server to process the state of its connections.
const SETTLE: Duration = Duration::from_millis(500);

/// Count of calls whose responses are never read.
const UNREAD: usize = 1_000;

/// How long a server may keep a connection that does not read. After that, the result is "never
/// cut".
const UNREAD_LIMIT: Duration = Duration::from_secs(45);

/// Sampling interval of the memory usage.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// Count of files other than connections that client or server may need.
const OTHER_FILES: usize = 100;

/// Raises the limit of open files for both client and server.
pub(crate) fn allow_connections() -> Result<(), Failure> {
    allow_files((IDLE + OTHER_FILES) as u64)
}

/// Measures the memory of the server at `url` with process id `pid`.
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

/// The calls are small and the responses are 1 MiB each, so a server that buffers without a limit
/// would need a gigabyte. Writing runs concurrently with sampling: a server that stops reading must
/// not block the measurement.
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
            sleep(SAMPLE_INTERVAL).await;
        }
        Ok::<_, Failure>(None)
    };
    let write = async {
        // Fails if the server cuts the connection, which the watch detects itself.
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

/// Opens and closes connections, and waits until the server has processed their end.
async fn warm_up(url: &str) -> Result<(), Failure> {
    drop(open(url, WARM_UP).await?);
    sleep(SETTLE).await;
    Ok(())
}

/// Opens connections sequentially, because a full backlog would only cause delays.
async fn open(url: &str, count: usize) -> Result<Vec<Link>, Failure> {
    let mut links = Vec::with_capacity(count);
    for _ in 0..count {
        let mut link = Link::open(url).await?;
        link.shrink();
        links.push(link);
    }
    Ok(links)
}

/// The port in a URL without a path.
pub(crate) fn port_of(url: &str) -> Result<u16, Failure> {
    let digits = url.trim_end_matches('/').rsplit(':').next();
    Ok(digits.unwrap_or_default().parse()?)
}
