//! Options of a server that say who may call it, and what is recorded of that.

use crate::identity::Authenticator;
use crate::rate_limit::RateLimit;
use crate::server::builder::Server;
use crate::server::settings::Profile;

/// Callers.
impl Server {
    /// Knows clients by their certificates, which one of these authorities (PEM) has issued. It needs
    /// [`tls`](Self::tls). The file is read when the server starts, and again on every reload.
    ///
    /// Clients without a certificate are anonymous, unless
    /// [`tls_client_required`](crate::Settings::tls_client_required) is set. Those with one have no
    /// scopes, unless the program adds
    /// [`ClientCertificates`](crate::ClientCertificates) with scopes.
    ///
    /// ```no_run
    /// use antiphon::{ClientCertificates, Router, Server};
    ///
    /// let server = Server::new(Router::new())
    ///     .tls("chain.pem", "key.pem")
    ///     .tls_client_ca("clients.pem")
    ///     .authenticate(ClientCertificates::new().scopes("spiffe://example/billing", ["accounts:read"]));
    /// ```
    #[cfg(feature = "auth")]
    #[must_use]
    pub fn tls_client_ca(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.settings.tls_client_ca = Some(path.into());
        self
    }

    /// Asks callers who they are. Several authenticators are asked in the order in which they were
    /// added; see [`Authenticator`].
    ///
    /// From then on a caller is known or anonymous. Anonymous callers may call
    /// [public](crate::Method::public) methods, and get error −32006 from all others. Known callers
    /// also need the scopes of a method, and get error −32007 without. Over HTTP every request is
    /// asked, and one whose credentials are no good is answered with status 401. A session is asked
    /// when it begins, and again with each call of `rpc.authenticate`, whose parameter is a `token`.
    /// Callers with the admin token are not asked.
    ///
    /// From one address 100 credentials may be refused at once, and 10 a second. After that nobody is
    /// asked: a request gets status 429, and `rpc.authenticate` error −32005. Good credentials that were
    /// in use at this address go on.
    ///
    /// A server without an authenticator asks nobody: scopes do not count.
    #[must_use]
    pub fn authenticate(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticators.push(authenticator);
        self
    }

    /// Records each call in this file, or a named pipe; `-` is standard output. [`AuditLog`] says
    /// what is in it. The file is opened again on every reload.
    ///
    /// [`AuditLog`]: crate::AuditLog
    ///
    /// ```
    /// # use antiphon::{Router, Server};
    /// let server = Server::new(Router::new()).audit_log("/var/log/calc/audit.log");
    /// ```
    #[must_use]
    pub fn audit_log(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.settings.audit_log = Some(path.into());
        self
    }

    /// Limits the calls of each caller; see [`Settings::rate_limit`](crate::Settings::rate_limit). A call beyond the limit does
    /// not run and gets error −32005, which tells when to try again; over HTTP with status 429.
    ///
    /// The server does not start with a rate or a burst of 0, nor with a burst below the
    /// [cost](crate::Method::cost) of a method.
    ///
    /// ```
    /// use antiphon::{RateLimit, Router, Server};
    ///
    /// let router = Router::new().method_fn("add", |a: f64, b: f64| a + b);
    /// let server = Server::new(router).rate_limit(RateLimit::per_second(100).burst(200));
    /// ```
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.settings.rate_limit = Some(limit);
        self
    }

    /// Also accepts requests whose `Host` is this name, with any port. This makes the server
    /// [public](#local-and-public-servers). The server does not start with a text that no request
    /// could have as its host: with a scheme, a path or a pattern.
    #[must_use]
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.settings.allow_host.push(host.into());
        self
    }

    /// Allows web pages of this origin to call: `https://app.example`, `http://localhost:3000`. May
    /// be called several times. The server does not start with a text that no page has as its
    /// origin (without a scheme, with a path or a pattern), nor with `null`, which every sandboxed
    /// frame has.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.settings.allow_origin.push(origin.into());
        self
    }

    /// Trusts a proxy to name the client of each request: an address, a network (`10.0.0.0/8`), or `unix`
    /// for proxies that connect over Unix sockets. May be called several times.
    ///
    /// For a request that comes from such a peer, the client is the first address from the right in
    /// `Forwarded` or `X-Forwarded-For` that is no trusted proxy. Limits by address and the log then
    /// use it, and [`Context::client_ip`](crate::Context::client_ip) returns it. From all other peers
    /// these fields are ignored, since anybody can send them. On listeners with `?proxy=true` a
    /// PROXY protocol header is taken from trusted proxies only, as soon as there is one.
    ///
    /// This makes the server [public](#local-and-public-servers): nobody who comes through a proxy is
    /// local, whatever address the proxy names. The server does not start with a text that is no
    /// network, nor with a network of all addresses.
    ///
    /// ```
    /// # use antiphon::{Router, Server};
    /// let server = Server::new(Router::new())
    ///     .bind("127.0.0.1:8060")
    ///     .trusted_proxy("127.0.0.1")
    ///     .trusted_proxy("10.0.0.0/8")
    ///     .allow_unauthenticated_public(true);
    /// ```
    #[must_use]
    pub fn trusted_proxy(mut self, proxy: impl Into<String>) -> Self {
        self.settings.trusted_proxies.push(proxy.into());
        self
    }

    /// Sets which callers count as local. Default: [`Profile::Auto`].
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.settings.profile = profile;
        self
    }

    /// Allows a [public](#local-and-public-servers) server to start that asks nobody who calls. Set
    /// this if it needs no authentication, or if HTTP layers provide it.
    #[must_use]
    pub fn allow_unauthenticated_public(mut self, allow: bool) -> Self {
        self.settings.allow_unauthenticated_public = allow;
        self
    }
}
