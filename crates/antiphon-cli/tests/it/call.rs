//! Tests of `antiphon call`: parameters, standard output and standard error.

use crate::support::{Server, http, peer, run};

#[test]
fn results_are_printed_as_json_on_one_line() {
    let server = Server::start(&[]);
    let big = "123456789012345678901234567890";
    let table: &[(&[&str], &str)] = &[
        (&["ping"], "\"pong\""),
        (&["calc.add", "3", "4"], "7.0"),
        (&["calc.add", "a=3", "b=4"], "7.0"),
        (&["calc.subtract", "b=3", "a=4"], "1.0"),
        (&["calc.multiply", "-3", "-4.5e1"], "135.0"),
        (&["--timeout", "5s", "calc.divide", "1", "4"], "0.25"),
        (&["calc.add", "3", "4", "--timeout", "none"], "7.0"),
        (&["calc.add", "-d", "[3, 4]"], "7.0"),
        (&["calc.add", "--params", r#"{"b": 4, "a": 3}"#], "7.0"),
        (&["calc.add", "--data=[3,4]"], "7.0"),
        (
            &["calc.randompaths", "sigma=0", "size=2", "mu=0.5"],
            "[[0.0,0.5,1.0]]",
        ),
        (
            &["calc.randompaths", "num_paths=2", "size=0"],
            "[[0.0],[0.0]]",
        ),
        (&["echo"], "\"\""),
        (&["echo", "two words"], "\"two words\""),
        (&["echo", "\"a=3\""], "\"a=3\""),
        (&["echo", "message=a=3"], "\"a=3\""),
        (&["echo", "--", "--raw"], "\"--raw\""),
        (&["echo", big], big),
        (&["echo", "-0.10"], "-0.10"),
        (
            &["echo", r#"{ "b": [1e400, null], "a": "\u00e9" }"#],
            r#"{"b":[1e400,null],"a":"\u00e9"}"#,
        ),
        (&["--id", "7", "echo", "x"], "\"x\""),
    ];
    for (args, expected) in table {
        let ended = server.call(args);
        assert_eq!(
            ended.out,
            format!("{expected}\n"),
            "{args:?}: {}",
            ended.err
        );
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn parameters_come_from_files_and_standard_input() {
    let server = Server::start(&[]);
    let file = std::env::temp_dir().join(format!("antiphon-call-{}.json", std::process::id()));
    std::fs::write(&file, "{\"a\": 3,\n \"b\": 4}\n").unwrap();
    let at_file = format!("@{}", file.display());
    let table = [
        (&*at_file, "", Some(0), "7.0\n"),
        ("@-", "[3, 4]\n", Some(0), "7.0\n"),
        ("@", "[3, 4]", Some(0), "7.0\n"),
        ("@-", "", Some(2), ""),
        ("@-", "3", Some(2), ""),
        ("@-", "[3", Some(2), ""),
        ("@/nowhere/at/all", "", Some(2), ""),
    ];
    for (data, input, code, out) in table {
        let ended = server.call_with(&["calc.add", "-d", data], input);
        assert_eq!(
            (ended.code, &*ended.out),
            (code, out),
            "{data}: {}",
            ended.err
        );
        assert_eq!(ended.err.is_empty(), code == Some(0), "{}", ended.err);
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn an_error_of_the_server_is_printed_as_json_beside_the_results() {
    let server = Server::start(&[]);
    let table: &[(&[&str], &str)] = &[
        (&["nope"], r#"{"code":-32601,"message":"Method not found"}"#),
        (
            &["calc.divide", "1", "0"],
            r#"{"code":-32602,"message":"Invalid params: division by zero"}"#,
        ),
        (
            &["calc.multiply", "1e300", "1e300"],
            r#"{"code":-32602,"message":"Invalid params: the result is too large for a number"}"#,
        ),
        (
            &["calc.add", "3"],
            r#"{"code":-32602,"message":"Invalid params: missing parameter \"b\"","data":{"parameter":"b","reason":"missing"}}"#,
        ),
        (
            &["calc.randompaths", "1000000", "1"],
            r#"{"code":-32602,"message":"Invalid params: num_paths × (size + 1) is more than 400000 numbers"}"#,
        ),
    ];
    for (args, expected) in table {
        let ended = server.call(args);
        assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{args:?}");
        assert_eq!(ended.err, format!("{expected}\n"), "{args:?}");
    }
}

#[test]
fn the_longest_random_paths_fit_into_a_response() {
    let server = Server::start(&[]);
    let walk = server.call(&["calc.randompaths", "1", "399999", "0", "1e-200"]);
    assert_eq!(walk.code, Some(0), "{}", walk.err);
    assert_eq!(walk.out.split(',').count(), 400_000);
}

#[test]
fn wrong_usage_sends_nothing() {
    let table: &[(&[&str], &str)] = &[
        (
            &["m", "3", "b=4"],
            "all by position (3 4) or all by name (a=3 b=4)",
        ),
        (&["m", "a=3", "4"], "all by position"),
        (&["m", "a=3", "a=4"], "`a` is given twice"),
        (&["m", "3", "-d", "[]"], "cannot be used with"),
        (
            &["m", "-d", "3"],
            "a JSON array (by position) or object (by name)",
        ),
        (&["m", "-d", "{\"a\"}"], "the parameters cannot be sent"),
        (&["m", "--timeout", "soon"], "\"soon\" is no time"),
        (&["m", "--id", "null"], "the id null identifies no call"),
        (&["m", "--id", "1", "--notify"], "cannot be used with"),
        (&["m", "-H", "nonsense"], "'Name: value'"),
        (&["m", "-H", "Content-Length: 3"], "cannot be sent"),
        (&["m", "-H", "@/nowhere/at/all"], "/nowhere/at/all"),
        (&["m", "--nope"], "unexpected argument"),
        (&[], "METHOD"),
    ];
    for (args, part) in table {
        // No server listens, so an attempt to send would end with another exit code.
        let ended = run(&[&["call", "127.0.0.1:1"], *args].concat(), "");
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(2), ""),
            "{args:?}: {}",
            ended.err
        );
        assert!(ended.err.contains(part), "{args:?}: {}", ended.err);
    }
}

#[test]
fn an_invalid_address_is_an_error() {
    let table = [
        ("localhost", "names no port"),
        ("gopher://h", "is not spoken by this build"),
        ("http://user:secret@h", "no user name or password"),
        ("h:99999", "is no port"),
        ("", "names no port"),
    ];
    for (url, part) in table {
        let ended = run(&["call", url, "ping"], "");
        assert_eq!(ended.code, Some(2), "{url}: {}", ended.err);
        assert!(ended.err.contains(part), "{url}: {}", ended.err);
    }
}

#[test]
fn a_request_has_the_given_options() {
    let ok = http(
        "200 OK",
        "application/json",
        r#"{"jsonrpc":"2.0","id":"x y","result":1}"#,
    );
    let (address, requests) = peer(ok);
    let url = format!(":{}/rpc?v=1", address.port());
    let args = [
        "call",
        &url,
        "m",
        "--id",
        "x y",
        "-H",
        "X-One:  1 ",
        "-H",
        "@-",
    ];
    let ended = run(&args, "Authorization: Bearer 2\n\nX-Three: 3\n");
    assert_eq!((ended.code, &*ended.out), (Some(0), "1\n"), "{}", ended.err);
    let request = requests.recv().unwrap();
    for part in [
        "POST /rpc?v=1 HTTP/1.1\r\n",
        "\r\nx-one: 1\r\n",
        "\r\nauthorization: Bearer 2\r\n",
        "\r\nx-three: 3\r\n",
        r#"{"jsonrpc":"2.0","id":"x y","method":"m"}"#,
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
}

#[test]
fn a_notification_prints_nothing() {
    let server = Server::start(&[]);
    let ended = server.call(&["nope", "--notify"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!((&*ended.out, &*ended.err), ("", ""));
}

#[test]
fn the_http_response_can_be_shown() {
    let server = Server::start(&[]);
    let ended = server.call(&["ping", "-i"]);
    assert_eq!((ended.code, &*ended.out), (Some(0), "\"pong\"\n"));
    assert!(ended.err.starts_with("HTTP 200 OK\n"), "{}", ended.err);
    assert!(
        ended.err.contains("\ncontent-type: application/json\n"),
        "{}",
        ended.err
    );

    let ended = server.call(&["ping", "--raw", "--id", "1.50"]);
    assert_eq!(ended.out, r#"{"jsonrpc":"2.0","id":1.50,"result":"pong"}"#);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));

    let ended = server.call(&["nope", "--raw"]);
    assert!(
        ended.out.contains("\"error\":{\"code\":-32601"),
        "{}",
        ended.out
    );
    assert_eq!((ended.code, &*ended.err), (Some(1), ""));
}

#[test]
fn colour_is_only_for_terminals_unless_it_is_forced() {
    let server = Server::start(&[]);
    let plain = "{\"a\":1}\n";
    let coloured = "{\u{1b}[1;34m\"a\"\u{1b}[0m:\u{1b}[36m1\u{1b}[0m}\n";
    let table = [("auto", plain), ("never", plain), ("always", coloured)];
    for (when, expected) in table {
        let ended = server.call(&["echo", "{\"a\": 1}", "--color", when]);
        assert_eq!(ended.out, expected, "{when}");
    }
    let ended = server.call(&["nope", "--color", "always"]);
    assert!(
        ended.err.contains("\u{1b}[36m-32601\u{1b}[0m"),
        "{}",
        ended.err
    );
}

#[test]
fn no_text_of_a_server_reorders_or_forges_lines_on_standard_error() {
    let hostile = "a\u{202e}b\u{2066}c\u{9b}d\u{2028}e\u{feff}";
    let answer = |outcome: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,{outcome}}}"#);
        http("200 OK", "application/json", &body)
    };
    for (answer, out, err) in [
        // Results in a pipe are for programs, byte for byte.
        (
            answer(&format!(r#""result":"{hostile}""#)),
            format!("\"{hostile}\"\n"),
            "",
        ),
        (
            answer(&format!(r#""error":{{"code":1,"message":"{hostile}"}}"#)),
            String::new(),
            r#"{"code":1,"message":"a\u202eb\u2066c\u009bd\u2028e\ufeff"}"#,
        ),
        (
            http("403 Forbidden", "text/plain", hostile),
            String::new(),
            r"a\u{202e}b\u{2066}c\u{9b}d\u{2028}e\u{feff}",
        ),
    ] {
        let (address, _) = peer(answer);
        let ended = run(&["call", &address.to_string(), "m"], "");
        assert_eq!(ended.out, out, "{}", ended.err);
        assert!(ended.err.contains(err), "{}", ended.err);
        assert!(
            !ended
                .err
                .contains(['\u{202e}', '\u{2066}', '\u{9b}', '\u{2028}'])
        );
    }
}
