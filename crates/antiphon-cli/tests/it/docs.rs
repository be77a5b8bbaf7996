//! Tests of `antiphon docs`, with servers and with files.

use std::fs;

use crate::support::{Server, run};

#[test]
fn a_server_is_documented_in_every_format() {
    let server = Server::start(&[]);
    for (form, said) in [
        ("markdown", "### `calc.add(a, b)`"),
        (
            "html",
            "<h3 id=\"calc-add\"><code>calc.add(a, b)</code></h3>",
        ),
        (
            "rst",
            ".. _functions-calc.add:\n\ncalc.add\n----------\n\nAdd two numbers.\n",
        ),
        ("openrpc", "\"openrpc\": \"1.3.2\""),
        ("openrpc-1.4", "\"openrpc\": \"1.4.0\""),
    ] {
        let ended = run(&["docs", &server.url, "--format", form], "");
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{form}");
        assert!(ended.out.contains(said), "{form}: {}", ended.out);
    }
    // The command works over a session as well, and converts one format to another.
    let url = server.url.replacen("http", "ws", 1);
    let document = run(&["docs", &url, "-f", "openrpc"], "").out;
    let here = run(&["docs", "-", "-f", "rst"], &document).out;
    assert_eq!(here, run(&["docs", &server.url, "-f", "rst"], "").out);
}

#[test]
fn documents_are_read_from_and_written_to_files() {
    let server = Server::start(&[]);
    let folder = std::env::temp_dir().join(format!("antiphon-docs-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let (json, html) = (path("openrpc.json"), path("methods.html"));
    for args in [
        ["docs", &server.url, "-f", "openrpc", "-o", &json],
        ["docs", &json, "-f", "html", "-o", &html],
    ] {
        let ended = run(&args, "");
        assert_eq!(
            (ended.code, &*ended.out, &*ended.err),
            (Some(0), "", ""),
            "{args:?}"
        );
    }
    assert!(
        fs::read_to_string(&html)
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );
    let lost = path("no/such/folder");
    let ended = run(&["docs", &json, "-o", &lost], "");
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains(&lost), "{}", ended.err);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_invalid_document_is_an_error() {
    for (args, input, code, said) in [
        (&["docs", "-"][..], "{", Some(2), "standard input: no JSON"),
        (
            &["docs", "-"],
            "{\"methods\": []}",
            Some(2),
            "standard input#: no OpenRPC document: it has no `openrpc`",
        ),
        (
            &["docs", "/no/such/file"],
            "",
            Some(2),
            "neither a file nor the address",
        ),
        (&["docs", "127.0.0.1:1"], "", Some(3), "cannot connect"),
        (&["docs", "-", "-f", "pdf"], "", Some(2), "possible values"),
    ] {
        let ended = run(args, input);
        assert_eq!((ended.code, &*ended.out), (code, ""), "{args:?}");
        assert!(ended.err.contains(said), "{args:?}: {}", ended.err);
    }
}

#[test]
fn a_hostile_document_forges_nothing_in_its_markdown() {
    let forged =
        "x\n\n# Forged\n\nForged\n======\n\n| a |\n|---|\n\n<img src=x onerror=alert(1)>\n\n```\n";
    let schema = serde_json::json!({
        "type": forged,
        "description": forged,
        "properties": {forged: {"type": forged, "description": forged, "default": forged}},
    });
    let document = serde_json::json!({
        "openrpc": "1.3.2",
        "info": {"title": forged, "version": forged, "description": forged},
        "servers": [{"url": forged}],
        "methods": [{
            "name": format!("m`{forged}"),
            "description": forged,
            "deprecated": true,
            "x-deprecated-reason": forged,
            "x-access": forged,
            "tags": [{"name": forged, "description": forged}],
            "params": [{"name": forged, "description": forged, "schema": schema}],
            "result": {"name": forged, "schema": {"enum": [forged, "a\\|b"]}},
            "errors": [{"code": 1, "message": forged}],
            "examples": [{
                "name": forged,
                "params": [{"name": forged, "value": forged}],
                "result": {"name": forged, "value": forged},
            }],
        }],
        "components": {"schemas": {forged: schema}},
    });
    let written = run(&["docs", "-", "-f", "markdown"], &document.to_string());
    assert_eq!(written.code, Some(0), "{}", written.err);
    let mut fence = None;
    for line in written.out.lines() {
        let marks = line.trim_start().bytes().take_while(|&b| b == b'`').count();
        match fence {
            Some(open) => {
                let ends = line.trim_start().bytes().all(|b| b == b'`') && marks >= open;
                fence = fence.filter(|_| !ends);
                continue;
            }
            None if marks >= 3 && !line.trim_start()[marks..].contains('`') => {
                fence = Some(marks);
                continue;
            }
            None => {}
        }
        // Headings of descriptions stand below those of the page.
        let heading = line.bytes().take_while(|&byte| byte == b'#').count();
        let is_forged = line.trim_start_matches(['#', ' ']).starts_with("Forged");
        assert!(heading == 0 || heading > 3 || !is_forged, "{line}");
        assert!(!line.starts_with("==="), "{line}");
        let image = line.find("<img");
        let is_inert = |at: usize| line[..at].ends_with('\\') || line[..at].contains('`');
        assert!(image.is_none_or(is_inert), "{line}");
    }
    assert_eq!(fence, None, "a fence is left open");
    let html = run(&["docs", "-", "-f", "html"], &document.to_string()).out;
    let body = html.split_once("<main>").unwrap().1;
    assert!(!body.contains("<img"), "{body}");
    // One title, and one heading each for the namespace, the types, the method and the type.
    for (heading, count) in [("<h1", 1), ("<h2", 2), ("<h3", 2)] {
        assert_eq!(body.matches(heading).count(), count, "{heading}: {body}");
    }
}
