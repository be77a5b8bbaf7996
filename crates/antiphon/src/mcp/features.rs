//! Features of a server: what it can do beside tools, by the methods that its router has.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::version::Version;

/// A method of the protocol that is the user's: it has the protocol's name.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) name: &'static str,
    /// The members of the parameters that it gets.
    pub(super) members: &'static [&'static str],
    /// Whether clients may keep its result for a while.
    pub(super) is_kept: bool,
    /// Whether it is there in the versions before 2026-07-28 only.
    pub(super) is_old: bool,
}

const fn passed(name: &'static str, members: &'static [&'static str]) -> Passed {
    Passed {
        name,
        members,
        is_kept: false,
        is_old: false,
    }
}

const fn kept(name: &'static str, members: &'static [&'static str]) -> Passed {
    Passed {
        is_kept: true,
        ..passed(name, members)
    }
}

const fn old(name: &'static str, members: &'static [&'static str]) -> Passed {
    Passed {
        is_old: true,
        ..passed(name, members)
    }
}

/// All of them.
static PASSED: [Passed; 9] = [
    kept("resources/list", &["cursor"]),
    kept("resources/templates/list", &["cursor"]),
    kept("resources/read", &["uri"]),
    kept("prompts/list", &["cursor"]),
    passed("prompts/get", &["name", "arguments"]),
    passed("completion/complete", &["ref", "argument", "context"]),
    old("logging/setLevel", &["level"]),
    old("resources/subscribe", &["uri"]),
    old("resources/unsubscribe", &["uri"]),
];

/// What the names of the protocol's methods begin with. No tool has such a name.
const RESERVED: [&str; 11] = [
    "completion/",
    "elicitation/",
    "logging/",
    "notifications/",
    "prompts/",
    "resources/",
    "roots/",
    "sampling/",
    "server/",
    "subscriptions/",
    "tools/",
];

/// Whether a method of this name is the protocol's.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|prefix| name.starts_with(prefix))
}

/// The method of this name that is the user's, in this version.
pub(super) fn passed_on(name: &str, version: Version) -> Option<&'static Passed> {
    let found = PASSED.iter().find(|passed| passed.name == name);
    found.filter(|passed| !passed.is_old || !version.is_stateless())
}

/// What a server can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) resources: bool,
    pub(super) subscribe: bool,
    pub(super) prompts: bool,
    pub(super) completions: bool,
    pub(super) logging: bool,
}

impl Features {
    /// Those of a router with methods of these names.
    pub(super) fn of(names: &BTreeSet<String>) -> Self {
        let has = |name: &str| names.contains(name);
        Self {
            resources: has("resources/list") || has("resources/read"),
            subscribe: has("resources/subscribe"),
            prompts: has("prompts/list") || has("prompts/get"),
            completions: has("completion/complete"),
            logging: has("logging/setLevel"),
        }
    }

    /// As clients are told. `tells` is whether the server tells of changes.
    pub(super) fn capabilities(self, version: Version, tells: bool) -> Value {
        // Before 2026-07-28 there was no request that such a notification could have followed.
        let tells = tells && version.is_stateless();
        let list = || match tells {
            true => json!({"listChanged": true}),
            false => json!({}),
        };
        let mut all = Map::from_iter([("tools".to_owned(), list())]);
        if self.resources {
            let mut resources = list();
            if tells || (self.subscribe && !version.is_stateless()) {
                resources["subscribe"] = true.into();
            }
            all.insert("resources".to_owned(), resources);
        }
        if self.prompts {
            all.insert("prompts".to_owned(), list());
        }
        for (has, name) in [(self.completions, "completions"), (self.logging, "logging")] {
            if has {
                all.insert(name.to_owned(), json!({}));
            }
        }
        Value::Object(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_what_its_methods_are() {
        let names = ["resources/read", "resources/subscribe", "logging/setLevel"];
        let features = Features::of(&names.map(str::to_owned).into());
        let (old, new) = (Version::V2025_06_18, Version::V2026_07_28);
        for (version, tells, expected) in [
            (
                old,
                false,
                json!({"tools": {}, "resources": {"subscribe": true}, "logging": {}}),
            ),
            (
                old,
                true,
                json!({"tools": {}, "resources": {"subscribe": true}, "logging": {}}),
            ),
            (
                new,
                false,
                json!({"tools": {}, "resources": {}, "logging": {}}),
            ),
            (
                new,
                true,
                json!({
                    "tools": {"listChanged": true},
                    "resources": {"listChanged": true, "subscribe": true},
                    "logging": {},
                }),
            ),
        ] {
            assert_eq!(
                features.capabilities(version, tells),
                expected,
                "{version} {tells}"
            );
        }
        let none = Features::default().capabilities(old, false);
        assert_eq!(none, json!({"tools": {}}));
    }

    #[test]
    fn some_methods_are_no_more() {
        assert!(passed_on("resources/read", Version::V2026_07_28).is_some());
        assert!(passed_on("logging/setLevel", Version::V2026_07_28).is_none());
        assert!(passed_on("logging/setLevel", Version::V2025_11_25).is_some());
        assert!(passed_on("calc.add", Version::V2025_11_25).is_none());
        assert!(is_reserved("tools/x") && !is_reserved("tools.x"));
    }
}
