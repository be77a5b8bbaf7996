//! Options of a builder that say who the client is.

use antiphon::client::{Client, ClientBuilder, ErrorKind};

fn fault(builder: ClientBuilder) -> String {
    let error = builder.build().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
    error.to_string()
}

#[tokio::test]
async fn what_cannot_be_sent_is_an_error_of_build() {
    let here = || Client::builder("http://localhost");
    let both = "a token and a header `Authorization` are given";
    for (builder, expected) in [
        (here().bearer(""), "the token is empty"),
        (here().bearer("S3 CRET"), "characters that a token cannot"),
        (here().bearer("S3CRET\r\nx: y"), "characters that a token"),
        (here().bearer("S3CRET".repeat(4000)), "longer than 16 KiB"),
        (here().bearer("S3CRET").header("AUTHORIZATION", "x"), both),
        (here().header("authorization", "x").bearer("S3CRET"), both),
    ] {
        assert!(!format!("{builder:?}").contains("S3"));
        let told = fault(builder);
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("S3"), "{told}");
    }
    let provided = here().bearer_from(|| async { Ok::<_, std::io::Error>("S3CRET") });
    assert!(!format!("{provided:?}").contains("S3"));
    let told = fault(provided.header("authorization", "x"));
    assert!(told.contains(both), "{told}");
}

#[tokio::test]
async fn a_token_leaves_the_machine_encrypted_or_with_permission() {
    for (address, is_allowed) in [
        ("http://calc.example", false),
        ("ws://10.0.0.1:8060", false),
        ("tcp://calc.example:8061", false),
        ("https://calc.example", true),
        ("wss://calc.example", true),
        ("tls://calc.example:1", true),
        ("http://localhost:8060", true),
        ("ws://127.0.0.1:1", true),
        ("tcp://[::1]:1", true),
        ("unix:/run/calc.sock", true),
        ("stdio:cat", true),
    ] {
        let builder = || Client::builder(address).bearer("7f3a");
        match is_allowed {
            true => assert!(builder().build().is_ok(), "{address}"),
            false => {
                let told = fault(builder());
                assert!(told.contains("unencrypted"), "{address}: {told}");
            }
        }
        let allowed = builder().allow_plaintext_token().build();
        assert!(allowed.is_ok(), "{address}");
        assert!(Client::connect(address).is_ok(), "{address}");
    }
}
