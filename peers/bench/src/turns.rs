//! Measurement of how evenly connections are spread over the workers of a server. What a worker has
//! open is read from the kernel, so it does not depend on what the server says.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::Failure;
use crate::cases::{Case, Turns};
use crate::load::Connection;
use crate::memory::port_of;
use crate::process::{connections_of, with_children};

/// How long the server may take to accept all connections.
const LIMIT: Duration = Duration::from_secs(10);

/// Interval of the readings.
const INTERVAL: Duration = Duration::from_millis(20);

/// The connections of each worker of the server at `url`, whose supervisor is `pid`.
pub(crate) async fn measure(url: &str, turns: Turns, pid: u32) -> Result<Vec<usize>, Failure> {
    let request = Case::Call.request();
    let mut one_by_one = Vec::new();
    let mut at_once = Vec::new();
    if turns.at_once {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        for stream in join_all((0..turns.connections).map(|_| TcpStream::connect(address))).await {
            at_once.push(stream?);
        }
    } else {
        for _ in 0..turns.connections {
            let mut connection = Connection::open(url, &request).await?;
            Case::Call.verify(connection.call().await?)?;
            one_by_one.push(connection);
        }
    }
    // The supervisor has no connections; its other files are no established ones to the port.
    let workers = with_children(pid)?.split_off(1);
    let started = Instant::now();
    loop {
        let counts = connections_of(&workers, port_of(url)?)?;
        if counts.iter().sum::<usize>() == turns.connections {
            return Ok(counts);
        }
        if started.elapsed() >= LIMIT {
            let all = turns.connections;
            return Err(format!("not all of {all} connections were accepted: {counts:?}").into());
        }
        sleep(INTERVAL).await;
    }
}
