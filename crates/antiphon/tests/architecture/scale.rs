//! Arithmetic of `docs/scale.md`: its tables follow from what was measured.

const TEXT: &str = include_str!("../../../../docs/scale.md");

/// Cores are busy for this part of the time.
const LOAD: f64 = 0.6;
/// Cores of a machine.
const MACHINE: u64 = 16;
/// Bytes of a call on the network of the brokers.
const BYTES: f64 = 600.0;

/// The rows of the table that begins with this word in its head, as cells.
fn table(first: &str, second: &str) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| -> Vec<_> {
        let inner = line.trim_matches('|');
        inner.split('|').map(str::trim).collect()
    };
    let mut lines = TEXT.lines();
    let is_head = |line: &&'static str| {
        line.starts_with('|')
            && matches!(cells(line)[..], [one, two, ..] if one == first && two == second)
    };
    lines.find(is_head).expect("a table");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(cells).collect()
}

/// The µs of CPU that a call takes in a part.
fn micros(part: &str) -> f64 {
    let rows = table("part", "µs of CPU a call");
    let row = rows.iter().find(|row| row[0] == part).expect(part);
    row[1].parse().unwrap()
}

fn number(text: &str) -> f64 {
    text.replace(',', "").parse().unwrap()
}

fn cores(calls: f64, micros: f64) -> u64 {
    // The last digits of a float are not meant.
    (calls * micros / 1e6 / LOAD - 1e-9).ceil() as u64
}

fn check(second: &str, parts: &[&str], others: impl Fn(f64) -> Vec<String>) {
    let rows = table("calls/s", second);
    let rates: Vec<_> = rows.iter().map(|row| number(row[0])).collect();
    assert_eq!(rates, [1e5, 1e6, 1e7]);
    for (row, calls) in rows.iter().zip(rates) {
        let cores = parts
            .iter()
            .map(|part| cores(calls, micros(part)).to_string());
        let expected: Vec<_> = cores.chain(others(calls)).collect();
        assert_eq!(row[1..], expected, "{second}, {calls} calls/s");
    }
}

#[test]
fn the_tables_follow_from_what_was_measured() {
    let single = "gateway, HTTP in front of NATS, single calls";
    let batches = "gateway, HTTP in front of NATS, batches of 100";
    let (broker, server) = ("broker, between gateway and server", "server, behind NATS");
    let of_servers = [
        "server, HTTP, single calls",
        "server, HTTP, batches of 100",
        "server, WebSocket, 64 in flight on each connection",
    ];
    check("cores, single calls", &of_servers, |_| Vec::new());
    let all = [single, batches, broker, server];
    check("cores, gateways", &all, |calls| {
        vec![format!("{:.1}", calls * BYTES * 8.0 / 1e9)]
    });
    check("gateways", &[], |calls| {
        let machines = |part, least: u64| cores(calls, micros(part)).div_ceil(MACHINE).max(least);
        let counts = [
            machines(single, 2),
            machines(broker, 3),
            machines(server, 3),
        ];
        counts.map(|count| count.to_string()).to_vec()
    });
}
