//! Methods, parameters, results and errors of a document.

use std::collections::HashSet;

use super::bundle::{Bundle, is_texts};
use super::limits::MAX_METHODS;
use super::place::At;
use super::value::Json;
use super::versions::{self, text};

impl Bundle {
    pub(super) fn methods(&mut self, methods: &Json, at: &At<'_>) -> Result<Json, String> {
        let Json::Array(methods) = methods else {
            return Err(self.fault(at, "no OpenRPC document: `methods` is no list"));
        };
        if methods.len() > MAX_METHODS {
            return Err(self.fault(at, &format!("more than {MAX_METHODS} methods")));
        }
        let mut names = HashSet::new();
        let mut copied = Vec::new();
        for (index, method) in methods.iter().enumerate() {
            // Methods have no place in `components`.
            let (place, method) = self.resolve(method, &at.item(index))?;
            let at = At::new(&place);
            let name = method.text("name").filter(|name| !name.is_empty());
            let Some(name) = name else {
                return Err(self.fault(&at, "a method has no name"));
            };
            match names.insert(name.to_owned()) {
                true => copied.push(self.method(&method, &at)?),
                false => self.note(&at, &format!("there is a method {name:?} already")),
            }
        }
        Ok(Json::Array(copied))
    }

    fn method(&mut self, method: &Json, at: &At<'_>) -> Result<Json, String> {
        let mut members = Vec::new();
        for (name, value) in method.members() {
            let at = at.member(name);
            let value = match (&**name, value) {
                (_, Json::Null) => continue,
                ("params", value) => self.params(value, &at)?,
                ("result", value) => self.described(value, &at, "result")?,
                ("errors", value) => self.errors(value, &at)?,
                ("tags", value) => self.list("tags", value, &at, versions::tag)?,
                ("examples", value) => {
                    self.list("examplePairings", value, &at, versions::example)?
                }
                ("paramStructure", value) => match value.as_str() {
                    Some("by-name" | "by-position" | "either") => value.clone(),
                    _ => continue,
                },
                ("x-additional-params", value) => self.schema(value, &at)?,
                ("x-subscription", value) => match self.subscription(value, &at)? {
                    Some(value) => value,
                    None => continue,
                },
                ("x-error-docs", value) if !is_texts(value) => continue,
                (name, value) => match versions::member(name, value) {
                    Some(value) => value,
                    None => continue,
                },
            };
            members.push((name.clone(), value));
        }
        let passing = self.version(at.file).and_then(versions::Version::passing);
        let is_said = members.iter().any(|(name, _)| name == "paramStructure");
        if let (Some(passing), false) = (passing, is_said) {
            members.push(text("paramStructure", passing));
        }
        Ok(Json::Object(members))
    }

    fn params(&mut self, params: &Json, at: &At<'_>) -> Result<Json, String> {
        let Json::Array(params) = params else {
            return Err(self.fault(at, "the parameters are no list"));
        };
        let mut names = HashSet::new();
        let mut copied = Vec::new();
        for (index, param) in params.iter().enumerate() {
            let at = at.item(index);
            let (place, found) = self.resolve(param, &at)?;
            let found = match found.get("oneOf") {
                Some(_) => self.content(&found, &At::new(&place))?,
                None => found,
            };
            let Some(name) = found.text("name") else {
                return Err(self.fault(&At::new(&place), "a parameter has no name"));
            };
            if !names.insert(name.to_owned()) {
                return Err(self.fault(&at, &format!("two parameters have the name {name:?}")));
            }
            copied.push(match found.get("oneOf") {
                Some(_) => found,
                None => self.shared("contentDescriptors", param, &at)?,
            });
        }
        Ok(Json::Array(copied))
    }

    /// A parameter or a result with a name.
    fn described(&mut self, content: &Json, at: &At<'_>, name: &str) -> Result<Json, String> {
        let (_, found) = self.resolve(content, at)?;
        if !matches!(found, Json::Object(_)) {
            return Err(self.fault(at, &format!("the {name} is no object")));
        }
        let mut content = self.shared("contentDescriptors", content, at)?;
        if let (Json::Object(members), None) = (&mut content, found.get("name"))
            && content_is_own(members)
        {
            members.push(text("name", name));
        }
        Ok(content)
    }

    /// A parameter or a result.
    pub(super) fn content(&mut self, content: &Json, at: &At<'_>) -> Result<Json, String> {
        if let Some(Json::Array(choices)) = content.get("oneOf") {
            return self.one_of(choices, &at.member("oneOf"));
        }
        let mut members = Vec::new();
        for (name, value) in content.members() {
            let value = match (&**name, versions::member(name, value)) {
                (_, None) => continue,
                ("schema", Some(value)) => self.schema(&value, &at.member(name))?,
                (_, Some(value)) => value,
            };
            members.push((name.clone(), value));
        }
        if let (Some(summary), None) = (content.text("summary"), content.text("description")) {
            members.push(text("description", summary));
        }
        Ok(Json::Object(members))
    }

    /// A parameter or a result that is one of several: a single one with all their schemas.
    fn one_of(&mut self, choices: &[Json], at: &At<'_>) -> Result<Json, String> {
        let (mut name, mut schemas, mut required) = (None, Vec::new(), true);
        for (index, choice) in choices.iter().enumerate() {
            let (place, found) = self.resolve(choice, &at.item(index))?;
            let at = At::new(&place);
            schemas.push(match found.get("schema") {
                Some(schema) => self.schema(schema, &at.member("schema"))?,
                None => Json::Bool(true),
            });
            required &= found.flag("required");
            name = name.or_else(|| found.text("name").map(str::to_owned));
        }
        let Some(name) = name else {
            return Err(self.fault(at, "none of these has a name"));
        };
        let schema = Json::Object(vec![("oneOf".to_owned(), Json::Array(schemas))]);
        Ok(Json::Object(vec![
            text("name", &name),
            ("required".to_owned(), Json::Bool(required)),
            ("schema".to_owned(), schema),
        ]))
    }

    fn errors(&mut self, errors: &Json, at: &At<'_>) -> Result<Json, String> {
        let mut copied = Vec::new();
        for (index, error) in errors.items().iter().enumerate() {
            let at = at.item(index);
            let (place, found) = self.resolve(error, &at)?;
            match found.get("code") {
                None => return Err(self.fault(&At::new(&place), "an error has no code")),
                Some(_) if found.integer("code").is_none() => {
                    let at = At::new(&place);
                    return Err(self.fault(&at.member("code"), "the code is no integer"));
                }
                Some(_) => copied.push(self.shared("errors", error, &at)?),
            }
        }
        Ok(Json::Array(copied))
    }

    /// An error, with a message even if it has none.
    pub(super) fn error(error: &Json) -> Json {
        let members = error.members().iter();
        let mut members: Vec<_> = members
            .filter(|(_, value)| *value != Json::Null)
            .cloned()
            .collect();
        if error.text("message").is_none() {
            members.retain(|(name, _)| name != "message");
            members.push(text("message", ""));
        }
        Json::Object(members)
    }

    fn list(
        &mut self,
        section: &'static str,
        list: &Json,
        at: &At<'_>,
        translate: impl Fn(&Json) -> Json,
    ) -> Result<Json, String> {
        let mut copied = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            // A client does not need them.
            match self.shared(section, item, &at.item(index)) {
                Ok(item) => match translate(&item) {
                    item @ Json::Object(_) => copied.push(item),
                    _ => self.note(&at.item(index), "it has no name, and is left out"),
                },
                Err(error) => self.say(error),
            }
        }
        Ok(Json::Array(copied))
    }

    /// The subscription of a method, with all that one has; `None` if somebody else means something
    /// by the name.
    fn subscription(&mut self, stream: &Json, at: &At<'_>) -> Result<Option<Json>, String> {
        let Json::Object(members) = stream else {
            return Ok(None);
        };
        let own = ["notification", "unsubscribe", "item"];
        let others = members.iter().filter(|(name, _)| !own.contains(&&**name));
        let mut members: Vec<_> = others.cloned().collect();
        let told = |name, else_| text(name, stream.text(name).unwrap_or(else_));
        members.push(told("notification", ""));
        members.push(told("unsubscribe", "rpc.unsubscribe"));
        let at = at.member("item");
        let item = match stream.get("item") {
            Some(content) if content.get("schema").is_some() => {
                self.described(content, &at, "item")?
            }
            // A bare schema.
            Some(schema) => {
                let schema = ("schema".to_owned(), self.schema(schema, &at)?);
                Json::Object(vec![text("name", "item"), schema])
            }
            None => Json::Object(vec![text("name", "item")]),
        };
        members.push(("item".to_owned(), item));
        Ok(Some(Json::Object(members)))
    }
}

/// Whether this is no reference, whose target has the name.
fn content_is_own(members: &[(String, Json)]) -> bool {
    members
        .iter()
        .all(|(name, _)| name != "$ref" && name != "name")
}
