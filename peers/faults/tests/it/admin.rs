//! Tests of methods that require the admin token.

use std::time::{Duration, Instant};

use antiphon::Client;
use faults::{Connection, Outcome, Server, alive, until};
use serde_json::{Value, json};

use crate::SUBJECT;

/// A server with an admin token, and the token.
fn server(arguments: &[&str]) -> (Server, String) {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let file = std::env::temp_dir().join(format!("antiphon-token-{}-{number}", std::process::id()));
    let mut all = vec![
        "--workers",
        "2",
        "--admin-token-file",
        file.to_str().unwrap(),
    ];
    all.extend(arguments);
    let server = Server::start(SUBJECT, &all);
    if arguments.is_empty() {
        server.settled(2);
    }
    let token = std::fs::read_to_string(&file).unwrap();
    // The file is no longer needed, and a server that is killed does not remove it.
    std::fs::remove_file(&file).unwrap();
    (server, token.trim().to_owned())
}

fn ask(server: &Server, method: &str, params: &Value, head: &str) -> Outcome {
    Connection::open(server.address)
        .unwrap()
        .call(method, params, true, head)
}

fn text(server: &Server, method: &str, params: &Value, head: &str) -> String {
    let mut connection = Connection::open(server.address).unwrap();
    connection.send(method, params, true, head).unwrap();
    connection.answer().unwrap()
}

#[test]
fn a_worker_is_ended_and_replaced_and_nobody_else() {
    let (server, token) = server(&[]);
    let head = format!("Authorization: Bearer {token}\r\n");
    let workers = server.settled(2);
    // Either worker can end the other one or itself.
    let killed = ask(&server, "kill_actor", &json!([workers[0].0]), &head);
    assert_eq!(
        killed,
        Outcome::Answered(json!(format!("killed {}", workers[0].0)))
    );
    let now = until("it is replaced", || {
        let running = server.settled(2);
        (!running.contains(&workers[0])).then_some(running)
    });
    assert!(now.contains(&workers[1]));
    until("it has ended", || (!alive(workers[0].1)).then_some(()));
    // From then on the id is unknown.
    let again = ask(&server, "kill_actor", &json!([workers[0].0]), &head);
    assert!(matches!(again, Outcome::Failed(-32602, _)), "{again:?}");
    let unknown = ask(&server, "kill_actor", &json!(["nobody"]), &head);
    assert_eq!(
        unknown,
        Outcome::Failed(
            -32602,
            "Invalid params: there is no worker \"nobody\"".to_owned()
        )
    );
    assert!(matches!(
        ask(&server, "kill_actor", &json!([]), &head),
        Outcome::Failed(-32602, _)
    ));
    until("the log tells of it", || {
        server.says("`kill_actor` was called").then_some(())
    });
}

#[test]
fn a_worker_that_is_ended_finishes_what_it_has() {
    let (server, token) = server(&[]);
    let head = format!("Authorization: Bearer {token}\r\n");
    let mut connection = Connection::open(server.address).unwrap();
    connection.send("sleep", &json!([1500]), false, "").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    for worker in server.settled(2) {
        ask(&server, "kill_actor", &json!([worker.0]), &head);
    }
    let begin = Instant::now();
    assert!(connection.answer().unwrap().contains("\"result\""));
    server.settled(2);
    println!(
        "both workers were ended and replaced, the call took {:?} more",
        begin.elapsed()
    );
}

#[test]
fn without_the_token_it_does_not_exist() {
    let (server, token) = server(&["--profile", "public", "--allow-unauthenticated-public"]);
    let wrong = token.replace(|digit: char| digit.is_ascii_digit(), "a");
    let heads = [
        String::new(),
        "Authorization: Bearer \r\n".to_owned(),
        format!("Authorization: Bearer {wrong}\r\n"),
        format!("Authorization: Bearer {}\r\n", &token[1..]),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
    ];
    for head in &heads {
        for (admin, unknown) in [("kill_actor", "kill_act0r"), ("server_info", "server_inf0")] {
            let params = json!(["arbiter"]);
            let (denied, missing) = (
                text(&server, admin, &params, head),
                text(&server, unknown, &params, head),
            );
            assert_eq!(denied, missing);
        }
        for listing in ["functions_list", "documentation"] {
            let text = text(&server, listing, &json!([]), head);
            assert!(
                !text.contains("kill_actor") && !text.contains("server_info"),
                "{text}"
            );
        }
    }
    let head = format!("Authorization: Bearer {token}\r\n");
    let listed = text(&server, "functions_list", &json!([]), &head);
    assert!(listed.contains("kill_actor") && listed.contains("server_info"));
    let info = text(&server, "server_info", &json!([]), &head);
    assert!(
        !info.contains(&token) && !info.contains("admin-token-file"),
        "{info}"
    );
    over_web_socket(&server, &token);
    for method in ["reload", "stop", "upgrade", "status"] {
        assert!(matches!(
            ask(&server, method, &json!([]), &head),
            Outcome::Failed(-32601, _)
        ));
    }
}

#[test]
fn the_whole_server_is_stopped() {
    let (mut server, token) = server(&[]);
    let head = format!("Authorization: Bearer {token}\r\n");
    let killed = ask(&server, "kill_actor", &json!(["arbiter"]), &head);
    assert_eq!(killed, Outcome::Answered(json!("killed arbiter")));
    assert_eq!(server.ended().code(), Some(0));
}

/// Tests the same over a WebSocket, with the token in the handshake and without it.
fn over_web_socket(server: &Server, token: &str) {
    let url = format!("ws://{}", server.address);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stranger = Client::connect(&url).unwrap();
        let denied = stranger
            .call::<Value>("kill_actor", ("arbiter",))
            .await
            .unwrap_err();
        let missing = stranger
            .call::<Value>("kill_act0r", ("arbiter",))
            .await
            .unwrap_err();
        assert_eq!(
            denied.to_string().replace("kill_actor", "kill_act0r"),
            missing.to_string()
        );
        let owner = Client::builder(&url)
            .header("authorization", format!("Bearer {token}"))
            .build()
            .unwrap();
        let unknown = owner
            .call::<Value>("kill_actor", ("nobody",))
            .await
            .unwrap_err();
        assert!(
            unknown.to_string().contains("there is no worker"),
            "{unknown}"
        );
    });
}
