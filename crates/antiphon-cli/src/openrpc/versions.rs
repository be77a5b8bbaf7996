//! What older versions of OpenRPC wrote in another way.
//!
//! | version | what it has |
//! |---|---|
//! | 1.0.0-rc0, 1.0.0-rc1 | tags are names only |
//! | 1.0.0-rc1 to 1.2.5 | a parameter or a result may be one of several (`oneOf`) |
//! | up to 1.2.4 | `paramStructure` is `by-position` where a method has none; later it is `either` |
//! | 1.3.0 | a method without a result is a notification |

use super::value::Json;

/// A published version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    minor: u32,
    patch: u32,
}

/// The last minor version.
const NEWEST: u32 = 4;

impl Version {
    /// Reads `1.2.6`, `1.0.0-rc1`, or `1.2` for the last patch of a minor version. `None` if there
    /// is no such version.
    pub(super) fn of(text: &str) -> Option<Self> {
        let number = text.split(['-', '+']).next()?;
        let mut numbers = number.split('.').map(|number| number.parse::<u32>().ok());
        let version = match (numbers.next()??, numbers.next()??, numbers.next()) {
            (1, minor, patch) => Self {
                minor,
                patch: patch.unwrap_or(Some(u32::MAX))?,
            },
            _ => return None,
        };
        (version.minor <= NEWEST && numbers.next().is_none()).then_some(version)
    }

    /// How the parameters of a method are passed that does not say it; `None` for both ways.
    pub(super) fn passing(self) -> Option<&'static str> {
        ((self.minor, self.patch) < (2, 5)).then_some("by-position")
    }
}

/// A tag, which may be only its name. Null for one without a name.
pub(super) fn tag(tag: &Json) -> Json {
    match tag {
        Json::String(name) => named(name),
        tag if tag.text("name").is_none() && tag.text("$ref").is_none() => Json::Null,
        tag => tag.clone(),
    }
}

/// A named schema. Some write it as the `schema` of an object, like that of a parameter.
pub(super) fn schema(schema: &Json) -> Option<&Json> {
    let inner = schema
        .get("schema")
        .filter(|inner| matches!(inner, Json::Object(_)));
    let about = [
        "schema",
        "name",
        "title",
        "summary",
        "description",
        "required",
    ];
    let members = schema.members().iter();
    let mut others = members.filter(|(name, _)| !about.contains(&&**name));
    inner.filter(|_| others.next().is_none())
}

/// An example of a call. Some write its parameters by name, or values as they are, which no version
/// has.
pub(super) fn example(example: &Json) -> Json {
    if example.text("$ref").is_some() {
        return example.clone();
    }
    let own = ["params", "result"];
    let members = example
        .members()
        .iter()
        .filter(|(name, _)| !own.contains(&&**name));
    let members = members.filter_map(|(name, value)| Some((name.clone(), member(name, value)?)));
    let mut members: Vec<_> = members.collect();
    let mut by_name = false;
    let params = match example.get("params") {
        Some(Json::Object(params)) => {
            by_name = true;
            params
                .iter()
                .map(|(name, param)| value(name, param))
                .collect()
        }
        params => {
            let params = params.map_or(&[][..], Json::items).iter();
            params.map(|param| described(param, "")).collect()
        }
    };
    members.push(("params".to_owned(), Json::Array(params)));
    if by_name {
        members.push(("x-by-name".to_owned(), Json::Bool(true)));
    }
    if let Some(result) = example.get("result") {
        members.push(("result".to_owned(), described(result, "result")));
    }
    Json::Object(members)
}

/// An example of a value, which may be the value itself.
fn described(example: &Json, name: &str) -> Json {
    let is_described = ["$ref", "value", "externalValue"]
        .iter()
        .any(|member| example.get(member).is_some());
    match (is_described, example.text("$ref")) {
        (true, Some(_)) => example.clone(),
        (true, None) => {
            let name = example.text("name").unwrap_or(name);
            value(name, example.get("value").unwrap_or(&Json::Null))
        }
        (false, _) => value(name, example),
    }
}

fn value(name: &str, value: &Json) -> Json {
    Json::Object(vec![
        text("name", name),
        ("value".to_owned(), value.clone()),
    ])
}

/// Members that every object may have, in the form that they have: others write `null`, or a reason
/// in place of `true`. None if it says nothing.
pub(super) fn member(name: &str, value: &Json) -> Option<Json> {
    match (name, value) {
        (_, Json::Null) => None,
        ("deprecated" | "required", Json::String(text)) => {
            Some(Json::Bool(!text.is_empty() && text != "false"))
        }
        ("deprecated" | "required", Json::Bool(_)) => Some(value.clone()),
        ("deprecated" | "required", _) => None,
        ("summary" | "description" | "name", Json::String(_)) => Some(value.clone()),
        ("summary" | "description" | "name", _) => None,
        _ => Some(value.clone()),
    }
}

/// What a document says of itself, with a title even if it has none.
pub(super) fn info(info: &Json) -> Json {
    let texts = ["title", "description", "version"];
    let members = info.members().iter();
    let told =
        members.filter(|(name, value)| value.as_str().is_some() || !texts.contains(&&**name));
    let mut told: Vec<_> = told.cloned().collect();
    if info.text("title").is_none() {
        told.push(text("title", ""));
    }
    Json::Object(told)
}

/// Servers that have a URL.
pub(super) fn servers(servers: &Json) -> Json {
    let servers = servers.items().iter();
    let servers = servers.filter(|server| server.text("url").is_some());
    let servers = servers.map(|server| {
        let members = server.members().iter();
        let members =
            members.filter_map(|(name, value)| Some((name.clone(), member(name, value)?)));
        Json::Object(members.collect())
    });
    Json::Array(servers.collect())
}

fn named(name: &str) -> Json {
    Json::Object(vec![text("name", name)])
}

/// A member that is a text.
pub(super) fn text(name: &str, value: &str) -> (String, Json) {
    (name.to_owned(), Json::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_versions_are_known_and_no_others() {
        for (text, passing) in [
            ("1.0.0-rc0", Some("by-position")),
            ("1.0.0-rc1", Some("by-position")),
            ("1.0.0", Some("by-position")),
            ("1.1.12", Some("by-position")),
            ("1.1", Some("by-position")),
            ("1.2.4", Some("by-position")),
            ("1.2.5", None),
            ("1.2", None),
            ("1.3.2", None),
            ("1.4.1", None),
        ] {
            let version = Version::of(text);
            assert_eq!(version.map(Version::passing), Some(passing), "{text}");
        }
        for text in [
            "", "1", "1.5.0", "2.0.0", "0.9.0", "1.x", "1.2.", "1.2.3.4", "v1.2.3",
        ] {
            assert_eq!(Version::of(text), None, "{text}");
        }
    }
}
