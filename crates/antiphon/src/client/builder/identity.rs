//! Options that say who calls: tokens, certificates, and the caller of the running method.

use std::sync::Arc;

use crate::client::builder::options::ClientBuilder;
use crate::client::token::{BearerToken, Tokens};
use crate::identity::Identity;
use crate::router::BoxError;

impl ClientBuilder {
    /// Sends this token with every call (RFC 6750).
    ///
    /// Over HTTP it is the header `Authorization` of every request, over WebSocket that of the
    /// handshake. On other sessions the client calls `rpc.authenticate` before anything else, after
    /// each reconnection, too; a server without this method needs no token. If the token is refused,
    /// calls fail with that error: see
    /// [`Error::is_unauthenticated`](crate::client::Error::is_unauthenticated).
    ///
    /// The token goes to the host of the address only, since redirects are not followed. It is in no
    /// error, no `Debug` and no log of this crate. A client [in the process](Self::in_process) does not use it.
    ///
    /// # Errors
    ///
    /// These are errors of [`build`](Self::build): a token that is empty, longer than 16 KiB or not
    /// visible ASCII; a [`header`](Self::header) `Authorization` besides; and an address to which the
    /// token would go unencrypted (see [`allow_plaintext_token`](Self::allow_plaintext_token)).
    ///
    /// ```
    /// use antiphon::Client;
    ///
    /// let client = Client::builder("http://localhost:8060").bearer("7f3a").build()?;
    /// # Ok::<(), antiphon::client::Error>(())
    /// ```
    pub fn bearer(mut self, token: impl Into<BearerToken>) -> Self {
        match Tokens::fixed(token.into()) {
            Ok(tokens) => self.tokens = Some(tokens),
            Err(fault) => self.fail(fault.to_owned()),
        }
        self
    }

    /// Asks a function for the tokens that are sent with calls; see [`bearer`](Self::bearer).
    ///
    /// The function is asked at the first call, and again shortly before the token ends, if it
    /// [tells](BearerToken::until) when: 30 s before, or a tenth of its time if that is shorter. Until
    /// the next token is there, the old one is used. A session that lives is told the new one. If the
    /// server refuses a token with HTTP status 401 or error −32006, the function is asked once more,
    /// and the call, which has not run, is sent again. However many calls wait, the function is
    /// asked once for all, in a task of its own, for at most 30 s.
    ///
    /// # Errors
    ///
    /// If the function fails, or has no token within the timeout of a call, the call fails with
    /// [`ErrorKind::NotSent`](crate::client::ErrorKind::NotSent). While a client
    /// [reconnects](Self::reconnect), it asks again until then.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use antiphon::{Client, client::BearerToken};
    ///
    /// async fn sign_in() -> std::io::Result<BearerToken> {
    ///     // Ask the authorization server.
    ///     Ok(BearerToken::new("7f3a").until(SystemTime::now() + Duration::from_secs(600)))
    /// }
    ///
    /// let client = Client::builder("http://localhost:8060").bearer_from(sign_in).build()?;
    /// # Ok::<(), antiphon::client::Error>(())
    /// ```
    pub fn bearer_from<F, A, T, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<BearerToken>,
        E: Into<BoxError>,
    {
        self.tokens = Some(Tokens::provided(Arc::new(move || {
            let asking = provider();
            Box::pin(async move { asking.await.map(Into::into).map_err(Into::into) })
        })));
        self
    }

    /// Calls on behalf of the caller of the method that runs: the router [in this process](Self::in_process)
    /// sees that caller and checks its scopes. Default: the caller is this program, which may call
    /// everything but methods for admins.
    ///
    /// It holds for calls, notifications, batches and subscriptions. What arrives is what
    /// [`Context::identity`](crate::Context::identity) tells the method that runs:
    ///
    /// | the method that runs | in the router that is called |
    /// |---|---|
    /// | has a known caller | it is that caller, with its scopes, claims and expiry as they were when its call began |
    /// | has an anonymous one, or the admin, or its server asks nobody | the caller is anonymous: `public` methods only |
    /// | has a caller on this machine | methods for local callers exist, for any other caller they do not |
    /// | there is none | nothing is sent; the error is one for which [`has_no_caller`](crate::client::Error::has_no_caller) is true |
    ///
    /// So a caller gets no right through the client that it does not have itself. Methods for admins
    /// cannot be called, `rpc.authenticate` is an unknown method, and
    /// [`Context::client_ip`](crate::Context::client_ip) is that of the original call.
    ///
    /// A call belongs to the method in which it was created, or else awaited. `async` and `blocking`
    /// methods, streams of subscriptions and [`Context::spawn`](crate::Context::spawn) count as running. A
    /// plain `fn`, a bare `tokio::spawn` and a thread do not. Results that are kept for several callers
    /// should come from a client without this option.
    ///
    /// # Errors
    ///
    /// With an address or a [`service`](Self::service), it is an error of [`build`](Self::build): another
    /// process has no reason to believe it, and the token of a caller is not sent on. A `nats:` address may name
    /// keys, `?identity=FILE`, which the servers have as well: then the identity is signed, for 60 s and for the one
    /// message with which it goes. That a caller is on this machine, and its address, are not passed on there.
    ///
    /// ```
    /// use antiphon::{Client, ErrorObject, Failure, Method, Router};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let accounts = Router::new()
    ///     .method(Method::function("balance", |_account: String| 7).scope("accounts:read"))
    ///     .build()?;
    /// let accounts = Client::builder("").in_process(&accounts).forward_identity().build()?;
    ///
    /// let report = move |account: String| {
    ///     let accounts = accounts.clone();
    ///     async move {
    ///         match accounts.call::<i64>("balance", (account,)).await {
    ///             Ok(balance) => Ok(format!("{balance} coins")),
    ///             Err(error) if error.is_unauthenticated() => Err(ErrorObject::new(1, "Who are you?")),
    ///             Err(error) => Err(Failure::from(error).into()),
    ///         }
    ///     }
    /// };
    /// let reports = Client::in_process(Router::new().method_fn("report", report))?;
    /// // A router in this process asks nobody, so its caller is anonymous to `accounts`.
    /// let error = reports.call::<String>("report", ("alice",)).await.unwrap_err();
    /// assert_eq!(error.code().unwrap().0, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn forward_identity(mut self) -> Self {
        self.forwards_identity = true;
        self
    }

    /// Calls as this identity, through a NATS server whose address names keys: `nats://localhost/shop?identity=FILE`.
    /// Servers that have one of these keys believe it; see [`forward_identity`](Self::forward_identity).
    ///
    /// # Errors
    ///
    /// Without such an address, or with `forward_identity` besides, it is an error of [`build`](Self::build).
    ///
    /// ```
    /// use antiphon::{Client, Identity};
    ///
    /// let reports = Identity::new("reports").scope("accounts:read");
    /// assert!(Client::builder(":8060").identity(reports).build().is_err());
    /// ```
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Lets a token go unencrypted over a network, to an `http:`, `ws:` or `tcp:` address that is not
    /// of this machine: 127.0.0.0/8, `[::1]` or `localhost`. Whoever sees it can use it. Use this only where something else encrypts the
    /// connection, for example a tunnel.
    ///
    /// Without this option such an address is an error of [`build`](Self::build). It does not concern
    /// a [`service`](Self::service), whose way is not known.
    ///
    /// ```
    /// use antiphon::Client;
    ///
    /// let builder = || Client::builder("http://calc.internal:8060").bearer("7f3a");
    /// assert!(builder().build().is_err());
    /// assert!(builder().allow_plaintext_token().build().is_ok());
    /// ```
    pub fn allow_plaintext_token(mut self) -> Self {
        self.plaintext_token = true;
        self
    }

    /// Shows a certificate to a server that asks for one: its chain as PEM text, the certificate of
    /// the client first, and its private key, also PEM and without a passphrase.
    ///
    /// This has an effect on `https:`, `wss:` and `tls:` addresses, unless a
    /// [`service`](Self::service) is set.
    ///
    /// # Errors
    ///
    /// A certificate or a key that cannot be used is an error of [`build`](Self::build).
    ///
    /// ```no_run
    /// use antiphon::Client;
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::builder("https://calculator.internal:8443")
    ///     .client_certificate(std::fs::read("reports.pem")?, std::fs::read("reports.key")?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn client_certificate(
        mut self,
        chain_pem: impl AsRef<[u8]>,
        key_pem: impl AsRef<[u8]>,
    ) -> Self {
        let (chain, key) = (chain_pem.as_ref().to_vec(), key_pem.as_ref().to_vec());
        self.tls.client = Some((chain, key));
        self
    }
}
