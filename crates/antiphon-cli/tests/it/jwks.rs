//! Tests of JSON Web Tokens, and of where their keys come from, with processes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PublicKeyData as _, SigningKey as _,
};

use crate::auth::{status, wait_for};
use crate::support::{Server, run};
use crate::temp_folder::TempFolder;

/// An issuer of JSON Web Tokens.
pub(crate) struct Issuer(KeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap())
    }

    pub(crate) fn jwks(&self) -> String {
        let x = base64url(self.0.der_bytes());
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#)
    }

    pub(crate) fn token(&self, audience: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let exp = now.unwrap().as_secs() + 600;
        let claims = format!(
            r#"{{"iss":"issuer","aud":"{audience}","sub":"alice","exp":{exp},"scope":"calc:random"}}"#
        );
        let header = base64url(br#"{"alg":"EdDSA","kid":"k"}"#);
        let message = format!("{header}.{}", base64url(claims.as_bytes()));
        let signature = self.0.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", base64url(&signature))
    }
}

fn base64url(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for piece in bytes.chunks(3) {
        let byte = |at: usize| piece.get(at).map_or(0, |byte| usize::from(*byte));
        let all = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..=piece.len() {
            text.push(char::from(digits[all >> (18 - 6 * at) & 63]));
        }
    }
    text
}

#[test]
fn signed_tokens_open_what_is_not_public() {
    let folder = TempFolder::new();
    let file = folder.path("jwks.json");
    let (one, two) = (Issuer::new(), Issuer::new());
    fs::write(&file, one.jwks()).unwrap();
    let server = Server::start(&[
        "--auth-jwks",
        &file,
        "--auth-issuer",
        "issuer",
        "--auth-audience",
        "calculator",
        "--log",
        "trace",
    ]);
    let good = one.token("calculator");
    let secrets = [good.clone(), one.token("other"), two.token("calculator")];
    assert_eq!(status(&server.url, &good, "calc.randompaths"), 200);
    assert_eq!(status(&server.url, "", "calc.randompaths"), 401);
    assert_eq!(status(&server.url, &secrets[1], "ping"), 401);
    assert_eq!(status(&server.url, &secrets[2], "ping"), 401);
    fs::write(&file, two.jwks()).unwrap();
    server.process.signal("HUP");
    wait_for(&server.url, &secrets[2], "calc.randompaths", 200);
    // It was remembered, with a key that is gone.
    assert_eq!(status(&server.url, &good, "ping"), 401);
    fs::write(&file, "rubbish").unwrap();
    server.process.signal("HUP");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(status(&server.url, &secrets[2], "calc.randompaths"), 200);
    server.process.signal("TERM");
    let log = server.process.end().err;
    assert!(log.contains("the keys of tokens stay as they are"), "{log}");
    for secret in secrets {
        for part in secret.split('.').skip(1) {
            assert!(!log.contains(part), "{part} {log}");
        }
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused_at_the_start() {
    let folder = TempFolder::new();
    let none = folder.path("none");
    let wrong = folder.path("wrong");
    fs::write(&wrong, "{\"keys\": []}").unwrap();
    for (keys, part) in [
        (&*none, "none: No such file"),
        (&wrong, "wrong: it has no public key"),
        ("http://issuer.example/keys", "say `https`"),
        ("ftp://issuer.example/keys", "begin with `https://`"),
        ("https://user@issuer.example/keys", "user's name"),
    ] {
        let ended = run(
            &[
                "serve",
                "--bind",
                "127.0.0.1:0",
                "--auth-jwks",
                keys,
                "--auth-issuer",
                "issuer",
                "--auth-audience",
                "calculator",
            ],
            "",
        );
        assert_eq!(ended.code, Some(1), "{keys}: {}", ended.err);
        assert!(ended.err.contains("`auth-jwks`: "), "{}", ended.err);
        assert!(ended.err.contains(part), "{keys}: {}", ended.err);
    }
}

/// A certificate authority.
struct Authority {
    issuer: rcgen::Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Certificate and key of a server `localhost`.
    fn certify(&self) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        format!("{}{}", certificate.pem(), key.serialize_pem())
    }
}

/// Serves the file `keys` of a folder over TLS, with the certificate in its file `cert.pem`.
const DOCUMENT_SERVER: &str = r#"
import http.server, os, ssl, sys
os.chdir(sys.argv[1])
handler = http.server.SimpleHTTPRequestHandler
handler.log_message = lambda *_: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

struct DocumentServer(Child);

impl DocumentServer {
    /// The server and the URL of the document.
    fn start(folder: &TempFolder) -> (Self, String) {
        let mut command = Command::new("python3");
        command.args(["-c", DOCUMENT_SERVER]).arg(folder.root());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut port).unwrap();
        let url = format!("https://localhost:{}/keys", port.trim_end());
        (Self(child), url)
    }
}

impl Drop for DocumentServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn keys_of_a_url_come_from_who_is_known_to_the_named_authority() {
    let (folder, issuer) = (TempFolder::new(), Issuer::new());
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    fs::write(folder.path("cert.pem"), ours.certify()).unwrap();
    fs::write(folder.path("keys"), issuer.jwks()).unwrap();
    let (_documents, url) = DocumentServer::start(&folder);
    let token = issuer.token("calculator");
    let authority = folder.path("ca.pem");
    let start = |pem: &str| {
        fs::write(&authority, pem).unwrap();
        let settings = folder.path("settings.toml");
        let text = format!(
            "auth-jwks = \"{url}\"\nauth-jwks-ca = \"{authority}\"\n\
             auth-issuer = \"issuer\"\nauth-audience = \"calculator\"\n"
        );
        fs::write(&settings, text).unwrap();
        Server::start(&["--config", &settings])
    };
    let server = start(&ours.pem);
    assert_eq!(status(&server.url, &token, "calc.randompaths"), 200);
    assert_eq!(status(&server.url, "", "calc.randompaths"), 401);
    let server = start(&foreign.pem);
    assert_eq!(status(&server.url, &token, "calc.randompaths"), 503);
    // The file is read again.
    fs::write(&authority, &ours.pem).unwrap();
    server.process.signal("HUP");
    wait_for(&server.url, &token, "calc.randompaths", 200);
    // One that cannot be used changes nothing.
    fs::write(&authority, "").unwrap();
    server.process.signal("HUP");
    let told = loop {
        let note = server.process.note();
        if note.contains("the keys of tokens stay") {
            break note;
        }
    };
    assert!(
        told.contains("ca.pem: there is no CA certificate"),
        "{told}"
    );
    assert_eq!(status(&server.url, &token, "calc.randompaths"), 200);
}

#[test]
fn an_authority_that_cannot_be_used_is_refused_at_the_start() {
    let folder = TempFolder::new();
    let (none, keys) = (folder.path("none"), folder.path("keys"));
    fs::write(&keys, Issuer::new().jwks()).unwrap();
    let secure = "https://issuer.example/keys";
    let of = ["--auth-issuer", "issuer", "--auth-audience", "calculator"];
    for (flags, part) in [
        (&["--auth-jwks", secure][..], "`auth-jwks-ca`: "),
        (&["--auth-jwks", secure], "none: No such file"),
        (&["--auth-jwks", &keys], "an `https://` URL"),
        (
            &["--auth-jwks", "http://localhost/keys"],
            "an `https://` URL",
        ),
        (&[], "`auth-jwks-ca` is about"),
    ] {
        let of = if flags.is_empty() { &[][..] } else { &of };
        let args = ["serve", "--bind", "127.0.0.1:0", "--auth-jwks-ca", &none];
        let ended = run(&[&args, flags, of].concat(), "");
        assert_eq!(ended.code, Some(1), "{flags:?}: {}", ended.err);
        assert!(ended.err.contains(part), "{flags:?}: {}", ended.err);
    }
}
