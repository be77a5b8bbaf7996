//! Parameters of a request as far as the protocol itself reads them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The prefix of the protocol's own members of `_meta`.
pub(super) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
pub(super) const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// The parameters of any request.
#[derive(Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow, default, rename = "_meta")]
    pub(super) meta: Option<Meta<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) cursor: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "protocolVersion")]
    pub(super) protocol_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) notifications: Option<Filter<'a>>,
    #[serde(borrow, default, rename = "inputResponses")]
    pub(super) input_responses: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "requestState")]
    pub(super) request_state: Option<Cow<'a, str>>,
}

/// What a request says of itself.
#[derive(Default, Deserialize)]
pub(super) struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    pub(super) version: Option<Cow<'a, str>>,
    #[serde(default, rename = "io.modelcontextprotocol/clientCapabilities")]
    pub(super) capabilities: Option<Capabilities>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/logLevel")]
    pub(super) log_level: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "progressToken")]
    pub(super) progress_token: Option<&'a RawValue>,
}

/// What a client can do for the server, as far as that is of interest here.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Capabilities {
    pub(super) elicitation: Option<Elicitation>,
    pub(super) sampling: Option<Present>,
    pub(super) roots: Option<Present>,
}

/// How a client can ask its user.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Elicitation {
    pub(super) form: Option<Present>,
    pub(super) url: Option<Present>,
}

/// An object, whatever is in it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Present {}

/// Of which changes a client wants to hear.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Filter<'a> {
    pub(super) tools_list_changed: bool,
    pub(super) prompts_list_changed: bool,
    pub(super) resources_list_changed: bool,
    #[serde(borrow)]
    pub(super) resource_subscriptions: Vec<Cow<'a, str>>,
}

impl<'a> Params<'a> {
    /// Reads them. No parameters are an object without members.
    pub(super) fn read(text: Option<&'a str>) -> Result<Self, String> {
        let Some(text) = text else {
            return Ok(Self::default());
        };
        if !text.starts_with('{') {
            return Err("the parameters have to be an object".to_owned());
        }
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Where the arguments are in the text of the parameters; `None` if there are none.
    ///
    /// # Errors
    ///
    /// If they are no object.
    pub(super) fn arguments_within(&self, text: &str) -> Result<Option<Range<usize>>, String> {
        let arguments = match self.arguments.map(RawValue::get) {
            None | Some("null") => return Ok(None),
            Some(arguments) if arguments.starts_with('{') => arguments,
            Some(_) => return Err("`arguments` has to be an object".to_owned()),
        };
        let start = (arguments.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Ok(Some(start..start + arguments.len()))
    }
}

/// The members of the parameters that a method of the user's gets, as JSON text.
pub(super) fn only(text: &str, names: &[&str]) -> String {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let members: Vec<_> = (members.iter())
        .filter(|(name, _)| names.contains(&&***name))
        // These names need no escapes.
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_found_where_they_are() {
        for (text, expected) in [
            (
                r#"{"name":"a","arguments": {"x":1} }"#,
                Ok(Some(r#"{"x":1}"#)),
            ),
            (r#"{"arguments":null}"#, Ok(None)),
            (r#"{"name":"a"}"#, Ok(None)),
            (r#"{"arguments":[1]}"#, Err(())),
            (r#"{"arguments":"{}"}"#, Err(())),
        ] {
            let params = Params::read(Some(text)).unwrap();
            let within = params.arguments_within(text).map_err(|_| ());
            let found = within.map(|range| range.map(|range| &text[range]));
            assert_eq!(found, expected, "{text}");
        }
        assert!(Params::read(None).is_ok_and(|params| params.meta.is_none()));
        assert!(Params::read(Some("[]")).is_err());
        assert!(Params::read(Some(r#"{"_meta":1}"#)).is_err());
    }

    #[test]
    fn a_method_gets_its_own_members() {
        let text = r#"{"_meta":{"a":1},"uri":"x:\"y","requestState":"s","c":[1, 2]}"#;
        assert_eq!(only(text, &["uri", "c"]), r#"{"c":[1, 2],"uri":"x:\"y"}"#);
        assert_eq!(only(text, &[]), "{}");
        assert_eq!(only("{}", &["uri"]), "{}");
    }
}
