//! Valid and invalid addresses.

use super::*;

/// Text and its expected canonical form, or a part of the expected error.
fn check(table: &[(&str, Result<&str, &str>)]) {
    for (text, expected) in table {
        match (text.parse::<Address>(), expected) {
            (Ok(address), Ok(shown)) => {
                assert_eq!(address.to_string(), *shown, "{text}");
                assert_eq!(shown.parse(), Ok(address), "{text}");
            }
            (Err(error), Err(part)) => {
                let error = error.to_string();
                assert!(error.contains(part), "{text}: {error}");
                assert!(!error.contains("secret"), "{text}: {error}");
            }
            (got, _) => panic!("{text}: {got:?}"),
        }
    }
}

#[test]
fn what_is_an_address() {
    check(&[
        ("localhost:8060", Ok("http://localhost:8060/")),
        ("127.0.0.1:0", Ok("http://127.0.0.1:0/")),
        (":8060", Ok(":8060")),
        (":8060/rpc?x=1", Ok(":8060/rpc?x=1")),
        ("[::1]:8060", Ok("http://[::1]:8060/")),
        ("[0:0::1]:8060/rpc", Ok("http://[::1]:8060/rpc")),
        ("http://h", Ok("http://h:80/")),
        ("HTTP://h:81/a/b?c=d%20e", Ok("http://h:81/a/b?c=d%20e")),
        ("http://[::1]", Ok("http://[::1]:80/")),
        ("http://h?x", Ok("http://h:80/?x")),
        (
            "http://my_host-1.example.",
            Ok("http://my_host-1.example.:80/"),
        ),
        ("http://h/a@b", Ok("http://h:80/a@b")),
    ]);
}

#[test]
fn what_is_none() {
    check(&[
        ("", Err("names no port")),
        ("localhost", Err("write `localhost:8060`")),
        ("localhost:", Err("no port")),
        ("localhost:+1", Err("no port")),
        ("localhost:65536", Err("no port")),
        ("localhost:http", Err("no port")),
        ("::1", Err("brackets")),
        ("::1:8060", Err("brackets")),
        ("[::1", Err("closing bracket")),
        ("[::1]8060", Err("behind the bracket")),
        ("[localhost]:1", Err("no IPv6 address")),
        ("[fe80::1%25eth0]:1", Err("no IPv6 address")),
        ("http://", Ok(":80")),
        ("http://a b:1", Err("no host name")),
        ("http://é:1", Err("no host name")),
        ("http://h:1/a b", Err("%XX")),
        ("http://h:1/\r\nx", Err("%XX")),
        ("http://h:1/#secret", Err("fragment")),
        ("http://user:secret@h:1/", Err("user name or password")),
        ("user:secret@h:1", Err("user name or password")),
        ("gopher://h", Err("`gopher:` is not spoken by this build")),
    ]);
}

#[cfg(unix)]
#[test]
fn a_socket_is_an_address() {
    check(&[
        ("http+unix:/run/x.sock", Ok("http+unix:/run/x.sock")),
        ("http+unix:x", Ok("http+unix:x")),
        ("http+unix:", Err("needs the path of a socket")),
        ("http+unix:x?framing=newline", Err("is for `unix:`")),
    ]);
}

#[cfg(unix)]
#[test]
fn a_socket_may_say_who_can_connect() {
    let asked = "mode=0660&group=www-data";
    let wrong = "it is 0600 for the user";
    check(&[
        ("unix:x?mode=0600", Ok("unix:x")),
        ("unix:x?mode=660", Ok("unix:x?mode=0660")),
        ("unix:x?mode=0666", Ok("unix:x?mode=0666")),
        (
            "unix:x?group=www-data&mode=0660&framing=newline",
            Ok("unix:x?mode=0660&group=www-data"),
        ),
        (
            "unix:/x?mode=0660&group=33&framing=content-length",
            Ok("unix:/x?framing=content-length&mode=0660&group=33"),
        ),
        (
            &format!("http+unix:/run/x?{asked}"),
            Ok(&format!("http+unix:/run/x?{asked}")),
        ),
        ("unix:x?mode=0640", Err(wrong)),
        ("unix:x?mode=0620", Err(wrong)),
        ("unix:x?mode=0777", Err(wrong)),
        ("unix:x?mode=4660", Err(wrong)),
        ("unix:x?mode=0606", Err(wrong)),
        ("unix:x?mode=0o660", Err(wrong)),
        ("unix:x?mode=+660", Err(wrong)),
        ("unix:x?mode=00660", Err(wrong)),
        ("unix:x?mode=", Err(wrong)),
        ("unix:x?group=g", Err("add `mode=0660`")),
        ("unix:x?mode=0600&group=g", Err("add `mode=0660`")),
        ("unix:x?mode=0660&group=", Err("the name or the number")),
        ("unix:x?mode=0660&group=a:b", Err("the name or the number")),
        ("unix:x?mode=0660&mode=0660", Err("a second time")),
        (
            "unix:x?user=u",
            Err("`user=u`: the address of a socket takes"),
        ),
        ("unix:x?", Err("the address of a socket takes")),
        ("unix:x?framing=lines", Err("`framing=newline` or")),
        ("unix:?mode=0660", Err("needs the path of a socket")),
    ]);
    #[cfg(feature = "ws")]
    check(&[("ws+unix:/run/x?mode=0666", Ok("ws+unix:/run/x?mode=0666"))]);
}

/// All builds know all schemes; the error names those that a build does not support.
#[test]
fn the_schemes() {
    for (text, shown) in [
        ("http://h", "http://h:80/"),
        ("https://h/x", "https://h:443/x"),
        ("WSS://[::1]?x", "wss://[::1]:443/?x"),
        ("ws://h:8060/rpc", "ws://h:8060/rpc"),
        ("ws://:8060", "ws://:8060/"),
        ("tcp://h:1", "tcp://h:1"),
        ("tcp://h:1/?framing=newline", "tcp://h:1"),
        (
            "tls://h:1?framing=content-length",
            "tls://h:1?framing=content-length",
        ),
        ("stdio:cat -u", "stdio:cat -u"),
        ("stdio: cat", "stdio:cat"),
        ("stdio+content-length:a://b", "stdio+content-length:a://b"),
    ] {
        let scheme = text.split(':').next().unwrap().to_ascii_lowercase();
        match SCHEMES.iter().find(|(name, _)| *name == scheme).unwrap().1 {
            true => check(&[(text, Ok(shown))]),
            false => check(&[(text, Err("is not spoken by this build"))]),
        }
    }
}

#[test]
fn raw_streams() {
    check(&[
        ("tcp://h", Err("names no port")),
        ("tcp://h:1/x", Err("no path")),
        ("tcp://h:1?framing=lines", Err("`?framing=newline` or")),
        ("tcp://h:1?x", Err("`?framing=newline` or")),
        ("tcp://u:secret@h:1", Err("user name or password")),
        ("tcp:1", Ok("http://tcp:1/")),
    ]);
}

#[cfg(unix)]
#[test]
fn raw_sockets() {
    check(&[
        ("unix:/run/x.sock", Ok("unix:/run/x.sock")),
        (
            "unix:x?framing=content-length",
            Ok("unix:x?framing=content-length"),
        ),
        ("unix:", Err("needs the path of a socket")),
        ("unix:?framing=newline", Err("needs the path of a socket")),
    ]);
}

#[test]
fn programs() {
    check(&[
        ("stdio:", Err("needs a command")),
        ("stdio:  ", Err("needs a command")),
    ]);
}
