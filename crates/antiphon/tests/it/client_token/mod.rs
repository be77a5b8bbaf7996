//! Tests of a client's tokens: when they are fetched, where they go, and what is said about them.

mod http;
mod options;
mod secrecy;
mod sessions;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use antiphon::client::{BearerToken, ClientBuilder};
use antiphon::{
    AuthenticationError, Authenticator, BoxError, Context, Credentials, Identity, Method, Router,
    Server, ServerHandle,
};
use tokio::task::JoinHandle;

use crate::support::counter::Counter;

/// The tokens that a server accepts at the moment; they can be taken back.
#[derive(Clone, Default)]
struct Good(Arc<Mutex<Vec<String>>>);

impl Good {
    fn of(tokens: &[&str]) -> Self {
        let good = Self::default();
        good.set(tokens);
        good
    }

    fn set(&self, tokens: &[&str]) {
        *self.0.lock().unwrap() = tokens.iter().map(|&token| token.to_owned()).collect();
    }

    fn has(&self, token: &str) -> bool {
        self.0.lock().unwrap().iter().any(|good| good == token)
    }
}

/// A token holds for a short time, or for one that no test lives to see the end of.
struct Checker {
    good: Good,
    lifetime: Duration,
}

impl Authenticator for Checker {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        match credentials.bearer() {
            Some("busy") => Err(AuthenticationError::unavailable("busy")),
            Some(token) if self.good.has(token) => {
                let end = SystemTime::now() + self.lifetime;
                Ok(Some(Identity::new(token).scope("read").until(end)))
            }
            Some(_) => Err(AuthenticationError::refused("unknown")),
            None => Ok(None),
        }
    }
}

/// A server whose `who` answers with the subject.
async fn start(good: &Good, lifetime: Duration, bind: &str) -> (String, Serving) {
    let who = |ctx: Context| ctx.identity().map(|identity| identity.subject().to_owned());
    let router = Router::new()
        .method(Method::function("who", who))
        .method(Method::function("one", || 1))
        .method(
            Method::function("write", || 1)
                .scope("write")
                .scope("admin"),
        );
    let good = good.clone();
    let server = Server::new(router).authenticate(Checker { good, lifetime });
    let listening = server.bind(bind).listen().await.unwrap();
    let url = listening.url();
    let handle = listening.handle();
    let task = tokio::spawn(async move { listening.serve().await.unwrap() });
    (url, Serving { handle, task })
}

/// A server that runs, until it is dropped.
struct Serving {
    handle: ServerHandle,
    task: JoinHandle<()>,
}

impl Serving {
    async fn end(mut self) {
        self.handle.kill();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

const LONG: Duration = Duration::from_secs(3600);

/// Provides the tokens `t1`, `t2` and so on, and counts.
#[derive(Clone, Default)]
struct Issuer {
    asked: Counter,
    takes: Duration,
    lifetime: Option<Duration>,
    fails: Arc<Mutex<bool>>,
}

impl Issuer {
    fn give(&self, builder: ClientBuilder) -> ClientBuilder {
        let issuer = self.clone();
        builder.bearer_from(move || issuer.clone().issue())
    }

    async fn issue(self) -> Result<BearerToken, BoxError> {
        self.asked.add();
        let token = BearerToken::new(format!("t{}", self.asked.get()));
        tokio::time::sleep(self.takes).await;
        if *self.fails.lock().unwrap() {
            return Err("the issuer sleeps".into());
        }
        Ok(match self.lifetime {
            Some(lifetime) => token.until(SystemTime::now() + lifetime),
            None => token,
        })
    }

    fn fail(&self, yes: bool) {
        *self.fails.lock().unwrap() = yes;
    }
}
