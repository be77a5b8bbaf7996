//! Tests of the blocking client: on plain threads, on many threads at once, inside a runtime.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use antiphon::blocking::Client;
use antiphon::call;
use antiphon::client::ErrorKind;
use serde_json::{Value, json};

use crate::client_support::scripted;

/// Starts a server with its own threads. It answers every call with the parameters of the call,
/// and counts its connections.
fn echo() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            let mut stream = BufReader::new(stream.unwrap());
            thread::spawn(move || -> std::io::Result<()> {
                loop {
                    let mut length = 0;
                    loop {
                        let mut line = String::new();
                        if stream.read_line(&mut line)? == 0 {
                            return Ok(());
                        }
                        let line = line.to_ascii_lowercase();
                        if let Some(value) = line.strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                        if line == "\r\n" {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body)?;
                    let asked: Value = serde_json::from_slice(&body).unwrap();
                    let body = match asked.get("id") {
                        Some(id) => json!({"jsonrpc": "2.0", "id": id, "result": asked["params"]})
                            .to_string(),
                        None => String::new(),
                    };
                    let answer = crate::client_support::wire("200 OK", &body);
                    stream.get_mut().write_all(answer.as_bytes())?;
                }
            });
        }
    });
    (address, connections)
}

#[test]
fn calls_block_and_share_a_connection() {
    let (address, connections) = echo();
    let client = Client::connect(address.to_string()).unwrap();
    let pair: (u8, u8) = client.call("m", (3, 4)).unwrap();
    assert_eq!(pair, (3, 4));
    let named: Value = call!(client.calc.add(a = 3, b = 4)).unwrap();
    assert_eq!(named, json!({"a": 3, "b": 4}));
    let listed: Vec<u8> = call!((client.namespace("n")).m(1, 2, 3)).unwrap();
    assert_eq!(listed, [1, 2, 3]);
    client.notify("m", ()).unwrap();
    let full = client.call_full::<Value>("m", [1]).unwrap();
    assert_eq!(
        (full.status.as_u16(), full.result.unwrap()),
        (200, json!([1]))
    );
    let call = client.as_async().call::<Value>("m", ["x"]);
    let value = client
        .wait(call.id("i").timeout(Duration::from_secs(60)))
        .unwrap();
    assert_eq!(value, json!(["x"]));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn many_threads_share_a_client() {
    let (address, _) = echo();
    let client = Client::connect(address.to_string()).unwrap();
    let threads: Vec<_> = (0..10_u32)
        .map(|n| {
            let client = client.clone();
            thread::spawn(move || {
                for m in 0..20_u32 {
                    assert_eq!(client.call::<(u32, u32)>("m", (n, m)).unwrap(), (n, m));
                }
            })
        })
        .collect();
    drop(client);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_blocking_client_sends_batches() {
    let (builder, log) = scripted(|_| {
        let text = r#"[{"jsonrpc":"2.0","id":"x","result":2},{"jsonrpc":"2.0","id":1,"result":1}]"#;
        crate::client_support::json(200, text)
    });
    let client: Client = builder.try_into().unwrap();
    let mut batch = client.batch();
    let one = batch.call::<u8>("a", ());
    let two = batch.call_with_id::<u8>("x", "b", ());
    batch.notify("c", ());
    assert_eq!((batch.len(), batch.is_empty()), (3, false));
    let mut responses = batch.send().unwrap();
    assert_eq!(responses.take(two).unwrap(), 2);
    assert_eq!(responses.take(one).unwrap(), 1);
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[test]
fn a_blocking_client_works_inside_both_kinds_of_runtime() {
    use tokio::runtime::Builder;
    let (address, _) = echo();
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.enable_all().build().unwrap();
        let client = Client::connect(address.to_string()).unwrap();
        let value: Value = runtime.block_on(async move { client.call("m", [1]).unwrap() });
        assert_eq!(value, json!([1]));
    }
}

#[test]
fn a_blocking_client_has_the_errors_of_the_async_client() {
    let error = Client::connect("gopher://x").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::connect(address.to_string())
        .unwrap()
        .call::<u8>("m", ())
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotSent) && error.is_connect(),
        "{error}"
    );
}

#[test]
fn a_panic_in_a_service_fails_one_call_only() {
    let times = AtomicUsize::new(0);
    let (builder, _) = scripted(move |seen| match times.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("on purpose"),
        _ => seen.answer("7"),
    });
    let client = builder.build_blocking().unwrap();
    let error = client.call::<u8>("m", ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unknown), "{error}");
    assert_eq!(client.call::<u8>("m", ()).unwrap(), 7);
}
