//! Tests of `antiphon token`.

use std::fs;

use crate::support::run;
use crate::temp_folder::TempFolder;

#[test]
fn a_token_and_its_line_are_printed_once() {
    let ended = run(&["token", "new", "alice", "calc:random", "b"], "");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let lines: Vec<_> = ended.out.lines().collect();
    let [token, line] = lines[..] else {
        panic!("{}", ended.out)
    };
    assert!(token.starts_with("ap_") && token.len() == 46, "{token}");
    let words: Vec<_> = line.split(' ').collect();
    let ["alice", hash, "calc:random", "b"] = words[..] else {
        panic!("{line}")
    };
    assert_eq!(hash.len(), 64);
    assert_ne!(run(&["token", "new", "alice"], "").out, ended.out);
}

#[test]
fn a_line_is_appended_to_a_file_of_the_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempFolder::new();
    let file = folder.path("tokens");
    for subject in ["alice", "bob"] {
        let ended = run(&["token", "new", subject, "s", "--append", &file], "");
        assert_eq!(
            (ended.code, ended.out.lines().count()),
            (Some(0), 1),
            "{}",
            ended.err
        );
    }
    let text = fs::read_to_string(&file).unwrap();
    let subjects: Vec<_> = text
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(subjects, ["alice", "bob"]);
    assert!(!text.contains("ap_"));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(folder.names(), ["tokens"]);
}

#[test]
fn what_cannot_be_a_line_is_refused() {
    let folder = TempFolder::new();
    let other = folder.path("other");
    fs::write(&other, "hosts: files dns\n").unwrap();
    let nowhere = folder.path("none/tokens");
    for (args, part) in [
        (&["token", "new", "a b"][..], "a subject has no spaces"),
        (&["token", "new", ""], "a subject has 1 to 256 bytes"),
        (&["token", "new", "a", "b c"], "a scope has"),
        (&["token", "new", "a", "--append", &other], "line 1"),
        (&["token", "new", "a", "--append", &nowhere], "none/tokens"),
        (&["token", "new"], "SUBJECT"),
    ] {
        let ended = run(args, "");
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(ended.err.contains(part), "{}", ended.err);
    }
    assert_eq!(fs::read_to_string(&other).unwrap(), "hosts: files dns\n");
}
