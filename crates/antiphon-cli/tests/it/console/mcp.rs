//! The console blocks of `docs/mcp.md`.

use super::{Terminal, document, fenced, replaced, steps};

/// The address in the document.
const URL: &str = "http://127.0.0.1:8060";

#[test]
fn every_command_of_the_page_about_agents_does_what_it_says() {
    let page = document("docs/mcp.md");
    let mut terminal = Terminal::new();
    let mut url = terminal.serve("antiphon serve");
    let mut seen = 0;
    for block in fenced(&page, "console") {
        for step in steps(block) {
            let command = &*step.command;
            match command.split_whitespace().collect::<Vec<_>>()[..] {
                ["antiphon", "serve", ..] => url = terminal.serve(command),
                ["antiphon", "mcp", ..] => {
                    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
                    let command = replaced(command, URL, &url);
                    let told = terminal.succeeds(&format!("echo '{ping}' | {command}"));
                    assert_eq!(told, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
                }
                ["curl", ..] => {
                    let ended = terminal.run(&replaced(command, URL, &url));
                    // 127: there is no curl.
                    if ended.code != Some(127) {
                        assert_eq!(
                            ended.out.trim_end(),
                            step.output.trim_end(),
                            "{}",
                            ended.err
                        );
                    }
                }
                _ => panic!("say in this test how it is run: {command}"),
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
}
