//! One upstream: its name, its addresses, its clients.

use std::str::FromStr;

use antiphon::client::Remote;
use antiphon::{Address, Client, Gateway};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::options::UpstreamOptions;
use crate::exit::Failure;

/// Servers that serve the same.
#[derive(Deserialize, Clone, Debug)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct Upstream {
    /// What stands before the names of its methods.
    name: Option<String>,
    servers: Vec<String>,
    /// What its own names begin with, which callers do not see.
    namespace: Option<String>,
    /// The scopes that callers need, separated by spaces.
    scope: Option<String>,
    options: UpstreamOptions,
}

impl TryFrom<Map<String, Value>> for Upstream {
    type Error = String;

    /// Reads a table of the settings file. What is no member of an upstream has to be an option.
    fn try_from(mut table: Map<String, Value>) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Own {
            name: Option<String>,
            servers: Vec<String>,
            namespace: Option<String>,
            scope: Option<String>,
        }
        let own = ["name", "servers", "namespace", "scope"];
        let own = own.map(|key| table.remove_entry(key)).into_iter().flatten();
        let own: Own = serde_json::from_value(Value::Object(own.collect()))
            .map_err(|error| format!("an upstream: {error}"))?;
        let options = serde_json::from_value(Value::Object(table))
            .map_err(|error| format!("the upstream {:?}: {error}", own.servers))?;
        Ok(Self {
            name: own.name,
            servers: own.servers,
            namespace: own.namespace,
            scope: own.scope,
            options,
        })
    }
}

impl FromStr for Upstream {
    type Err = Failure;

    /// Reads `[NAME=]URL,…`. An address may have an equals sign in its query.
    fn from_str(text: &str) -> Result<Self, Failure> {
        let is_name = |name: &str| {
            let is_letter = |c: char| c.is_alphanumeric() || "._-".contains(c);
            !name.is_empty() && name.chars().all(is_letter)
        };
        let split = text.split_once('=').filter(|(name, _)| is_name(name));
        let (name, servers) = split.map_or((None, text), |(name, rest)| (Some(name), rest));
        let servers = Address::split_list(servers);
        if servers.iter().any(String::is_empty) {
            return Err(Failure::usage(format!("`{text}`: an address is missing")));
        }
        Ok(Self {
            name: name.map(str::to_owned),
            servers,
            namespace: None,
            scope: None,
            options: UpstreamOptions::default(),
        })
    }
}

impl Upstream {
    /// Adds the upstream to a gateway. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// If an address, a file or an option is unusable.
    pub(super) fn add_to(
        self,
        mut gateway: Gateway,
        defaults: &UpstreamOptions,
    ) -> Result<Gateway, Failure> {
        let options = self.options.over(defaults.clone());
        let clients = self.servers.iter().map(|url| options.client(url));
        let clients = clients.collect::<Result<Vec<_>, _>>()?;
        let mut client = Client::balanced(clients)?;
        if let Some(namespace) = self.namespace {
            client = client.namespace(&namespace);
        }
        for scope in self.scope.iter().flat_map(|text| text.split_whitespace()) {
            gateway = gateway.require_scope(self.name.clone().unwrap_or_default(), scope);
        }
        let remote = options.apply(Remote::of(client))?;
        Ok(match self.name {
            Some(name) => gateway.upstream_at(name, remote),
            None => gateway.upstream(remote),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_name_and_addresses() {
        for (text, expected) in [
            ("ws://a", Some("- ws://a")),
            ("ws://a,tcp://b:1", Some("- ws://a tcp://b:1")),
            ("calc=ws://a,:8060", Some("calc ws://a :8060")),
            ("a.b-c=:1", Some("a.b-c :1")),
            (
                "tcp://a:1?framing=content-length",
                Some("- tcp://a:1?framing=content-length"),
            ),
            (
                "x=tcp://a:1?framing=newline",
                Some("x tcp://a:1?framing=newline"),
            ),
            ("=ws://a", Some("- =ws://a")),
            (
                "x=nats://a,b/p?login=f,ws://c",
                Some("x nats://a,b/p?login=f ws://c"),
            ),
            ("", None),
            ("calc=", None),
            ("ws://a,", None),
        ] {
            let found = text.parse::<Upstream>().ok().map(|upstream| {
                let name = upstream.name.unwrap_or_else(|| "-".to_owned());
                format!("{name} {}", upstream.servers.join(" "))
            });
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_table_of_the_settings_file_has_members_and_options() {
        for (text, is_good) in [
            (r#"{"servers":["ws://a"]}"#, true),
            (
                r#"{"name":"eth","servers":["ws://a"],"namespace":"x","timeout":"1s"}"#,
                true,
            ),
            (r#"{"servers":[]}"#, true),
            ("{}", false),
            (r#"{"servers":"ws://a"}"#, false),
            (r#"{"servers":["ws://a"],"nmae":"eth"}"#, false),
        ] {
            let read = serde_json::from_str::<Upstream>(text);
            assert_eq!(read.is_ok(), is_good, "{text}: {read:?}");
        }
    }
}
