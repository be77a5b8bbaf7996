//! Tests of the shell completions and the manual pages.

use crate::support::run;

#[test]
fn every_shell_has_a_script_with_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&["completions", shell], "");
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        for word in [
            "serve",
            "gateway",
            "call",
            "batch",
            "listen",
            "docs",
            "codegen",
            "completions",
        ] {
            assert!(ended.out.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(&["completions", "cmd.exe"], "").code, Some(2));
}

#[test]
fn the_manual_has_a_page_for_the_tool_and_each_command() {
    let ended = run(&["man"], "");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for title in [
        "antiphon 1",
        "antiphon-serve 1",
        "antiphon-call 1",
        "antiphon-listen 1",
    ] {
        assert!(
            ended.out.contains(&format!(".TH {title}")),
            "{title}\n{}",
            ended.out
        );
    }
    assert!(ended.out.contains("Exit codes:"));
}
