//! The console blocks and the settings file of `docs/gateway.md`.

use std::fs;

use serde_json::Value;

use super::{Terminal, document, fenced, replaced, steps};

#[test]
fn every_command_of_the_page_about_gateways_does_what_it_says() {
    let page = document("docs/gateway.md");
    let mut terminal = Terminal::new();
    let servers = [(); 3].map(|()| terminal.serve("antiphon serve"));
    let host = |at: usize| servers[at].replace("http://", "");
    let mut gateway = String::new();
    let mut seen = 0;
    for block in fenced(&page, "console") {
        for step in steps(block) {
            let command = &*step.command;
            match command.split_whitespace().collect::<Vec<_>>()[..] {
                ["antiphon", "gateway", ..] => {
                    let command = replaced(command, "10.0.0.1:8060", &host(0));
                    let command = replaced(&command, "10.0.0.2:8060", &host(1));
                    gateway = terminal.serve(&replaced(&command, "10.0.0.3:8545", &host(2)));
                }
                ["antiphon", "call", _, method, ..] => {
                    let told = terminal.succeeds(&replaced(command, ":8060", &gateway));
                    match method {
                        "upstreams_list" => {
                            let lines: Vec<Value> = serde_json::from_str(&told).unwrap();
                            assert_eq!(lines.len(), 3, "{told}");
                        }
                        _ => assert_eq!(told, step.output, "{command}"),
                    }
                }
                _ => panic!("say in this test how it is run: {command}"),
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
    // What has a name is there under that name.
    let answer = terminal.succeeds(&format!("antiphon call {gateway} eth.calc.add 3 4"));
    assert_eq!(answer, "7.0\n");
}

#[test]
fn the_settings_file_of_the_page_is_one() {
    let page = document("docs/gateway.md");
    let mut terminal = Terminal::new();
    let [file] = fenced(&page, "toml")[..] else {
        panic!("one file is shown");
    };
    terminal.succeeds("antiphon token new alice --append tokens > upstream.token");
    let root = terminal.folder.root().display().to_string();
    let file = replaced(file, "/etc/antiphon", &root);
    let file = replaced(&file, "0.0.0.0:8060", "127.0.0.1:0");
    fs::write(terminal.folder.path("gateway.toml"), file).unwrap();
    // The flag is there so that the port of the file counts.
    let url = terminal.serve("antiphon gateway --bind 127.0.0.1:0 --config gateway.toml");
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
}
