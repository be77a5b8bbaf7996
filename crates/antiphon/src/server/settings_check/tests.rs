//! What is refused, and what is taken.

use super::*;
use crate::rate_limit::RateLimit;
use crate::router::{Method, Router};

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
        (|s| s.max_headers = 10_000, None),
        (|s| s.max_headers = 10_001, Some("at most 10000")),
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

#[cfg(feature = "auth")]
#[test]
fn settings_of_authentication_that_need_each_other_come_together() {
    fn jwks(s: &mut Settings) {
        s.auth_jwks = Some("keys.json".into());
        s.auth_issuer = Some("https://issuer.example".into());
        s.auth_audience = Some("calculator".into());
    }
    fn tls(s: &mut Settings) {
        s.tls_cert = Some("x".into());
        s.tls_key = Some("x".into());
    }
    check(&[
        (jwks, None),
        (
            |s| s.auth_jwks = Some("x".into()),
            Some("`auth-issuer` and"),
        ),
        (
            |s| {
                jwks(s);
                s.auth_audience = None;
            },
            Some("`auth-jwks` needs"),
        ),
        (
            |s| s.auth_issuer = Some("x".into()),
            Some("tokens of `auth-jwks`"),
        ),
        (
            |s| s.auth_audience = Some("x".into()),
            Some("tokens of `auth-jwks`"),
        ),
        (
            |s| {
                jwks(s);
                s.auth_issuer = Some(String::new());
            },
            Some("`auth-issuer` cannot be empty"),
        ),
        (
            |s| {
                jwks(s);
                s.auth_jwks_ca = Some("x".into());
            },
            None,
        ),
        (
            |s| {
                jwks(s);
                s.auth_jwks_ca = Some("".into());
            },
            Some("`auth-jwks-ca` cannot be"),
        ),
        (
            |s| s.auth_jwks_ca = Some("x".into()),
            Some("`auth-jwks-ca` is about"),
        ),
        (
            |s| s.auth_tokens = Some("".into()),
            Some("`auth-tokens` cannot be"),
        ),
        (
            |s| s.tls_client_ca = Some("x".into()),
            Some("needs `tls-cert`"),
        ),
        (
            |s| s.tls_client_required = true,
            Some("needs `tls-client-ca`"),
        ),
        (
            |s| {
                tls(s);
                s.tls_client_ca = Some("x".into());
                s.tls_client_required = true;
            },
            None,
        ),
        (
            |s| {
                s.auth_tokens = Some("t".into());
                s.admin_token_file = Some("t".into());
            },
            Some("is the same file"),
        ),
        (
            |s| {
                jwks(s);
                s.admin_token_file = Some("keys.json".into());
            },
            Some("`auth-jwks` cannot be keys.json: `admin-token-file` is the same file"),
        ),
        (
            |s| {
                tls(s);
                jwks(s);
                s.auth_jwks = Some("https://issuer.example/keys".into());
                s.tls_client_ca = Some("ca".into());
                s.auth_jwks_ca = Some("ca".into());
            },
            None,
        ),
    ]);
}

#[test]
fn a_rate_that_lets_no_call_through_is_refused() {
    let limit = RateLimit::per_second;
    for (limit, expected) in [
        (limit(1), None),
        (RateLimit::per_hour(1).burst(1), None),
        (limit(0), Some("`rate-limit` cannot be 0/s: no call")),
        (
            RateLimit::per_minute(0).burst(5),
            Some("`rate-limit` cannot be 0/m"),
        ),
        (limit(5).burst(0), Some("`rate-burst` cannot be 0: no call")),
    ] {
        let settings = Settings {
            rate_limit: Some(limit),
            ..Settings::default()
        };
        match (settings.check(), expected) {
            (Ok(()), None) => {}
            (Err(ServeError::BadSetting(text)), Some(part)) => {
                assert!(text.contains(part), "{text}");
            }
            (other, _) => panic!("{other:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn a_burst_below_the_cost_of_a_method_is_refused() {
    let router = Router::new()
        .method_fn("small", || 1)
        .method(Method::function("free", || 1).cost(0))
        .nest(
            "n",
            Router::new().method(Method::function("large", || 1).cost(10)),
        );
    let dispatcher = router.build().unwrap();
    let check = |rate_limit| {
        let settings = Settings {
            rate_limit,
            ..Settings::default()
        };
        settings.check_costs(dispatcher.tree())
    };
    assert!(check(None).is_ok());
    assert!(check(Some(RateLimit::per_second(10))).is_ok());
    assert!(check(Some(RateLimit::per_second(1).burst(10))).is_ok());
    let text = check(Some(RateLimit::per_second(9))).unwrap_err();
    assert_eq!(
        text.to_string(),
        "`rate-burst` cannot be 9: `n.large` costs 10, so no call of it could ever run"
    );
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
            |s| s.max_request_memory = 2 * s.max_request - 1,
            Some("`max-request-memory` cannot be 20971519: it is less than twice `max-request`"),
        ),
        (|s| s.max_request_memory = 2 * s.max_request, None),
        (
            |s| s.max_response_memory = 2 * s.calls.max_batch_response - 1,
            Some("less than twice `max-batch-response`"),
        ),
        (
            |s| s.max_response_memory = 2 * s.calls.max_batch_response,
            None,
        ),
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

#[test]
fn hosts_and_origins_that_no_request_has_are_refused() {
    for (host, origin, fits) in [
        (None, Some("https://app.example"), true),
        (None, Some("null"), false),
        (None, Some("app.example"), false),
        (Some("api.example"), None, true),
        (Some("https://api.example"), None, false),
    ] {
        let list = |text: Option<&str>| text.map(str::to_owned).into_iter().collect();
        let settings = Settings {
            allow_host: list(host),
            allow_origin: list(origin),
            ..Settings::default()
        };
        let checked = settings.check();
        assert_eq!(checked.is_ok(), fits, "{host:?} {origin:?}: {checked:?}");
    }
}
