//! Settings that cannot be meant: a server with them would refuse everybody, or end at once.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::trusted_proxies::TrustedProxies;
use crate::describe::{Access, Tree};
use crate::server::error::ServeError;
use crate::server::settings::Settings;
use crate::transport::http::allow_list;

/// The longest duration: about ten years. A longer one is a mistake for none, and the system's clock
/// cannot count to all of them.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// The shortest heartbeat timeout: workers give a sign of life every 50 ms at most.
const SHORTEST_WORKER_TIMEOUT: Duration = Duration::from_millis(200);

/// The smallest request that is of use, in bytes: one call with a name and an id.
const SMALLEST_REQUEST: usize = 64;

/// The fewest header fields with which a request can be made: `Host`, `Content-Type`,
/// `Content-Length`, and one of the caller's.
const FEWEST_HEADERS: usize = 4;

/// The most header fields: room for all of them is made for every request.
const MOST_HEADERS: usize = 10_000;

/// The smallest request head in bytes.
const SMALLEST_HEAD: usize = 256;

/// The largest number of worker processes, and of threads in one of them.
const MOST_WORKERS: usize = 1024;

impl Settings {
    /// Refuses values that cannot be meant, and values that contradict each other.
    ///
    /// # Errors
    ///
    /// [`ServeError::BadSetting`] with the name of the setting, its value and the reason.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        self.check_features()?;
        self.check_names()?;
        self.check_numbers()?;
        self.check_rate()?;
        self.check_pairs()?;
        self.check_authentication()?;
        self.check_times()?;
        self.check_paths()
    }

    /// Hosts and origins that no request could have, and proxies that cannot be meant.
    fn check_names(&self) -> Result<(), ServeError> {
        let hosts = self.allow_host.iter().map(|text| allow_list::host(text));
        let origins = (self.allow_origin.iter()).map(|text| allow_list::origin(text));
        for checked in hosts.chain(origins) {
            checked.map_err(ServeError::BadSetting)?;
        }
        let proxies = TrustedProxies::parse(&self.trusted_proxies);
        proxies.map(drop).map_err(ServeError::BadSetting)
    }

    fn check_numbers(&self) -> Result<(), ServeError> {
        let (calls, sessions) = (&self.calls, &self.sessions);
        let streams = usize::try_from(self.max_streams).unwrap_or(usize::MAX);
        let response = "no call could be answered with a result";
        for (name, value, least, reason) in [
            (
                "max-connections",
                self.max_connections,
                1,
                "nobody could connect",
            ),
            (
                "max-connections-per-ip",
                self.max_connections_per_ip,
                1,
                "nobody could connect",
            ),
            (
                "max-request",
                self.max_request,
                SMALLEST_REQUEST,
                "no call would fit",
            ),
            (
                "max-headers",
                self.max_headers,
                FEWEST_HEADERS,
                "every request would be refused",
            ),
            (
                "max-header-size",
                self.max_header_size,
                SMALLEST_HEAD,
                "every request would be refused",
            ),
            ("max-streams", streams, 1, "HTTP/2 could carry no request"),
            (
                "max-in-flight",
                calls.max_in_flight,
                1,
                "every call that waits would be refused",
            ),
            (
                "batch-concurrency",
                calls.batch_concurrency,
                1,
                "no call of a batch could run",
            ),
            ("max-response", calls.max_response, 1, response),
            ("max-batch-response", calls.max_batch_response, 1, response),
            (
                "sessions.max_running",
                sessions.max_running,
                1,
                "no call of a session could run",
            ),
            (
                "sessions.max_parked",
                sessions.max_parked,
                1,
                "nothing could wait for a call that runs",
            ),
            (
                "sessions.max_parked_bytes",
                sessions.max_parked_bytes,
                1,
                "nothing could wait for a call that runs",
            ),
            (
                "sessions.max_unwritten",
                sessions.max_unwritten,
                1,
                "no answer could be written",
            ),
            (
                "sessions.max_calls",
                sessions.max_calls,
                1,
                "a call to the peer would wait for ever",
            ),
            (
                "sessions.max_queued",
                sessions.max_queued,
                1,
                "every item of a subscription would be lost",
            ),
            (
                "sessions.max_queued_bytes",
                sessions.max_queued_bytes,
                1,
                "every item of a subscription would be lost",
            ),
        ] {
            if value < least {
                return Err(refused(
                    name,
                    &value,
                    &format!("{reason}; at least {least}"),
                ));
            }
        }
        let headers = self.max_headers;
        if headers > MOST_HEADERS {
            let text = format!("at most {MOST_HEADERS}");
            return Err(refused("max-headers", &headers, &text));
        }
        let workers = self.supervision.workers;
        if workers > MOST_WORKERS {
            return Err(refused(
                "workers",
                &workers,
                &format!("at most {MOST_WORKERS}"),
            ));
        }
        if self.supervision.max_requests == Some(0) {
            let text = "every worker would be replaced at once; leave it out for no limit";
            return Err(refused("max-requests", &0, text));
        }
        Ok(())
    }

    /// A rate limit that lets nothing through.
    fn check_rate(&self) -> Result<(), ServeError> {
        let Some(limit) = self.rate_limit else {
            return Ok(());
        };
        let reason = "no call could run; leave it out for no limit";
        if limit.calls() == 0 {
            return Err(refused("rate-limit", &limit, reason));
        }
        match limit.most_at_once() {
            0 => Err(refused("rate-burst", &0, "no call could run; at least 1")),
            _ => Ok(()),
        }
    }

    /// Refuses a rate limit under which a method of this tree could never run.
    ///
    /// # Errors
    ///
    /// [`ServeError::BadSetting`] with the name of the method and its cost.
    pub(super) fn check_costs(&self, tree: &Tree) -> Result<(), ServeError> {
        let Some(limit) = self.rate_limit else {
            return Ok(());
        };
        let most = limit.most_at_once();
        let methods = tree.methods(Access::Admin);
        match methods.iter().find(|method| method.cost() > most) {
            None => Ok(()),
            Some(method) => {
                let (name, cost) = (method.name(), method.cost());
                let text = format!("`{name}` costs {cost}, so no call of it could ever run");
                Err(refused("rate-burst", &most, &text))
            }
        }
    }

    /// Values that contradict each other.
    fn check_pairs(&self) -> Result<(), ServeError> {
        let calls = &self.calls;
        // A connection may hold as much of a budget as it leaves to others.
        for (name, budget, other, largest) in [
            (
                "max-request-memory",
                self.max_request_memory,
                "max-request",
                self.max_request,
            ),
            (
                "max-response-memory",
                self.max_response_memory,
                "max-batch-response",
                calls.max_batch_response,
            ),
        ] {
            if budget / 2 < largest {
                let text = format!("it is less than twice `{other}`, which is {largest}");
                return Err(refused(name, &budget, &text));
            }
        }
        if calls.max_batch_response < calls.max_response {
            let text = format!(
                "it is less than `max-response`, which is {}",
                calls.max_response
            );
            return Err(refused(
                "max-batch-response",
                &calls.max_batch_response,
                &text,
            ));
        }
        Ok(())
    }

    /// Settings of authentication that are of no use without each other.
    fn check_authentication(&self) -> Result<(), ServeError> {
        let texts = [
            ("auth-jwks", &self.auth_jwks),
            ("auth-issuer", &self.auth_issuer),
            ("auth-audience", &self.auth_audience),
        ];
        for (name, text) in texts {
            if text.as_deref() == Some("") {
                return Err(refused(name, &"empty", "it has to name something"));
            }
        }
        let bad = |text: &str| Err(ServeError::BadSetting(text.to_owned()));
        match texts.map(|(_, text)| text.is_some()) {
            [true, true, true] | [false, false, false] => {}
            [true, ..] => {
                return bad(
                    "`auth-jwks` needs `auth-issuer` and `auth-audience`: a token of another issuer, \
                     or for another server, must not be taken",
                );
            }
            _ => return bad("`auth-issuer` and `auth-audience` are about tokens of `auth-jwks`"),
        }
        if self.auth_jwks_ca.is_some() && self.auth_jwks.is_none() {
            return bad("`auth-jwks-ca` is about the certificate of the URL of `auth-jwks`");
        }
        match (&self.tls_client_ca, self.tls_client_required) {
            (Some(_), _) if !self.has_tls() => {
                bad("`tls-client-ca` needs `tls-cert`: clients show certificates over TLS")
            }
            (None, true) => bad("`tls-client-required` needs `tls-client-ca`"),
            _ => Ok(()),
        }
    }

    fn check_times(&self) -> Result<(), ServeError> {
        let (calls, sessions) = (&self.calls, &self.sessions);
        let supervision = &self.supervision;
        let some = Duration::from_nanos(1);
        for (name, time, least) in [
            ("header-timeout", self.header_timeout, some),
            ("body-timeout", self.body_timeout, some),
            ("idle-timeout", self.idle_timeout, some),
            ("write-timeout", self.write_timeout, some),
            // Zero cuts at once, which may be meant.
            (
                "graceful-timeout",
                Some(self.graceful_timeout),
                Duration::ZERO,
            ),
            ("call-timeout", calls.call_timeout, some),
            ("batch-timeout", calls.batch_timeout, some),
            ("sessions.ping_interval", sessions.ping_interval, some),
            ("sessions.ping_timeout", Some(sessions.ping_timeout), some),
            ("sessions.message_timeout", sessions.message_timeout, some),
            ("sessions.write_timeout", sessions.write_timeout, some),
            (
                "worker-timeout",
                supervision.worker_timeout,
                SHORTEST_WORKER_TIMEOUT,
            ),
            ("boot-timeout", Some(supervision.boot_timeout), some),
        ] {
            let Some(time) = time else { continue };
            let shown = format!("{time:?}");
            if time < least && least > some {
                return Err(refused(name, &shown, &format!("at least {least:?}")));
            }
            if time < least {
                let text = "it would be over before anything has begun; `none` means no limit, \
                            where there may be none";
                return Err(refused(name, &shown, text));
            }
            if time > LONGEST {
                let text = "at most ten years; `none` means no limit, where there may be none";
                return Err(refused(name, &shown, text));
            }
        }
        Ok(())
    }

    fn check_paths(&self) -> Result<(), ServeError> {
        let supervision = &self.supervision;
        // A URL is no path.
        let jwks = (self.auth_jwks.as_ref()).filter(|keys| !keys.contains("://"));
        let jwks = jwks.map(PathBuf::from);
        let paths = [
            ("tls-cert", &self.tls_cert),
            ("tls-key", &self.tls_key),
            ("tls-client-ca", &self.tls_client_ca),
            ("auth-jwks-ca", &self.auth_jwks_ca),
            ("auth-jwks", &jwks),
            ("auth-tokens", &self.auth_tokens),
            ("admin-token-file", &self.admin_token_file),
            ("audit-log", &self.audit_log),
            ("pid-file", &supervision.pid_file),
            ("control", &supervision.control),
        ];
        for (at, (name, path)) in paths.iter().enumerate() {
            let Some(path) = path else { continue };
            if path.as_os_str().is_empty() {
                return Err(refused(name, &"", "it is no path"));
            }
            // Certificate, key and authorities may be in one file. What is written may be nothing
            // else.
            let same = |(other, second): &&(&str, &Option<_>)| {
                let is_pem = other.starts_with("tls-") || *other == "auth-jwks-ca";
                second.as_deref() == Some(Path::new(path)) && !is_pem
            };
            if let Some((other, _)) = paths.iter().skip(at + 1).find(same) {
                let text = format!("`{other}` is the same file");
                return Err(refused(name, &path.display(), &text));
            }
        }
        if self.sessions.cancel_method.is_empty() {
            let text = "it is no name of a notification";
            return Err(refused("sessions.cancel_method", &"", text));
        }
        Ok(())
    }
}

/// Refuses a number of threads that no runtime can have.
///
/// # Errors
///
/// [`ServeError::BadSetting`] with the reason.
#[cfg(feature = "cli")]
pub(crate) fn check_threads(threads: Option<usize>) -> Result<(), ServeError> {
    match threads {
        Some(threads) if !(1..=MOST_WORKERS).contains(&threads) => Err(refused(
            "threads",
            &threads,
            &format!("between 1 and {MOST_WORKERS}"),
        )),
        _ => Ok(()),
    }
}

fn refused(name: &str, value: &dyn std::fmt::Display, reason: &str) -> ServeError {
    ServeError::BadSetting(format!("`{name}` cannot be {value}: {reason}"))
}
