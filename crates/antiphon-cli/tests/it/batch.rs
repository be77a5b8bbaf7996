//! Tests of `antiphon batch`.

use crate::support::{Server, http, peer, run};

#[test]
fn responses_are_in_the_order_of_the_lines() {
    let server = Server::start(&[]);
    let input = r#"
        # a comment
        {"method": "calc.add", "params": [3, 4]}
        {"jsonrpc": "2.0", "id": 1, "method": "calc.add", "params": {"a": 1, "b": 1}}

        {"method": "ping", "notify": true}
        {"method": "echo", "params": [{"big": 123456789012345678901234567890, "b": [ ]}]}
    "#;
    let ended = server.batch(input);
    let expected = "{\"result\":7.0}\n{\"result\":2.0}\n\
                    {\"result\":{\"big\":123456789012345678901234567890,\"b\":[]}}\n";
    assert_eq!(
        (ended.code, &*ended.out),
        (Some(0), expected),
        "{}",
        ended.err
    );
    assert_eq!(ended.err, "");
}

#[test]
fn the_exit_code_tells_whether_all_some_or_none_failed() {
    let server = Server::start(&[]);
    let good = r#"{"method":"ping"}"#;
    let bad = r#"{"method":"nope"}"#;
    let quiet = r#"{"method":"nope","notify":true}"#;
    let pong = "{\"result\":\"pong\"}\n";
    let error = "{\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}\n";
    let table = [
        (vec![good, good], 0, vec![pong, pong]),
        (vec![bad, good], 6, vec![error, pong]),
        (vec![bad, bad, quiet], 1, vec![error, error]),
        (vec![quiet, quiet], 0, vec![]),
        (vec!["", "# nothing"], 0, vec![]),
        (vec![], 0, vec![]),
    ];
    for (lines, code, out) in table {
        let ended = server.batch(&lines.join("\n"));
        assert_eq!(ended.out, out.concat(), "{lines:?}");
        assert_eq!((ended.code, &*ended.err), (Some(code), ""), "{lines:?}");
    }
}

#[test]
fn the_error_names_an_invalid_line_and_nothing_is_sent() {
    let table = [
        (
            "{\"method\":\"a\"}\n\n# c\nnonsense\n",
            "line 4: a line is an object",
        ),
        (
            "{\"method\":\"a\"}\r\n{\"method\":}",
            "line 2: expected value at column 11",
        ),
        (
            "{\"method\":\"a\",\"params\":3}",
            "line 1: `params`: they are a JSON array",
        ),
        (
            "{\"method\":\"a\",\"parms\":[]}",
            "line 1: unknown field `parms`",
        ),
        ("{\"params\":[]}", "line 1: missing field `method`"),
        ("[\"a\"]", "line 1: a line is an object"),
    ];
    for (input, part) in table {
        // No server listens, so an attempt to send would end with another exit code.
        let ended = run(&["batch", "127.0.0.1:1"], input);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{input}");
        assert!(ended.err.contains(part), "{input}: {}", ended.err);
        assert!(ended.err.contains("standard input"), "{}", ended.err);
    }
}

#[test]
fn lines_can_come_from_a_file() {
    let server = Server::start(&[]);
    let file = std::env::temp_dir().join(format!("antiphon-batch-{}.jsonl", std::process::id()));
    std::fs::write(&file, "{\"method\":\"ping\"}\nx\n").unwrap();
    let path = file.to_str().unwrap();
    let ended = run(&["batch", &server.url, path], "");
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.err.contains(&format!("{path}, line 2: ")),
        "{}",
        ended.err
    );

    std::fs::write(&file, "{\"method\":\"ping\"}\n").unwrap();
    let ended = run(&["batch", &server.url, path], "");
    assert_eq!(
        (ended.code, &*ended.out),
        (Some(0), "{\"result\":\"pong\"}\n")
    );
    std::fs::remove_file(&file).unwrap();

    assert_eq!(run(&["batch", &server.url, path], "").code, Some(2));
}

#[test]
fn a_batch_that_is_too_long_is_refused_as_a_whole() {
    let server = Server::start(&["--max-batch", "3"]);
    for line in [
        "{\"method\":\"ping\"}\n",
        "{\"method\":\"ping\",\"notify\":true}\n",
    ] {
        let ended = server.batch(&line.repeat(3));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let ended = server.batch(&line.repeat(4));
        assert_eq!((ended.code, &*ended.out), (Some(1), ""));
        for part in [
            "batch of 4 as a whole",
            "-32600",
            "only so many calls at once",
        ] {
            assert!(ended.err.contains(part), "{part}: {}", ended.err);
        }
    }
}

#[test]
fn an_unanswered_call_is_reported() {
    let one = r#"[{"jsonrpc":"2.0","id":2,"result":5}]"#;
    let (address, _requests) = peer(http("200 OK", "application/json", one));
    let input = "{\"method\":\"a\"}\n{\"method\":\"b\"}\n";
    let ended = run(&["batch", &address.to_string()], input);
    assert_eq!(ended.code, Some(5), "{}", ended.err);
    let mut lines = ended.out.lines();
    assert!(
        lines.next().unwrap().starts_with("{\"unanswered\":\"`a` "),
        "{}",
        ended.out
    );
    assert_eq!(lines.next(), Some("{\"result\":5}"));
}
