//! Credentials in an address, and TLS.

use std::fs;
use std::path::Path;

use antiphon::client::{Client, ErrorKind};
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::broker::{Broker, Serving, router, until_answered};

/// The address of a service of a broker, with a login and a query.
fn url(broker: &Broker, scheme: &str, login: &str, query: &str) -> String {
    format!("{scheme}://{login}127.0.0.1:{}/shop{query}", broker.port())
}

/// Whether a server and a client reach each other with these addresses.
async fn reach(server: &str, client: &str) {
    let serving = Serving::start(server, router()).await;
    assert!(!serving.urls[0].contains('?'), "{:?}", serving.urls);
    until_answered(&Client::connect(client).unwrap()).await;
    serving.stop().await;
}

/// Neither a server nor a client is let in, and no text shows what is secret.
async fn refused(address: &str) {
    let error = Client::connect(address).unwrap();
    let error = error.call::<bool>("is_there", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
    let bound = antiphon::Server::new(router()).bind(address).listen().await;
    let refusal = bound.unwrap_err();
    for text in [
        format!("{error:?}"),
        refusal.to_string(),
        format!("{refusal:?}"),
    ] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn logins_and_tokens_are_in_the_address_or_in_a_file() {
    let settings = |_: &Path| "authorization { user: alice, password: s3cret }".to_owned();
    let Some(broker) = Broker::with(settings).await else {
        return;
    };
    let file = broker.folder.join("login");
    fs::write(&file, "alice:s3cret\n").unwrap();
    let query = format!("?login={}", file.display());
    let (inline, by_file) = (
        url(&broker, "nats", "alice:s3cret@", ""),
        url(&broker, "nats", "", &query),
    );
    reach(&inline, &by_file).await;
    reach(&by_file, &inline).await;
    refused(&url(&broker, "nats", "", "")).await;
    refused(&url(&broker, "nats", "alice:s3cret2@", "")).await;
    fs::write(&file, "alice:s3cret3\n").unwrap();
    refused(&by_file).await;
    fs::remove_file(&file).unwrap();
    refused(&by_file).await;
    drop(broker);

    let settings = |_: &Path| "authorization { token: s3cret-token }".to_owned();
    let Some(broker) = Broker::with(settings).await else {
        return;
    };
    let file = broker.folder.join("token");
    fs::write(&file, "s3cret-token").unwrap();
    let by_file = url(&broker, "nats", "", &format!("?token={}", file.display()));
    reach(&by_file, &by_file).await;
    fs::write(&file, "s3cret-other").unwrap();
    refused(&by_file).await;
}

#[tokio::test]
async fn a_key_signs_what_the_broker_asks() {
    let (user, other) = (KeyPair::new_user(), KeyPair::new_user());
    let key = user.public_key();
    let settings = |_: &Path| format!("authorization {{ users: [{{ nkey: {key} }}] }}");
    let Some(broker) = Broker::with(settings).await else {
        return;
    };
    let file = broker.folder.join("key");
    let by_file = url(&broker, "nats", "", &format!("?nkey={}", file.display()));
    fs::write(&file, user.seed().unwrap()).unwrap();
    reach(&by_file, &by_file).await;
    fs::write(&file, other.seed().unwrap()).unwrap();
    refused(&by_file).await;
}

#[tokio::test]
async fn a_credentials_file_has_a_token_that_an_account_has_signed() {
    let [operator, account, other] = [
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_account(),
    ];
    let user = KeyPair::new_user();
    let limits = json!({ "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
        "wildcards": true, "conn": -1, "leaf": -1 });
    let of_operator = json!({ "type": "operator", "version": 2 });
    let of_account = json!({ "type": "account", "version": 2, "limits": limits });
    let of_user = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
    let operator_token = token(&operator, &operator, "operator", &of_operator);
    let account_token = token(&operator, &account, "shop", &of_account);
    let preload = format!("{}: {account_token}", account.public_key());
    let settings = |_: &Path| {
        format!("operator: {operator_token}\nresolver: MEMORY\nresolver_preload: {{ {preload} }}")
    };
    let Some(broker) = Broker::with(settings).await else {
        return;
    };
    let file = broker.folder.join("shop.creds");
    let write = |issuer: &KeyPair| {
        let token = token(issuer, &user, "server", &of_user);
        let seed = user.seed().unwrap();
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        fs::write(&file, text).unwrap();
    };
    let by_file = url(&broker, "nats", "", &format!("?creds={}", file.display()));
    write(&account);
    reach(&by_file, &by_file).await;
    write(&other);
    refused(&by_file).await;
}

/// A JSON Web Token as NATS has it.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let claims = json!({ "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(),
        "name": name, "sub": subject.public_key(), "nats": nats });
    let encoded = |value: &Value| base64url(value.to_string().as_bytes());
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", base64url(&signature))
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(char::from(DIGITS[index as usize]));
        }
    }
    text
}

#[tokio::test]
async fn a_broker_may_ask_for_tls_and_for_a_certificate() {
    let authority = Authority::new();
    let settings = |folder: &Path| {
        authority.write(folder, "broker");
        authority.write(folder, "shop");
        let folder = folder.display();
        format!(
            "tls {{ cert_file: \"{folder}/broker.pem\", key_file: \"{folder}/broker.key\",
              ca_file: \"{folder}/ca.pem\", verify: true }}"
        )
    };
    let Some(broker) = Broker::with(settings).await else {
        return;
    };
    let folder = broker.folder.display();
    let (ca, cert) = (
        format!("?ca={folder}/ca.pem"),
        format!("cert={folder}/shop.pem&key={folder}/shop.key"),
    );
    for scheme in ["nats", "nats+tls"] {
        let address = url(&broker, scheme, "", &format!("{ca}&{cert}"));
        reach(&address, &address).await;
        // The certificate of the broker is not trusted, or this side has none.
        refused(&url(&broker, scheme, "", &format!("?{cert}"))).await;
        refused(&url(&broker, scheme, "", &ca)).await;
        refused(&url(
            &broker,
            scheme,
            "",
            &format!("?ca={folder}/nats.conf"),
        ))
        .await;
        let given = Client::builder(url(&broker, scheme, "", ""))
            .ca_certificate(fs::read(broker.folder.join("ca.pem")).unwrap())
            .client_certificate(
                fs::read(broker.folder.join("shop.pem")).unwrap(),
                fs::read(broker.folder.join("shop.key")).unwrap(),
            );
        let serving = Serving::start(&address, router()).await;
        until_answered(&given.build().unwrap()).await;
        serving.stop().await;
    }
    let both = Client::builder(url(&broker, "nats", "", &ca)).ca_certificate("x");
    assert!(matches!(both.build().unwrap_err().kind(), ErrorKind::Local));
}

#[tokio::test]
async fn a_broker_without_tls_is_refused_if_the_address_asks_for_it() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    refused(&url(&broker, "nats+tls", "", "")).await;
}

#[tokio::test]
async fn a_login_is_read_again_and_a_refusal_is_no_end() {
    let settings = |_: &Path| "authorization { user: a, password: first }".to_owned();
    let Some(mut broker) = Broker::with(settings).await else {
        return;
    };
    let file = broker.folder.join("login");
    fs::write(&file, "a:first").unwrap();
    let address = url(&broker, "nats", "", &format!("?login={}", file.display()));
    let serving = Serving::start(&address, router()).await;
    let client = Client::connect(&address).unwrap();
    until_answered(&client).await;
    // The broker changes first, and refuses both for a while.
    broker.kill();
    broker
        .restart_with("authorization { user: a, password: second }")
        .await;
    let is_refused = async || client.call::<bool>("is_there", ()).await.is_err();
    assert!(is_refused().await);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(is_refused().await);
    fs::write(&file, "a:second").unwrap();
    until_answered(&client).await;
    // A file that is gone for a moment is no reason to stay away.
    fs::remove_file(&file).unwrap();
    broker.kill();
    broker.restart().await;
    until_answered(&client).await;
    serving.stop().await;
}

/// A certificate authority.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let name = rcgen::DnType::CommonName;
        params.distinguished_name.push(name, "authority");
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Writes its own certificate, and one that it has signed, with its key.
    fn write(&self, folder: &Path, name: &str) {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = rcgen::CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(folder.join("ca.pem"), &self.pem).unwrap();
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}
