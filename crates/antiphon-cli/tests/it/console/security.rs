//! The console blocks of `docs/security.md`.

use std::fs;

use super::{Terminal, document, fenced, replaced, steps};
use crate::auth::call;
use crate::support::{http, peer};

#[test]
fn every_command_of_the_page_about_security_does_what_it_says() {
    let page = document("docs/security.md");
    let mut terminal = Terminal::new();
    let mut seen = Vec::new();
    for block in fenced(&page, "console") {
        for step in steps(block) {
            let command = &*step.command;
            seen.push(command.to_owned());
            assert_eq!(
                step.output, "",
                "{command}: what it prints has to be compared"
            );
            match command.split_whitespace().collect::<Vec<_>>()[..] {
                ["antiphon", "token", "new", ..] => assert_eq!(terminal.succeeds(command), ""),
                ["antiphon", "serve", ..] => {
                    let url = terminal.serve(command);
                    if command.contains("--auth-tokens") {
                        check_tokens(&terminal, &page, &url);
                    }
                }
                ["antiphon", "call", url, method, parameter, ..] => {
                    check_call(&terminal, command, url, method, parameter);
                }
                _ => panic!("say in this test how it is run: {command}"),
            }
        }
    }
    for kind in ["token new", "serve --auth-tokens", "call"] {
        let begin = format!("antiphon {kind} ");
        let found = seen.iter().any(|command| command.starts_with(&begin));
        assert!(found, "{kind}: {seen:?}");
    }
}

/// Who gets what from the server with the token file that the commands before have made.
fn check_tokens(terminal: &Terminal, page: &str, url: &str) {
    let token = fs::read_to_string(terminal.folder.path("alice.token")).unwrap();
    let (token, rest) = token.split_once('\n').unwrap();
    assert!(rest.is_empty() && !token.is_empty());
    for (token, method, status, part) in [
        ("", "ping", 200, r#""result":"pong""#),
        ("", "calc.randompaths", 401, "-32006"),
        ("", "functions_list", 401, "-32006"),
        (token, "ping", 200, r#""result":"pong""#),
        (token, "calc.randompaths", 200, r#""result":"#),
        (token, "functions_list", 200, r#""result":"#),
        ("wrong", "ping", 401, ""),
        ("wrong", "calc.randompaths", 401, ""),
    ] {
        let (found, body) = call(url, token, method);
        assert_eq!(found, status, "{token} {method}: {body}");
        assert!(body.contains(part), "{token} {method}: {body}");
    }
    // The file is written as the page shows one: subject, hash, scopes.
    let file = fs::read_to_string(terminal.folder.path("tokens")).unwrap();
    let shown = fenced(page, "text").into_iter();
    let shown = shown.map(entries).find(|lines| !lines.is_empty());
    assert_eq!(shown.unwrap(), entries(&file), "{file}");
    assert!(!file.contains(token));
}

/// The lines of a token file, with a star for each hash.
fn entries(file: &str) -> Vec<String> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut fields: Vec<_> = line.split(' ').collect();
            let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            assert!(
                fields[1].len() == 64 && fields[1].bytes().all(is_hex),
                "{line}"
            );
            fields[1] = "*";
            fields.join(" ")
        })
        .collect()
}

/// A call of a host far away: a scripted server of this machine takes its place.
fn check_call(terminal: &Terminal, command: &str, url: &str, method: &str, parameter: &str) {
    let answer = http(
        "200 OK",
        "application/json",
        r#"{"jsonrpc":"2.0","id":1,"result":7}"#,
    );
    let (address, asked) = peer(answer);
    assert!(
        url.starts_with("https://"),
        "a token does not go unencrypted: {command}"
    );
    let (_, file) = command.split_once("--bearer @").unwrap();
    fs::write(terminal.folder.path(file), "7f3a\n").unwrap();
    let here = replaced(command, url, &format!("http://{address}"));
    assert_eq!(terminal.succeeds(&here), "7\n");
    let request = asked.recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let sent = |line: &str| head.lines().any(|found| found.eq_ignore_ascii_case(line));
    assert!(sent("authorization: Bearer 7f3a"), "{head}");
    let expected = format!(r#""method":"{method}","params":["{parameter}"]"#);
    assert!(body.contains(&expected), "{body}");
}
