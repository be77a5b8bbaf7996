//! Settings from the command line, the environment and the settings file.
//!
//! What is said later wins: the builder, then the file, then the environment, then the flags.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::files::read::read_text;
use crate::program::args::ServeArgs;
use crate::program::units::{ByteSize, CallRate, TimeLimit};
use crate::rate_limit::RateLimit;
use crate::server::{ServeError, Settings};

/// Size limit of the settings file in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The settings file, and the command line and environment over it.
pub(super) struct SettingSources {
    file: ServeArgs,
    pub(super) flags: ServeArgs,
}

impl SettingSources {
    /// Applies the file, then the flags, to the settings of the builder.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), ServeError> {
        self.file.apply(settings)?;
        self.flags.apply(settings)?;
        let rate = self.flags.rate_limit.or(self.file.rate_limit);
        let burst = self.flags.rate_burst.or(self.file.rate_burst);
        settings.rate_limit = rate_limit(settings.rate_limit, rate, burst)?;
        Ok(())
    }
}

/// The rate limit of the builder, changed by a rate and a burst, which may come from different places.
/// A new rate has a burst of its own.
fn rate_limit(
    known: Option<RateLimit>,
    rate: Option<CallRate>,
    burst: Option<u32>,
) -> Result<Option<RateLimit>, ServeError> {
    let limit = match rate {
        Some(CallRate(None)) => return Ok(None),
        Some(CallRate(limit)) => limit,
        None => known,
    };
    match (limit, burst) {
        (Some(limit), Some(burst)) => Ok(Some(limit.burst(burst))),
        (None, Some(burst)) => Err(ServeError::BadSetting(format!(
            "`rate-burst` cannot be {burst}: there is no `rate-limit` that it belongs to"
        ))),
        (limit, None) => Ok(limit),
    }
}

impl ServeArgs {
    /// Reads a table of the settings file that is the program's own: what the file has under `[name]`.
    /// Without a file, or without that table, it is the default. What else the file has stays what the
    /// server's settings are; a table that nobody reads is an error.
    ///
    /// ```
    /// use antiphon::ServeArgs;
    ///
    /// #[derive(serde::Deserialize, Default)]
    /// #[serde(deny_unknown_fields)]
    /// struct Greeting {
    ///     text: String,
    /// }
    ///
    /// let mut args = ServeArgs::default();
    /// let greeting: Greeting = args.section("greeting")?;
    /// assert_eq!(greeting.text, "", "there is no settings file");
    /// # Ok::<(), antiphon::ServeError>(())
    /// ```
    ///
    /// It is read once: a reload of the settings does not change it, except that new workers read it, too.
    ///
    /// # Errors
    ///
    /// [`ServeError::BadSetting`] if the file cannot be read, is no TOML, or the table is no `T`.
    pub fn section<T>(&mut self, name: &str) -> Result<T, ServeError>
    where
        T: DeserializeOwned + Default,
    {
        self.sections.push(name.to_owned());
        let (Some(path), Some(text)) = (&self.config, self.read_file()?) else {
            return Ok(T::default());
        };
        let table: toml::Table = toml::from_str(&text).map_err(|error| bad(path, &error))?;
        let own = match table.get(name) {
            Some(own) => own.clone().try_into(),
            None => return Ok(T::default()),
        };
        own.map_err(|error| {
            let reason = error.to_string();
            bad(path, &format_args!("[{name}]: {}", reason.trim_end()))
        })
    }

    /// The settings in this text, without the tables that the program reads itself.
    fn parse(&self, text: &str) -> Result<Self, toml::de::Error> {
        if self.sections.is_empty() {
            return toml::from_str(text);
        }
        let mut table: toml::Table = toml::from_str(text)?;
        for name in &self.sections {
            table.remove(name);
        }
        table.try_into()
    }

    /// The text of the settings file, if there is one.
    pub(super) fn read_file(&self) -> Result<Option<String>, ServeError> {
        let Some(path) = &self.config else {
            return Ok(None);
        };
        let text = read_text(path, MAX_FILE).map_err(|error| bad(path, &error))?;
        Ok(Some(text))
    }

    /// These arguments over what the text of the settings file says.
    pub(super) fn with_file(mut self, text: Option<&str>) -> Result<SettingSources, ServeError> {
        let mut file = match (&self.config, text) {
            (Some(path), Some(text)) => self.parse(text).map_err(|error| bad(path, &error))?,
            _ => Self::default(),
        };
        // Lists add to what the builder has, but one of a flag replaces that of the file.
        for (flags, file) in [
            (&self.allow_host, &mut file.allow_host),
            (&self.allow_origin, &mut file.allow_origin),
            (&self.trusted_proxy, &mut file.trusted_proxy),
        ] {
            if !flags.is_empty() {
                file.clear();
            }
        }
        // These are no settings of the server.
        self.threads = self.threads.or(file.threads);
        self.log = self.log.or(file.log.take());
        Ok(SettingSources { file, flags: self })
    }

    /// Sets whatever is given here.
    fn apply(&self, settings: &mut Settings) -> Result<(), ServeError> {
        if !self.bind.is_empty() {
            settings.bind.clone_from(&self.bind);
        }
        settings.allow_host.extend_from_slice(&self.allow_host);
        settings.allow_origin.extend_from_slice(&self.allow_origin);
        (settings.trusted_proxies).extend_from_slice(&self.trusted_proxy);
        settings.allow_unauthenticated_public |= self.allow_unauthenticated_public;
        set(&mut settings.profile, self.profile);
        set(&mut settings.tls_cert, self.tls_cert.clone().map(Some));
        set(&mut settings.tls_key, self.tls_key.clone().map(Some));
        set(&mut settings.page, self.page.map(Some));
        set(&mut settings.metrics, self.metrics.map(Some));
        set(&mut settings.max_connections, self.max_connections);
        set(&mut settings.max_request, bytes(self.max_request));
        set(&mut settings.idle_timeout, time(self.idle_timeout));
        set(&mut settings.calls.call_timeout, time(self.call_timeout));
        set(&mut settings.calls.max_in_flight, self.max_in_flight);
        set(
            &mut settings.calls.max_in_flight_per_caller,
            self.max_in_flight_per_caller.map(Some),
        );
        set(&mut settings.calls.max_batch, self.max_batch);
        set(&mut settings.calls.max_values, self.max_values);
        set(&mut settings.calls.max_response, bytes(self.max_response));
        set(&mut settings.header_timeout, time(self.header_timeout));
        set(&mut settings.body_timeout, time(self.body_timeout));
        set(&mut settings.write_timeout, time(self.write_timeout));
        set(&mut settings.calls.batch_timeout, time(self.batch_timeout));
        set(
            &mut settings.calls.batch_concurrency,
            self.batch_concurrency,
        );
        set(
            &mut settings.calls.max_batch_response,
            bytes(self.max_batch_response),
        );
        set(
            &mut settings.max_connections_per_ip,
            self.max_connections_per_ip,
        );
        set(
            &mut settings.max_request_memory,
            bytes(self.max_request_memory),
        );
        set(
            &mut settings.max_response_memory,
            bytes(self.max_response_memory),
        );
        set(&mut settings.max_headers, self.max_headers);
        set(&mut settings.max_header_size, bytes(self.max_header_size));
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
        set(&mut settings.audit_log, self.audit_log.clone().map(Some));
        #[cfg(feature = "auth")]
        self.apply_authentication(settings);
        self.apply_supervision(&mut settings.supervision)?;
        Ok(())
    }

    #[cfg(feature = "auth")]
    fn apply_authentication(&self, settings: &mut Settings) {
        set(
            &mut settings.auth_tokens,
            self.auth_tokens.clone().map(Some),
        );
        set(&mut settings.auth_jwks, self.auth_jwks.clone().map(Some));
        set(
            &mut settings.auth_jwks_ca,
            self.auth_jwks_ca.clone().map(Some),
        );
        set(
            &mut settings.auth_issuer,
            self.auth_issuer.clone().map(Some),
        );
        set(
            &mut settings.auth_audience,
            self.auth_audience.clone().map(Some),
        );
        set(
            &mut settings.tls_client_ca,
            self.tls_client_ca.clone().map(Some),
        );
        settings.tls_client_required |= self.tls_client_required;
    }

    fn apply_supervision(
        &self,
        supervision: &mut crate::server::Supervision,
    ) -> Result<(), ServeError> {
        set(&mut supervision.workers, self.workers);
        set(&mut supervision.control, self.control.clone().map(Some));
        set(&mut supervision.pid_file, self.pid_file.clone().map(Some));
        set(&mut supervision.worker_timeout, time(self.worker_timeout));
        supervision.boot_timeout =
            finite(self.boot_timeout, supervision.boot_timeout, "boot-timeout")?;
        set(&mut supervision.max_requests, self.max_requests.map(Some));
        Ok(())
    }
}

fn set<T>(setting: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *setting = said;
    }
}

fn time(said: Option<TimeLimit>) -> Option<Option<Duration>> {
    said.map(|TimeLimit(time)| time)
}

fn bytes(said: Option<ByteSize>) -> Option<usize> {
    said.map(|ByteSize(bytes)| bytes)
}

/// A time that cannot be `none`.
fn finite(said: Option<TimeLimit>, known: Duration, name: &str) -> Result<Duration, ServeError> {
    match said {
        None => Ok(known),
        Some(TimeLimit(Some(time))) => Ok(time),
        Some(TimeLimit(None)) => Err(ServeError::BadSetting(format!(
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
            "bind = [\"127.0.0.1:1\"]\nmax-batch = 7\ncall-timeout = 5\nmax-values = 6\n\
             max-in-flight-per-caller = 3\n",
        )
        .unwrap();
        let flags = ServeArgs {
            max_batch: Some(9),
            config: Some(path.clone()),
            ..ServeArgs::default()
        };
        let text = flags.read_file().unwrap();
        let layers = flags.with_file(text.as_deref()).unwrap();
        std::fs::remove_file(path).unwrap();
        let mut settings = Settings {
            max_connections: 3,
            ..Settings::default()
        };
        layers.apply(&mut settings).unwrap();
        assert_eq!(settings.bind, ["127.0.0.1:1"]);
        assert_eq!(settings.calls.max_batch, 9);
        assert_eq!(settings.calls.call_timeout, Some(Duration::from_secs(5)));
        assert_eq!(settings.calls.max_values, 6);
        assert_eq!(settings.calls.max_in_flight_per_caller, Some(3));
        assert_eq!(settings.max_connections, 3);
        assert_eq!(file.max_request, Some(ByteSize(1000)));
    }

    #[test]
    fn a_list_of_a_flag_replaces_that_of_the_file_and_adds_to_the_builders() {
        let hosts = |flag: &[&str], file: &str| {
            let flags = ServeArgs {
                allow_host: flag.iter().map(|host| (*host).to_owned()).collect(),
                config: Some("settings.toml".into()),
                ..ServeArgs::default()
            };
            let mut settings = Settings {
                allow_host: vec!["builder".to_owned()],
                ..Settings::default()
            };
            let layers = flags.with_file(Some(file)).unwrap();
            layers.apply(&mut settings).unwrap();
            settings.allow_host.join(" ")
        };
        let file = "allow-host = [\"file\"]";
        assert_eq!(hosts(&[], ""), "builder");
        assert_eq!(hosts(&[], file), "builder file");
        assert_eq!(hosts(&["flag"], file), "builder flag");
    }

    #[test]
    fn a_rate_and_its_burst_may_come_from_different_places() {
        let ten = RateLimit::per_second(10);
        let minute = RateLimit::per_minute(600);
        // Of the builder, the file and the flags.
        for (builder, file, rate, burst, expected) in [
            (None, "", None, None, Ok(None)),
            (Some(ten), "", None, None, Ok(Some(ten))),
            (None, "rate-limit = \"10/s\"", None, None, Ok(Some(ten))),
            (
                None,
                "rate-limit = \"600/m\"",
                Some("10/s"),
                None,
                Ok(Some(ten)),
            ),
            (
                Some(ten),
                "rate-burst = 20",
                None,
                None,
                Ok(Some(ten.burst(20))),
            ),
            (
                Some(ten.burst(9)),
                "rate-limit = \"600/m\"",
                None,
                None,
                Ok(Some(minute)),
            ),
            (
                None,
                "rate-burst = 20",
                Some("600/m"),
                None,
                Ok(Some(minute.burst(20))),
            ),
            (
                None,
                "rate-limit = \"10/s\"\nrate-burst = 20",
                None,
                Some(30),
                Ok(Some(ten.burst(30))),
            ),
            (Some(ten), "rate-burst = 20", Some("none"), None, Ok(None)),
            (None, "rate-limit = \"none\"", None, None, Ok(None)),
            (None, "rate-burst = 20", None, None, Err("there is no")),
            (None, "", None, Some(3), Err("`rate-burst` cannot be 3")),
            (None, "rate-limit = 10", None, None, Err("write 100/s")),
            (None, "rate-limit = \"10\"", None, None, Err("is no rate")),
            (None, "rate-burst = -1", None, None, Err("rate-burst")),
        ] {
            let flags = ServeArgs {
                rate_limit: rate.map(|text| text.parse().unwrap()),
                rate_burst: burst,
                config: Some("settings.toml".into()),
                ..ServeArgs::default()
            };
            let mut settings = Settings {
                rate_limit: builder,
                ..Settings::default()
            };
            let layers = flags.with_file(Some(file));
            let applied = layers.and_then(|layers| layers.apply(&mut settings));
            match (applied, expected) {
                (Ok(()), Ok(limit)) => assert_eq!(settings.rate_limit, limit, "{file}"),
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{error}");
                }
                (applied, expected) => panic!("{file}: {applied:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn trusted_proxies_are_a_list_like_the_others() {
        let proxies = |flag: &[&str], file: &str| {
            let flags = ServeArgs {
                trusted_proxy: flag.iter().map(|proxy| (*proxy).to_owned()).collect(),
                config: Some("settings.toml".into()),
                ..ServeArgs::default()
            };
            let mut settings = Settings {
                trusted_proxies: vec!["::1".to_owned()],
                ..Settings::default()
            };
            let layers = flags.with_file(Some(file)).unwrap();
            layers.apply(&mut settings).unwrap();
            settings.trusted_proxies.join(" ")
        };
        let file = "trusted-proxy = [\"unix\"]";
        assert_eq!(proxies(&[], ""), "::1");
        assert_eq!(proxies(&[], file), "::1 unix");
        assert_eq!(proxies(&["10.0.0.0/8"], file), "::1 10.0.0.0/8");
    }

    #[test]
    fn a_file_with_a_word_we_do_not_know_is_refused() {
        let error = toml::from_str::<ServeArgs>("max-bacth = 7").unwrap_err();
        assert!(error.to_string().contains("max-bacth"), "{error}");
        assert!(toml::from_str::<ServeArgs>("call-timeout = \"soon\"").is_err());
    }

    #[test]
    fn a_table_of_the_program_is_no_setting_of_the_server() {
        #[derive(serde::Deserialize, Default, PartialEq, Debug)]
        #[serde(deny_unknown_fields, default)]
        struct Own {
            text: String,
        }
        let path = std::env::temp_dir().join(format!("antiphon-own-{}.toml", std::process::id()));
        for (text, name, expected) in [
            ("max-batch = 7", "own", Ok("")),
            ("max-batch = 7\n[own]\ntext = \"x\"", "own", Ok("x")),
            ("[own]", "own", Ok("")),
            ("[own]\ntext = 7", "own", Err("[own]: ")),
            ("[own]\nother = 7", "own", Err("other")),
            ("[other]\ntext = \"x\"", "own", Err("other")),
            ("own = 7", "own", Err("[own]: ")),
            ("max-batch = ", "own", Err("")),
        ] {
            std::fs::write(&path, text).unwrap();
            let mut flags = ServeArgs {
                config: Some(path.clone()),
                ..ServeArgs::default()
            };
            let own: Result<Own, _> = flags.section(name);
            let settings = own.and_then(|own| {
                let mut settings = Settings::default();
                let text = flags.read_file()?;
                let layers = flags.clone().with_file(text.as_deref())?;
                layers.apply(&mut settings)?;
                Ok((own, settings.calls.max_batch))
            });
            match (settings, expected) {
                (Ok((own, batch)), Ok(found)) => {
                    assert_eq!(own.text, found, "{text}");
                    assert_eq!(batch == 7, text.contains('7'), "{text}");
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
            }
        }
        std::fs::remove_file(path).unwrap();
    }
}
