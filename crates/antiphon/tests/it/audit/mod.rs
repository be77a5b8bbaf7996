//! Tests of the audit log.

mod calls;
#[cfg(unix)]
mod files;

use std::path::Path;
use std::time::{Duration, Instant};

use antiphon::{AuthenticationError, Authenticator, Credentials, Identity, Method, Router, Server};
use serde_json::Value;

use crate::support::test_server::{Log, router};

/// Knows one token, and refuses all others.
struct OneToken;

const TOKEN: &str = "S3CR3T-TOKEN";

impl Authenticator for OneToken {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        match credentials.bearer() {
            None => Ok(None),
            Some(TOKEN) => Ok(Some(Identity::new("alice"))),
            Some(_) => Err(AuthenticationError::refused("S3CR3T-REASON")),
        }
    }
}

/// A server with an audit log, where everybody may call `free`.
fn server(log: &Log, path: &Path) -> Server {
    let router: Router = router(log).method(Method::function("free", |_: Value| 1).public());
    Server::new(router)
        .authenticate(OneToken)
        .audit_log(path)
        .configure(|settings| settings.calls.call_timeout = Some(Duration::from_secs(60)))
}

/// The lines of a file, as soon as there are as many as this.
async fn lines(path: &Path, count: usize) -> Vec<Value> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        if lines.len() >= count && text.ends_with('\n') {
            let parsed = lines.into_iter().map(serde_json::from_str);
            return parsed.collect::<Result<_, _>>().unwrap();
        }
        assert!(Instant::now() < until, "not {count} lines:\n{text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Method, code and subject of a line.
fn summary(line: &Value) -> (Option<&str>, i64, Option<&str>) {
    (
        line["method"].as_str(),
        line["code"].as_i64().unwrap(),
        line["subject"].as_str(),
    )
}
