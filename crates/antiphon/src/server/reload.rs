//! Reload of a running server: its files, and the settings of connections to come.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::server::app::App;
use crate::server::connection_setup::ConnectionSetup;
use crate::server::own_thread::on_own_thread;
use crate::server::settings::Settings;

/// What a server is told at a reload. It reads its files again in any case.
#[derive(Debug, Default)]
pub(crate) struct Reload {
    /// The new settings; `None` if there are none that can be used.
    pub(crate) settings: Option<Settings>,
    /// Told when all is done.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

pub(crate) type Reloads = mpsc::Receiver<Reload>;

/// Applies reloads, one after the other. Never returns.
pub(super) async fn apply(
    mut reloads: Reloads,
    app: &Arc<App>,
    started: &Settings,
    setup: &watch::Sender<ConnectionSetup>,
) {
    while let Some(Reload { settings, done }) = reloads.recv().await {
        // Whatever the settings are: a token may have been removed.
        let files = Arc::clone(app);
        let read = on_own_thread("antiphon-reload", move || files.reload_files());
        if let Err(error) = read.await {
            tracing::error!("the files were not read again: {error}");
        }
        if let Some(new) = settings {
            apply_settings(&new, app, started, setup);
        }
        if let Some(done) = done {
            // Whoever waits may have gone.
            let _ = done.send(());
        }
    }
    std::future::pending().await
}

fn apply_settings(
    new: &Settings,
    app: &App,
    started: &Settings,
    setup: &watch::Sender<ConnectionSetup>,
) {
    for name in fixed_changes(started, new) {
        tracing::warn!("`{name}` has changed: that needs a restart");
    }
    let checked = new.check().and_then(|()| app.check_exposure(new));
    match checked.and_then(|()| app.check_costs(new)) {
        Ok(()) => {
            setup.send_replace(app.setup(new));
            tracing::info!("the new settings hold for connections to come");
        }
        Err(error) => tracing::error!("the settings stay as they are: {error}"),
    }
}

/// The names of the settings that differ, of those that hold until a server ends.
fn fixed_changes(old: &Settings, new: &Settings) -> impl Iterator<Item = &'static str> + use<> {
    let (old_run, new_run) = (&old.supervision, &new.supervision);
    let changes = [
        ("bind", old.bind != new.bind),
        ("tls-cert", old.tls_cert != new.tls_cert),
        ("tls-key", old.tls_key != new.tls_key),
        ("tls-client-ca", old.tls_client_ca != new.tls_client_ca),
        (
            "tls-client-required",
            old.tls_client_required != new.tls_client_required,
        ),
        ("auth-tokens", old.auth_tokens != new.auth_tokens),
        ("auth-jwks", old.auth_jwks != new.auth_jwks),
        ("auth-jwks-ca", old.auth_jwks_ca != new.auth_jwks_ca),
        ("auth-issuer", old.auth_issuer != new.auth_issuer),
        ("auth-audience", old.auth_audience != new.auth_audience),
        ("audit-log", old.audit_log != new.audit_log),
        (
            "admin-token-file",
            old.admin_token_file != new.admin_token_file,
        ),
        (
            "max-connections",
            old.max_connections != new.max_connections,
        ),
        (
            "max-connections-per-ip",
            old.max_connections_per_ip != new.max_connections_per_ip,
        ),
        (
            "max-request-memory",
            old.max_request_memory != new.max_request_memory,
        ),
        (
            "max-response-memory",
            old.max_response_memory != new.max_response_memory,
        ),
        (
            "graceful-timeout",
            old.graceful_timeout != new.graceful_timeout,
        ),
        ("workers", old_run.workers != new_run.workers),
        ("pid-file", old_run.pid_file != new_run.pid_file),
    ];
    let changed = changes.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_that_a_running_server_cannot_change_are_named() {
        let change = |change: fn(&mut Settings)| {
            let old = Settings::default();
            let mut new = old.clone();
            change(&mut new);
            fixed_changes(&old, &new).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(change(|_| ()), "");
        assert_eq!(change(|s| s.max_request = 9), "");
        assert_eq!(change(|s| s.allow_host.push("a".into())), "");
        assert_eq!(change(|s| s.auth_tokens = Some("a".into())), "auth-tokens");
        assert_eq!(
            change(|s| {
                s.auth_jwks = Some("a".into());
                s.auth_jwks_ca = Some("b".into());
                s.tls_key = Some("c".into());
                s.max_response_memory = 1;
                s.supervision.workers = 2;
            }),
            "tls-key auth-jwks auth-jwks-ca max-response-memory workers"
        );
    }
}
