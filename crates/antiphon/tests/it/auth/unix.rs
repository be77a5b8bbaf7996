//! Peers of Unix sockets.

use antiphon::client::Client;
use antiphon::{BearerTokens, NewToken, Server, UnixPeers, call};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::*;
use crate::support::folder::Folder;

#[tokio::test]
async fn a_process_of_this_user_is_known_over_every_unix_socket() {
    let folder = Folder::new();
    let ran = Counter::default();
    let token = NewToken::generate("bob", ["t"]).unwrap();
    for scheme in ["unix", "http+unix"] {
        let path = folder.path(&format!("{scheme}.sock"));
        let server = Server::new(router(&ran))
            .bind(format!("{scheme}:{}", path.display()))
            .authenticate(UnixPeers::new().allow_self(Identity::new("me").scope("s")))
            .authenticate(BearerTokens::from_lines(token.line()).unwrap());
        let server = server.listen().await.unwrap();
        let url = server.url();
        let serving = tokio::spawn(server.serve());
        let client = Client::builder(&*url).build().unwrap();
        let who: Value = call!(client.who()).await.unwrap();
        assert_eq!(who, json!(["me", ["s"]]), "{scheme}");
        if scheme == "http+unix" {
            // A token counts before the user, and a wrong one is not better than none.
            let with = |token: &str| {
                let header = format!("Bearer {token}");
                let builder = Client::builder(&*url).header("authorization", &header);
                builder.build().unwrap()
            };
            let client = with(token.token());
            let who: Value = call!(client.who()).await.unwrap();
            assert_eq!(who, json!(["bob", ["t"]]));
            let client = with("wrong");
            assert!(call!(client.who()).await.map(|_: Value| ()).is_err());
        }
        serving.abort();
    }
    // Behind a proxy the user is the proxy's.
    let path = folder.path("behind.sock");
    let server = Server::new(router(&ran))
        .bind(format!("unix:{}?proxy=true", path.display()))
        .allow_unauthenticated_public(true)
        .authenticate(UnixPeers::new().allow_self(Identity::new("me")));
    let server = server.listen().await.unwrap();
    let serving = tokio::spawn(server.serve());
    for header in [
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWN\r\n",
    ] {
        let mut socket = UnixStream::connect(&path).await.unwrap();
        let call = format!("{header}{}\n", crate::support::call("1", "who", "[]"));
        socket.write_all(call.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let mut reader = BufReader::new(socket);
        reader.read_line(&mut answer).await.unwrap();
        assert!(answer.contains("-32006"), "{header}: {answer}");
    }
    serving.abort();

    let path = folder.path("forwarded.sock");
    let server = Server::new(router(&ran))
        .bind(format!("http+unix:{}", path.display()))
        .authenticate(UnixPeers::new().allow_self(Identity::new("me")));
    let server = server.listen().await.unwrap();
    let url = server.url();
    let serving = tokio::spawn(server.serve());
    let client = Client::builder(&*url)
        .header("x-forwarded-for", "192.0.2.1")
        .build()
        .unwrap();
    let error = call!(client.who()).await.map(|_: Value| ()).unwrap_err();
    assert_eq!(error.code().map(|code| code.0), Some(-32006));
    serving.abort();

    let others = UnixPeers::new().allow(u32::MAX - 1, Identity::new("nobody"));
    let path = folder.path("others.sock");
    let server = Server::new(router(&ran)).authenticate(others);
    let server = server
        .bind(format!("unix:{}", path.display()))
        .listen()
        .await
        .unwrap();
    let url = server.url();
    let serving = tokio::spawn(server.serve());
    let client = Client::builder(&*url).build().unwrap();
    let error = call!(client.who()).await.map(|_: Value| ()).unwrap_err();
    assert_eq!(error.code().map(|code| code.0), Some(-32006));
    serving.abort();
}
