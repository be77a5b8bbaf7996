//! Settings from the command line, the environment and the settings file.
//!
//! Precedence, lowest first: the builder, the file, the environment, the flags.

use std::path::Path;
use std::time::Duration;

use crate::program::args::ServeArgs;
use crate::program::units::{Size, Wait};
use crate::server::{ServeError, Settings};

impl ServeArgs {
    /// Reads the settings file, if one is configured.
    pub(super) fn read_file(&self) -> Result<Option<String>, ServeError> {
        let Some(path) = &self.config else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path).map_err(|error| bad(path, &error))?;
        Ok(Some(text))
    }

    /// Fills arguments that are not set with values from the text of the settings file.
    pub(super) fn with_text(self, text: Option<&str>) -> Result<Self, ServeError> {
        let (Some(path), Some(text)) = (&self.config, text) else {
            return Ok(self);
        };
        let file: Self = toml::from_str(text).map_err(|error| bad(path, &error))?;
        // A list from flags or environment replaces that of the file.
        let list = |ours: Vec<String>, file: Vec<String>| if ours.is_empty() { file } else { ours };
        Ok(Self {
            bind: list(self.bind, file.bind),
            stdio: self.stdio,
            workers: self.workers.or(file.workers),
            admin_token_file: self.admin_token_file.or(file.admin_token_file),
            control: self.control.or(file.control),
            pid_file: self.pid_file.or(file.pid_file),
            worker_timeout: self.worker_timeout.or(file.worker_timeout),
            boot_timeout: self.boot_timeout.or(file.boot_timeout),
            max_requests: self.max_requests.or(file.max_requests),
            threads: self.threads.or(file.threads),
            profile: self.profile.or(file.profile),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            allow_host: list(self.allow_host, file.allow_host),
            allow_origin: list(self.allow_origin, file.allow_origin),
            allow_unauthenticated_public: self.allow_unauthenticated_public
                || file.allow_unauthenticated_public,
            page: self.page.or(file.page),
            metrics: self.metrics.or(file.metrics),
            call_timeout: self.call_timeout.or(file.call_timeout),
            idle_timeout: self.idle_timeout.or(file.idle_timeout),
            graceful_timeout: self.graceful_timeout.or(file.graceful_timeout),
            max_connections: self.max_connections.or(file.max_connections),
            max_in_flight: self.max_in_flight.or(file.max_in_flight),
            max_batch: self.max_batch.or(file.max_batch),
            max_request: self.max_request.or(file.max_request),
            max_response: self.max_response.or(file.max_response),
            header_timeout: self.header_timeout.or(file.header_timeout),
            body_timeout: self.body_timeout.or(file.body_timeout),
            write_timeout: self.write_timeout.or(file.write_timeout),
            batch_timeout: self.batch_timeout.or(file.batch_timeout),
            batch_concurrency: self.batch_concurrency.or(file.batch_concurrency),
            max_batch_response: self.max_batch_response.or(file.max_batch_response),
            max_connections_per_ip: self.max_connections_per_ip.or(file.max_connections_per_ip),
            max_request_memory: self.max_request_memory.or(file.max_request_memory),
            max_headers: self.max_headers.or(file.max_headers),
            max_header_size: self.max_header_size.or(file.max_header_size),
            max_streams: self.max_streams.or(file.max_streams),
            log: self.log.or(file.log),
            config: self.config,
        })
    }

    /// Applies the arguments on top of the builder's settings.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), ServeError> {
        if !self.bind.is_empty() {
            settings.bind.clone_from(&self.bind);
        }
        settings.allow_host.extend_from_slice(&self.allow_host);
        settings.allow_origin.extend_from_slice(&self.allow_origin);
        settings.allow_unauthenticated_public |= self.allow_unauthenticated_public;
        set(&mut settings.profile, self.profile);
        {
            set(&mut settings.tls_cert, self.tls_cert.clone().map(Some));
            set(&mut settings.tls_key, self.tls_key.clone().map(Some));
        }
        set(&mut settings.page, self.page.map(Some));
        set(&mut settings.metrics, self.metrics.map(Some));
        set(&mut settings.max_connections, self.max_connections);
        set(
            &mut settings.max_request,
            self.max_request.map(|Size(bytes)| bytes),
        );
        set(
            &mut settings.idle_timeout,
            self.idle_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.calls.call_timeout,
            self.call_timeout.map(|Wait(time)| time),
        );
        set(&mut settings.calls.max_in_flight, self.max_in_flight);
        set(&mut settings.calls.max_batch, self.max_batch);
        set(
            &mut settings.calls.max_response,
            self.max_response.map(|Size(bytes)| bytes),
        );
        set(
            &mut settings.header_timeout,
            self.header_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.body_timeout,
            self.body_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.write_timeout,
            self.write_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.calls.batch_timeout,
            self.batch_timeout.map(|Wait(time)| time),
        );
        set(
            &mut settings.calls.batch_concurrency,
            self.batch_concurrency,
        );
        set(
            &mut settings.calls.max_batch_response,
            self.max_batch_response.map(|Size(bytes)| bytes),
        );
        set(
            &mut settings.max_connections_per_ip,
            self.max_connections_per_ip,
        );
        set(
            &mut settings.max_request_memory,
            self.max_request_memory.map(|Size(bytes)| bytes),
        );
        set(&mut settings.max_headers, self.max_headers);
        set(
            &mut settings.max_header_size,
            self.max_header_size.map(|Size(bytes)| bytes),
        );
        set(&mut settings.max_streams, self.max_streams);
        settings.graceful_timeout = finite(
            self.graceful_timeout,
            settings.graceful_timeout,
            "graceful-timeout",
        )?;
        set(
            &mut settings.admin_token_file,
            self.admin_token_file.clone().map(Some),
        );
        self.apply_supervision(&mut settings.supervision)?;
        Ok(())
    }

    fn apply_supervision(
        &self,
        supervision: &mut crate::server::Supervision,
    ) -> Result<(), ServeError> {
        set(&mut supervision.workers, self.workers);
        set(&mut supervision.control, self.control.clone().map(Some));
        set(&mut supervision.pid_file, self.pid_file.clone().map(Some));
        set(
            &mut supervision.worker_timeout,
            self.worker_timeout.map(|Wait(time)| time),
        );
        supervision.boot_timeout =
            finite(self.boot_timeout, supervision.boot_timeout, "boot-timeout")?;
        set(&mut supervision.max_requests, self.max_requests.map(Some));
        Ok(())
    }
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

/// A duration for which `none` is not allowed.
fn finite(given: Option<Wait>, current: Duration, name: &str) -> Result<Duration, ServeError> {
    match given {
        None => Ok(current),
        Some(Wait(Some(time))) => Ok(time),
        Some(Wait(None)) => Err(ServeError::BadSetting(format!(
            "{name} must be a time, not `none`"
        ))),
    }
}

fn bad(path: &Path, reason: &dyn std::fmt::Display) -> ServeError {
    ServeError::BadSetting(format!("{}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_below_flags_and_above_the_builder() {
        let file: ServeArgs = toml::from_str(
            "bind = [\"127.0.0.1:1\"]\nmax-batch = 7\ncall-timeout = \"5s\"\nmax-request = 1000\n",
        )
        .unwrap();
        let path = std::env::temp_dir().join(format!("antiphon-{}.toml", std::process::id()));
        std::fs::write(
            &path,
            "bind = [\"127.0.0.1:1\"]\nmax-batch = 7\ncall-timeout = 5\n",
        )
        .unwrap();
        let flags = ServeArgs {
            max_batch: Some(9),
            config: Some(path.clone()),
            ..ServeArgs::default()
        };
        let text = flags.read_file().unwrap();
        let merged = flags.with_text(text.as_deref()).unwrap();
        std::fs::remove_file(path).unwrap();
        let mut settings = Settings {
            max_connections: 3,
            ..Settings::default()
        };
        merged.apply(&mut settings).unwrap();
        assert_eq!(settings.bind, ["127.0.0.1:1"]);
        assert_eq!(settings.calls.max_batch, 9);
        assert_eq!(settings.calls.call_timeout, Some(Duration::from_secs(5)));
        assert_eq!(settings.max_connections, 3);
        assert_eq!(file.max_request, Some(Size(1000)));
    }

    #[test]
    fn a_file_with_a_word_we_do_not_know_is_refused() {
        let error = toml::from_str::<ServeArgs>("max-bacth = 7").unwrap_err();
        assert!(error.to_string().contains("max-bacth"), "{error}");
        assert!(toml::from_str::<ServeArgs>("call-timeout = \"soon\"").is_err());
    }
}
