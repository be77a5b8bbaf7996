//! The arguments of a server that is a program of its own, and the file that may hold them.
//!
//! What is said later wins: the builder, then the file, then the environment, then the flags.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::server::error::ServeError;
use crate::server::settings::{Profile, Settings};

/// The flags of a server. A program with flags of its own flattens them into its own and passes
/// them to [`Server::start_with`](crate::Server::start_with).
///
/// ```no_run
/// use antiphon::{Router, ServeArgs, Server};
/// use clap::Parser;
///
/// #[derive(Parser)]
/// struct Args {
///     /// What to greet with.
///     #[arg(long, default_value = "hello")]
///     greeting: String,
///     #[command(flatten)]
///     serve: ServeArgs,
/// }
///
/// fn main() -> std::process::ExitCode {
///     let args = Args::parse();
///     let greeting = args.greeting;
///     let router = Router::default().method_fn("greet", move || greeting.clone());
///     Server::new(router).start_with(args.serve)
/// }
/// ```
#[derive(clap::Args, Deserialize, Clone, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ServeArgs {
    /// Addresses to listen on; port 0 picks a free one [default: 127.0.0.1:8060]
    #[arg(
        short,
        long,
        value_name = "HOST:PORT",
        env = "ANTIPHON_BIND",
        value_delimiter = ','
    )]
    pub bind: Vec<String>,

    /// Threads of the runtime [default: as many as cores]
    #[arg(long, value_name = "N", env = "ANTIPHON_THREADS")]
    pub threads: Option<usize>,

    /// A TOML file with these settings; read again on SIGHUP
    #[arg(short, long, value_name = "FILE", env = "ANTIPHON_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Who counts as a local caller: `auto`, or `public` for nobody (behind a proxy)
    #[arg(long, value_name = "PROFILE", env = "ANTIPHON_PROFILE")]
    pub profile: Option<Profile>,

    /// Host names to answer to, besides the loopback ones
    #[arg(
        long,
        value_name = "NAME",
        env = "ANTIPHON_ALLOW_HOST",
        value_delimiter = ','
    )]
    pub allow_host: Vec<String>,

    /// Origins of web pages that may call, e.g. `https://app.example`
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "ANTIPHON_ALLOW_ORIGIN",
        value_delimiter = ','
    )]
    pub allow_origin: Vec<String>,

    /// Let anybody call a server that others than this machine can reach
    #[arg(long, env = "ANTIPHON_ALLOW_UNAUTHENTICATED_PUBLIC")]
    pub allow_unauthenticated_public: bool,

    /// Time for one call [default: 30s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_CALL_TIMEOUT")]
    pub call_timeout: Option<Wait>,

    /// Time between an answer and the next request of a connection [default: 75s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_IDLE_TIMEOUT")]
    pub idle_timeout: Option<Wait>,

    /// Time for calls in flight when the server is told to stop [default: 30s]
    #[arg(long, value_name = "TIME", env = "ANTIPHON_GRACEFUL_TIMEOUT")]
    pub graceful_timeout: Option<Wait>,

    /// Connections at the same time [default: 10000]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_CONNECTIONS")]
    pub max_connections: Option<usize>,

    /// Calls that may wait at the same time [default: 1024]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_IN_FLIGHT")]
    pub max_in_flight: Option<usize>,

    /// Entries in a batch [default: 100]
    #[arg(long, value_name = "N", env = "ANTIPHON_MAX_BATCH")]
    pub max_batch: Option<usize>,

    /// Size of a request [default: 10MiB]
    #[arg(long, value_name = "SIZE", env = "ANTIPHON_MAX_REQUEST")]
    pub max_request: Option<Size>,

    /// Size of a result [default: 10MiB]
    #[arg(long, value_name = "SIZE", env = "ANTIPHON_MAX_RESPONSE")]
    pub max_response: Option<Size>,

    /// What to log: `error`, `warn`, `info`, `debug`, `trace`, or `off` [default: info]
    #[arg(long, value_name = "LEVEL", env = "ANTIPHON_LOG")]
    pub log: Option<String>,
}

impl ServeArgs {
    /// The same arguments with what the file says where nothing else was said.
    pub(super) fn with_file(self) -> Result<Self, ServeError> {
        let Some(path) = &self.config else {
            return Ok(self);
        };
        let file = read(path)?;
        let list = |ours: Vec<String>, file: Vec<String>| if ours.is_empty() { file } else { ours };
        Ok(Self {
            bind: list(self.bind, file.bind),
            threads: self.threads.or(file.threads),
            profile: self.profile.or(file.profile),
            allow_host: list(self.allow_host, file.allow_host),
            allow_origin: list(self.allow_origin, file.allow_origin),
            allow_unauthenticated_public: self.allow_unauthenticated_public
                || file.allow_unauthenticated_public,
            call_timeout: self.call_timeout.or(file.call_timeout),
            idle_timeout: self.idle_timeout.or(file.idle_timeout),
            graceful_timeout: self.graceful_timeout.or(file.graceful_timeout),
            max_connections: self.max_connections.or(file.max_connections),
            max_in_flight: self.max_in_flight.or(file.max_in_flight),
            max_batch: self.max_batch.or(file.max_batch),
            max_request: self.max_request.or(file.max_request),
            max_response: self.max_response.or(file.max_response),
            log: self.log.or(file.log),
            config: self.config,
        })
    }

    /// Puts what was said over what the builder has.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<(), ServeError> {
        if !self.bind.is_empty() {
            settings.bind.clone_from(&self.bind);
        }
        settings.allow_host.extend_from_slice(&self.allow_host);
        settings.allow_origin.extend_from_slice(&self.allow_origin);
        settings.allow_unauthenticated_public |= self.allow_unauthenticated_public;
        set(&mut settings.profile, self.profile);
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
        if let Some(Wait(time)) = self.graceful_timeout {
            settings.graceful_timeout = time.ok_or_else(|| {
                ServeError::BadSetting("graceful-timeout must be a time, not `none`".to_owned())
            })?;
        }
        Ok(())
    }
}

fn set<T>(setting: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *setting = said;
    }
}

fn read(path: &Path) -> Result<ServeArgs, ServeError> {
    let bad = |reason: String| ServeError::BadSetting(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    toml::from_str(&text).map_err(|error| bad(error.to_string()))
}

/// A time: `30`, `30s`, `500ms`, `2m`, or `none` for no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait(pub Option<Duration>);

impl FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let bad = || format!("{text:?} is no time; write 30s, 500ms, 2m or none");
        let (number, unit) = split(text);
        let number: u64 = number.parse().map_err(|_| bad())?;
        let milliseconds = match unit {
            "ms" => Some(number),
            "" | "s" => number.checked_mul(1000),
            "m" | "min" => number.checked_mul(60_000),
            _ => None,
        };
        Ok(Self(Some(Duration::from_millis(
            milliseconds.ok_or_else(bad)?,
        ))))
    }
}

/// A size: `4096`, `64KiB`, `10MiB`, `1GiB`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no size; write 4096, 64KiB, 10MiB or 1GiB");
        let (number, unit) = split(text);
        let number: usize = number.parse().map_err(|_| bad())?;
        let factor: usize = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(bad()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(bad)
    }
}

/// A number and its unit.
fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "public" => Ok(Self::Public),
            _ => Err(format!("{text:?} is no profile; write auto or public")),
        }
    }
}

/// In a file each of them is written as in a flag; a bare number will do.
fn from_file<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(d: D) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    let text = match Written::deserialize(d)? {
        Written::Number(number) => number.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_file(d)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_file(d)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_file(d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_with_their_units() {
        let time = |text: &str| {
            text.parse::<Wait>()
                .map(|Wait(time)| time.map(|t| t.as_millis()))
        };
        assert_eq!(time("30"), Ok(Some(30_000)));
        assert_eq!(time("30s"), Ok(Some(30_000)));
        assert_eq!(time("500ms"), Ok(Some(500)));
        assert_eq!(time("2m"), Ok(Some(120_000)));
        assert_eq!(time("none"), Ok(None));
        for bad in ["", "s", "-1s", "1h", "1.5s", "99999999999999999999"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        let size = |text: &str| text.parse::<Size>().map(|Size(bytes)| bytes);
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("10MiB"), Ok(10 << 20));
        for bad in ["", "MiB", "10 TB", "10mb", "99999999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

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
        let merged = flags.with_file().unwrap();
        std::fs::remove_file(path).unwrap();
        let mut settings = Settings::default();
        settings.max_connections = 3;
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
