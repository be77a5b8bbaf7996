//! Settings that cannot be meant: a server with them would refuse everybody, or end at once.

use std::path::Path;
use std::time::Duration;

use crate::server::error::ServeError;
use crate::server::settings::Settings;

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
        self.check_numbers()?;
        self.check_pairs()?;
        self.check_times()?;
        self.check_paths()
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

    /// Values that contradict each other.
    fn check_pairs(&self) -> Result<(), ServeError> {
        let calls = &self.calls;
        for (name, value, other, least) in [
            (
                "max-request-memory",
                self.max_request_memory,
                "max-request",
                self.max_request,
            ),
            (
                "max-batch-response",
                calls.max_batch_response,
                "max-response",
                calls.max_response,
            ),
        ] {
            if value < least {
                let text = format!("it is less than `{other}`, which is {least}");
                return Err(refused(name, &value, &text));
            }
        }
        Ok(())
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
            ("sessions.idle_timeout", sessions.idle_timeout, some),
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
        let paths = [
            ("tls-cert", &self.tls_cert),
            ("tls-key", &self.tls_key),
            ("admin-token-file", &self.admin_token_file),
            ("pid-file", &supervision.pid_file),
            ("control", &supervision.control),
        ];
        for (at, (name, path)) in paths.iter().enumerate() {
            let Some(path) = path else { continue };
            if path.as_os_str().is_empty() {
                return Err(refused(name, &"", "it is no path"));
            }
            // Certificate and key may be in one file. What is written may be nothing else.
            let same = |(other, second): &&(&str, &Option<_>)| {
                second.as_deref() == Some(Path::new(path)) && *other != "tls-key"
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

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Settings);

    /// Changes of the defaults, each with a part of the expected error, or none.
    fn check(table: &[(Change, Option<&str>)]) {
        for (at, (change, expected)) in table.iter().enumerate() {
            let mut settings = Settings::default();
            change(&mut settings);
            match (settings.check(), expected) {
                (Ok(()), None) => {}
                (Err(ServeError::BadSetting(text)), Some(part)) => {
                    assert!(text.contains(part), "row {at}: {text}");
                }
                (other, _) => panic!("row {at}: {other:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn limits_that_let_nothing_through_are_refused() {
        check(&[
            (|_| {}, None),
            (
                |s| s.max_connections = 0,
                Some("`max-connections` cannot be 0"),
            ),
            (|s| s.max_connections = 1, None),
            (
                |s| s.max_connections_per_ip = 0,
                Some("`max-connections-per-ip`"),
            ),
            (|s| s.max_request = 0, Some("`max-request` cannot be 0")),
            (|s| s.max_request = 63, Some("at least 64")),
            (|s| s.max_request = 64, None),
            (|s| s.max_headers = 3, Some("`max-headers` cannot be 3")),
            (|s| s.max_headers = 4, None),
            (|s| s.max_header_size = 255, Some("`max-header-size`")),
            (|s| s.max_header_size = 256, None),
            (|s| s.max_streams = 0, Some("`max-streams`")),
            (|s| s.calls.max_in_flight = 0, Some("`max-in-flight`")),
            (
                |s| s.calls.batch_concurrency = 0,
                Some("`batch-concurrency`"),
            ),
            (|s| s.calls.max_response = 0, Some("`max-response`")),
            (
                |s| s.calls.max_batch_response = 0,
                Some("`max-batch-response`"),
            ),
            (
                |s| s.sessions.max_running = 0,
                Some("`sessions.max_running`"),
            ),
            (|s| s.sessions.max_parked = 0, Some("`sessions.max_parked`")),
            (
                |s| s.sessions.max_parked_bytes = 0,
                Some("max_parked_bytes"),
            ),
            (|s| s.sessions.max_unwritten = 0, Some("max_unwritten")),
            (|s| s.sessions.max_calls = 0, Some("max_calls")),
            (|s| s.sessions.max_queued = 0, Some("max_queued`")),
            (
                |s| s.sessions.max_queued_bytes = 0,
                Some("max_queued_bytes"),
            ),
            (|s| s.sessions.cancel_method.clear(), Some("cancel_method")),
            (
                |s| s.supervision.workers = 1025,
                Some("`workers` cannot be 1025"),
            ),
            (
                |s| s.supervision.max_requests = Some(0),
                Some("`max-requests`"),
            ),
            (|s| s.supervision.max_requests = Some(1), None),
        ]);
    }

    #[test]
    fn zero_is_taken_where_it_can_be_meant() {
        check(&[
            (|s| s.calls.max_batch = 0, None),
            (|s| s.sessions.max_subscriptions = 0, None),
            (|s| s.graceful_timeout = Duration::ZERO, None),
            (|s| s.supervision.workers = 0, None),
        ]);
    }

    #[test]
    fn values_that_contradict_each_other_are_refused() {
        check(&[
            (
                |s| s.max_request_memory = s.max_request - 1,
                Some("`max-request-memory` cannot be 10485759: it is less than `max-request`"),
            ),
            (|s| s.max_request_memory = s.max_request, None),
            (
                |s| s.calls.max_batch_response = s.calls.max_response - 1,
                Some("less than `max-response`"),
            ),
            (|s| s.calls.max_batch_response = s.calls.max_response, None),
            (
                |s| {
                    s.admin_token_file = Some("x".into());
                    s.supervision.pid_file = Some("x".into());
                },
                Some("`admin-token-file` cannot be x: `pid-file` is the same file"),
            ),
            (
                |s| {
                    s.tls_key = Some("x".into());
                    s.supervision.pid_file = Some("x".into());
                },
                Some("`pid-file` is the same file"),
            ),
            (
                |s| {
                    s.tls_cert = Some("x".into());
                    s.tls_key = Some("x".into());
                },
                None,
            ),
            (
                |s| s.supervision.pid_file = Some("".into()),
                Some("no path"),
            ),
        ]);
    }

    #[test]
    fn times_that_are_over_at_once_or_never_are_refused() {
        const ZERO: Option<Duration> = Some(Duration::ZERO);
        const AGES: Duration = Duration::MAX;
        check(&[
            (
                |s| s.header_timeout = ZERO,
                Some("`header-timeout` cannot be 0ns"),
            ),
            (|s| s.header_timeout = None, None),
            (|s| s.body_timeout = ZERO, Some("`body-timeout`")),
            (|s| s.idle_timeout = ZERO, Some("`idle-timeout`")),
            (|s| s.write_timeout = ZERO, Some("`write-timeout`")),
            (|s| s.calls.call_timeout = ZERO, Some("`call-timeout`")),
            (|s| s.calls.batch_timeout = ZERO, Some("`batch-timeout`")),
            (|s| s.sessions.ping_interval = ZERO, Some("ping_interval")),
            (
                |s| s.sessions.ping_timeout = Duration::ZERO,
                Some("ping_timeout"),
            ),
            (
                |s| s.sessions.idle_timeout = ZERO,
                Some("sessions.idle_timeout"),
            ),
            (
                |s| s.sessions.message_timeout = ZERO,
                Some("message_timeout"),
            ),
            (
                |s| s.sessions.write_timeout = ZERO,
                Some("sessions.write_timeout"),
            ),
            (
                |s| s.supervision.boot_timeout = Duration::ZERO,
                Some("`boot-timeout`"),
            ),
            (
                |s| s.supervision.worker_timeout = Some(Duration::from_millis(199)),
                Some("`worker-timeout` cannot be 199ms: at least 200ms"),
            ),
            (|s| s.supervision.worker_timeout = None, None),
            (|s| s.graceful_timeout = AGES, Some("at most ten years")),
            (
                |s| s.supervision.boot_timeout = AGES,
                Some("at most ten years"),
            ),
            (
                |s| s.calls.call_timeout = Some(AGES),
                Some("at most ten years"),
            ),
        ]);
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_runtime_has_a_thread() {
        for (threads, is_taken) in [
            (None, true),
            (Some(0), false),
            (Some(1), true),
            (Some(1024), true),
            (Some(1025), false),
        ] {
            assert_eq!(check_threads(threads).is_ok(), is_taken, "{threads:?}");
        }
    }
}
