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

/// A tag, which may be only its name.
pub(super) fn tag(tag: &Json) -> Json {
    match tag {
        Json::String(name) => named(name),
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

/// An example of a call. Some write its parameters by name, which no version has.
pub(super) fn example(example: &Json) -> Json {
    let Some(Json::Object(params)) = example.get("params") else {
        return example.clone();
    };
    let params = params.iter().map(|(name, value)| {
        let Json::Object(mut members) = named(name) else {
            return Json::Null;
        };
        members.push(("value".to_owned(), value.clone()));
        Json::Object(members)
    });
    let params = Json::Array(params.collect());
    let others = example
        .members()
        .iter()
        .filter(|(name, _)| name != "params");
    let mut members: Vec<_> = others.cloned().collect();
    members.push(("params".to_owned(), params));
    members.push(("x-by-name".to_owned(), Json::Bool(true)));
    Json::Object(members)
}

fn named(name: &str) -> Json {
    Json::Object(vec![("name".to_owned(), Json::String(name.to_owned()))])
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
