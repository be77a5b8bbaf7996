//! What a gateway in front of a broker costs, beside a server that answers the same calls on the spot.

use std::io::BufRead as _;
use std::process::id;
use std::time::Duration;

use antiphon::client::Client;
use antiphon::{Gateway, Router, Server};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Failure;
use crate::processes::{Child, Cpu, broker};
use crate::sides::{self, Side};

/// How many connections call at a time.
const CALLERS: usize = 64;

/// Calls in a batch.
const BATCH: usize = 100;

/// Who answers over HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Front {
    /// A server, which runs the calls itself.
    Server,
    /// A gateway in front of a broker with so many servers.
    Gateway { servers: usize },
}

/// What is compared: the front, and whether calls come in batches.
const SCENES: [(Front, bool); 6] = [
    (Front::Server, false),
    (Front::Gateway { servers: 1 }, false),
    (Front::Server, true),
    (Front::Gateway { servers: 1 }, true),
    (Front::Gateway { servers: 2 }, true),
    (Front::Gateway { servers: 4 }, true),
];

/// What one load has found in its window.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
struct Found {
    calls_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    front_us: f64,
    broker_us: f64,
}

/// All rounds, and the table.
pub(crate) fn run(rounds: usize, window: Duration) -> Result<(), Failure> {
    let (broker, port) = broker()?;
    let mut rows = SCENES.map(|scene| (scene, Vec::new()));
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for index in 0..rows.len() {
            let length = rows.len();
            let ((front, is_batch), found) = &mut rows[(index + round) % length];
            found.push(one(*front, *is_batch, (port, broker.id()), window)?);
        }
    }
    println!("Medians of {rounds} rounds; the front on core 0, all others on core 1.\n");
    println!(
        "| calls | front | calls/s | p50 µs | p99 µs | CPU of the front, µs a call | of the broker |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for ((front, is_batch), found) in &rows {
        let median = |figure: fn(&Found) -> f64| {
            let mut figures: Vec<_> = found.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        let calls = if *is_batch {
            "batches of 100"
        } else {
            "single"
        };
        let front = match front {
            Front::Server => "a server".to_owned(),
            Front::Gateway { servers } => format!("a gateway, NATS, servers: {servers}"),
        };
        println!(
            "| {calls} | {front} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} |",
            median(|found| found.calls_per_second),
            median(|found| found.p50_us),
            median(|found| found.p99_us),
            median(|found| found.front_us),
            median(|found| found.broker_us),
        );
    }
    Ok(())
}

/// One measurement, in fresh processes.
fn one(
    front: Front,
    is_batch: bool,
    (port, nats): (u16, u32),
    window: Duration,
) -> Result<Found, Failure> {
    let broker = port.to_string();
    let serve = || Child::start(1, &["serve", Side::Both.name(), &broker]);
    let (kind, count) = match front {
        Front::Server => ("server", 0),
        Front::Gateway { servers } => ("gateway", servers),
    };
    let _servers = (0..count).map(|_| serve()).collect::<Result<Vec<_>, _>>()?;
    let mut front = Child::start(0, &["front", kind, &broker])?;
    let http = front.line()?;
    let (pid, window) = (front.id().to_string(), window.as_millis().to_string());
    let form = if is_batch { "batch" } else { "single" };
    let words = ["load", form, http.trim(), &pid, &nats.to_string(), &window];
    let load = Child::start(1, &words)?;
    Ok(serde_json::from_str(&load.output()?)?)
}

impl Child {
    /// The first line that it prints.
    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let stdout = self.stdout().ok_or("a child without stdout")?;
        std::io::BufReader::new(stdout).read_line(&mut line)?;
        Ok(line)
    }
}

/// Serves over HTTP until the process ends, and prints the port.
pub(crate) async fn serve(kind: &str, broker: u16) -> Result<(), Failure> {
    let server = match kind {
        "server" => {
            let calculator = Router::new().method_fn("add", |a: f64, b: f64| a + b);
            Server::new(Router::new().nest("calc", calculator))
        }
        "gateway" => {
            let client = Client::connect(sides::url(broker))?;
            until_answered(&client).await?;
            Gateway::new().upstream(client).server()
        }
        _ => return Err("no such front".into()),
    };
    let bound = server.bind("127.0.0.1:0").listen().await?;
    let address = bound.addresses().first().ok_or("no address")?;
    println!("{}", address.port());
    Ok(bound.serve().await?)
}

async fn until_answered(client: &Client) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_secs(10);
    while let Err(failure) = client.call::<f64>("calc.add", (3, 7)).await {
        if Instant::now() >= until {
            return Err(failure.into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Calls over HTTP until the window is over; prints what was found.
pub(crate) async fn load(
    is_batch: bool,
    port: u16,
    [front, broker]: [u32; 2],
    window: Duration,
) -> Result<(), Failure> {
    let begin = Instant::now() + Duration::from_secs(1).max(window / 2);
    let end = begin + window;
    let calling = || async {
        let mut connection = Connection::open(port, is_batch).await?;
        let mut took = Vec::new();
        loop {
            let before = Instant::now();
            if before >= end {
                return Ok::<_, Failure>(took);
            }
            connection.call().await?;
            if before >= begin {
                took.push(before.elapsed());
            }
        }
    };
    let watching = async {
        sleep_until(begin).await;
        let both = || -> Result<_, Failure> { Ok([Cpu::of(front)?.0, Cpu::of(broker)?.0]) };
        let before = both()?;
        sleep_until(end).await;
        let after = both()?;
        Ok([0, 1].map(|index| after[index] - before[index]))
    };
    let (took, cpu) = tokio::try_join!(try_join_all((0..CALLERS).map(|_| calling())), watching)?;
    let mut took = took.concat();
    took.sort_unstable();
    let each = if is_batch { BATCH } else { 1 };
    let calls = (took.len() * each) as f64;
    let at = |part: f64| {
        let index = (took.len() as f64 * part) as usize;
        took.get(index)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    let found = Found {
        calls_per_second: calls / window.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
        front_us: cpu[0] * 1e6 / calls,
        broker_us: cpu[1] * 1e6 / calls,
    };
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}

/// A connection with one request at a time.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    /// The end of each response.
    answers: usize,
    input: Vec<u8>,
}

impl Connection {
    /// Connects, and waits until a call is answered: a gateway has to learn what there is.
    async fn open(port: u16, is_batch: bool) -> Result<Self, Failure> {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[3,7]}"#;
        let (body, answers) = match is_batch {
            false => (call.to_owned(), 1),
            true => (format!("[{}]", vec![call; BATCH].join(",")), BATCH),
        };
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream,
            request: request.into_bytes(),
            answers,
            input: Vec::new(),
        };
        let until = Instant::now() + Duration::from_secs(10);
        while let Err(failure) = connection.call().await {
            if Instant::now() >= until {
                return Err(format!("process {}: {failure}", id()).into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(connection)
    }

    /// One request. Its response is checked.
    async fn call(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.request).await?;
        self.input.clear();
        loop {
            if let Some(body) = complete(&self.input) {
                let text = std::str::from_utf8(body)?;
                return match text.matches("\"result\":10.0").count() == self.answers {
                    true => Ok(()),
                    false => Err(format!("a wrong response: {text}").into()),
                };
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err("the connection has ended".into());
            }
        }
    }
}

/// The body of a response that has come as a whole.
fn complete(input: &[u8]) -> Option<&[u8]> {
    let end = input.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(input.get(..end)?).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    })?;
    input.get(end..end + length)
}
