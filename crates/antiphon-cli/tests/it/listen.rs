//! Tests of `antiphon listen`, and of `antiphon call` with every kind of address.

use crate::support::{Process, Server, run};

fn web_socket(server: &Server) -> String {
    server.url.replacen("http", "ws", 1)
}

#[test]
fn a_stream_is_printed_line_by_line() {
    let server = Server::start(&[]);
    let url = web_socket(&server);
    for (args, expected) in [
        (&["ticks", "3", "1"][..], "1\n2\n3\n"),
        (&["ticks", "milliseconds=1", "--count", "2"], "1\n2\n"),
        (&["ticks", "-d", "[0]"], ""),
    ] {
        let ended = run(&[&["listen", &url], args].concat(), "");
        assert_eq!(
            (ended.code, &*ended.out, &*ended.err),
            (Some(0), expected, ""),
            "{args:?}"
        );
    }
}

#[test]
fn a_method_without_a_stream_is_an_error() {
    let server = Server::start(&[]);
    let url = web_socket(&server);
    for (args, code, said) in [
        (
            &["listen", &url, "functions_list"][..],
            Some(5),
            "no id of a subscription",
        ),
        (&["listen", &url, "nothing"], Some(1), "-32601"),
        (&["listen", &url, "ticks", "x"], Some(1), "-32602"),
        (
            &["listen", &server.url, "ticks"],
            Some(2),
            "ws:, tcp:, unix: or stdio:",
        ),
        (
            &["listen", "ws://127.0.0.1:1", "ticks"],
            Some(3),
            "cannot connect",
        ),
        (&["call", &server.url, "ticks"], Some(1), "-32004"),
    ] {
        let ended = run(args, "");
        assert_eq!(
            (ended.code, &*ended.out),
            (code, ""),
            "{args:?}: {}",
            ended.err
        );
        assert!(ended.err.contains(said), "{args:?}: {}", ended.err);
    }
}

#[cfg(unix)]
#[test]
fn a_stream_ends_with_the_listener() {
    let server = Server::start(&[]);
    let listening = Process::start(&["listen", &web_socket(&server), "ticks", "-d", "[]"], "");
    assert_eq!(listening.line(), "1\n");
    listening.signal("INT");
    let ended = listening.end();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    // The server has noticed the end, so it stops at once.
    server.process.signal("TERM");
    assert_eq!(server.process.end().code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_call_goes_over_every_kind_of_address() {
    let socket = std::env::temp_dir().join(format!("antiphon-cli-{}.sock", std::process::id()));
    let raw = format!("unix:{}", socket.display());
    let server = Server::start(&["--bind", "tcp://127.0.0.1:0", "--bind", &raw]);
    let tcp = server.process.note();
    let tcp = tcp
        .trim_end()
        .strip_prefix("antiphon listening on ")
        .unwrap();
    assert_eq!(
        server.process.note(),
        format!("antiphon listening on {raw}\n")
    );
    let tool = env!("CARGO_BIN_EXE_antiphon");
    let program = format!("stdio:'{tool}' serve --stdio");
    let headed = format!("stdio+content-length:'{tool}' serve --stdio content-length");
    for url in [
        &*server.url,
        &web_socket(&server),
        tcp,
        &raw,
        &program,
        &headed,
    ] {
        let ended = run(&["call", url, "calc.add", "3", "4"], "");
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(0), "7.0\n"),
            "{url}: {}",
            ended.err
        );
        let calls = "{\"method\":\"ping\"}\n{\"method\":\"calc.add\",\"params\":[1,2]}\n";
        let ended = run(&["batch", url], calls);
        assert_eq!(ended.code, Some(0), "{url}: {}", ended.err);
    }
    server.process.signal("TERM");
    assert_eq!(server.process.end().code, Some(0));
    assert!(
        !socket.exists(),
        "a server that stops takes its socket away"
    );
}
