//! List of tools for one kind of reader: as clients see it, and as calls find it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use antiphon_proto::ErrorObject;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::features::{Features, is_reserved};
use super::version::Version;
use crate::describe::{Access, Reader, Tool, Tools, Tree};

/// The keyword that has a parameter repeated in a header field.
const HEADER: &str = "x-mcp-header";

/// From this many bytes on a page is full.
const MAX_PAGE: usize = 1024 * 1024;

/// Which methods are tools, by their names.
pub(super) type Filter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The tools that one kind of reader may call.
pub(super) struct ToolList {
    tools: Vec<Listed>,
    places: HashMap<String, usize>,
    pub(super) features: Features,
}

/// A tool, as a list shows it.
pub(super) struct Listed {
    pub(super) name: String,
    /// For clients before 2026-07-28, for whom a result is an object or it has no schema.
    before: Box<RawValue>,
    now: Box<RawValue>,
    pub(super) call: Arc<ToolCall>,
}

/// What has to be known of a tool to call it.
#[derive(Debug)]
pub(super) struct ToolCall {
    /// The names of the parameters in order, if they are passed by position.
    pub(super) positional: Option<Vec<String>>,
    /// Whether the result itself is what agents see.
    pub(super) is_for_agents: bool,
    /// Whether its result has a schema, and whether that is one of an object.
    pub(super) has_output: bool,
    pub(super) is_object: bool,
    /// Where arguments are that header fields repeat, and the names of these fields.
    pub(super) headers: Vec<(Vec<String>, String)>,
}

impl ToolList {
    fn new(described: Tools, filter: Option<&Filter>) -> Self {
        let features = Features::of(&described.names);
        let is_tool = |tool: &Tool| {
            !is_reserved(&tool.name) && filter.is_none_or(|filter| filter(&tool.name))
        };
        let tools = described.tools.into_iter().filter(is_tool);
        let tools: Vec<_> = tools.filter_map(Listed::new).collect();
        let names = tools.iter().enumerate();
        Self {
            places: names.map(|(at, tool)| (tool.name.clone(), at)).collect(),
            tools,
            features,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Listed> {
        self.tools.get(*self.places.get(name)?)
    }

    /// A part of the list, and the cursor behind which it goes on.
    ///
    /// # Errors
    ///
    /// −32602 for a cursor that nobody has got, or that of a tool that is no more.
    pub(super) fn page(
        &self,
        cursor: Option<&str>,
        size: usize,
        version: Version,
    ) -> Result<(Vec<&RawValue>, Option<&str>), ErrorObject> {
        let start = match cursor {
            None => 0,
            Some(name) => match self.places.get(name) {
                Some(at) => at + 1,
                None => return Err(ErrorObject::invalid_params("the cursor is not valid")),
            },
        };
        let (mut page, mut bytes) = (Vec::new(), 0);
        for tool in self.tools.iter().skip(start).take(size) {
            let shown = match version.is_stateless() {
                true => &*tool.now,
                false => &*tool.before,
            };
            bytes += shown.get().len();
            if bytes > MAX_PAGE && !page.is_empty() {
                break;
            }
            page.push(shown);
        }
        let end = start + page.len();
        let is_end = end >= self.tools.len();
        let last = end.checked_sub(1).and_then(|last| self.tools.get(last));
        let next = last.filter(|_| !is_end).map(|tool| tool.name.as_str());
        Ok((page, next))
    }
}

impl Listed {
    fn new(tool: Tool) -> Option<Self> {
        let headers = headers(&tool.input);
        let is_object = (tool.output.as_ref())
            .is_some_and(|schema| schema.get("type").is_some_and(|kind| kind == "object"));
        let mut shown = Map::new();
        shown.insert("name".to_owned(), tool.name.as_str().into());
        if !tool.description.is_empty() {
            shown.insert("description".to_owned(), tool.description.as_str().into());
        }
        let annotations = annotations(&tool);
        if !annotations.is_empty() {
            shown.insert("annotations".to_owned(), annotations.into());
        }
        shown.insert("inputSchema".to_owned(), tool.input.into());
        let has_output = tool.output.is_some();
        let without = shown.clone();
        if let Some(output) = tool.output {
            shown.insert("outputSchema".to_owned(), output.into());
        }
        Some(Self {
            name: tool.name,
            before: to_raw_value(if is_object { &shown } else { &without }).ok()?,
            now: to_raw_value(&shown).ok()?,
            call: Arc::new(ToolCall {
                positional: tool.positional,
                is_for_agents: tool.is_for_agents,
                has_output,
                is_object,
                headers,
            }),
        })
    }
}

/// What a client may think of a call before it is made.
fn annotations(tool: &Tool) -> Map<String, Value> {
    let mut annotations = Map::new();
    if tool.is_read_only {
        annotations.insert("readOnlyHint".to_owned(), true.into());
    } else {
        if let Some(is_destructive) = tool.is_destructive {
            annotations.insert("destructiveHint".to_owned(), is_destructive.into());
        }
        if tool.is_idempotent {
            annotations.insert("idempotentHint".to_owned(), true.into());
        }
    }
    annotations
}

/// The arguments that header fields repeat. Such a keyword counts where it can be found by way of
/// `properties` alone.
fn headers(schema: &Map<String, Value>) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        let Some(schema) = schema.as_object() else {
            continue;
        };
        if let Some(header) = schema.get(HEADER).and_then(Value::as_str) {
            found.push((vec![name.clone()], header.to_owned()));
        }
        for (mut path, header) in headers(schema) {
            path.insert(0, name.clone());
            found.push((path, header));
        }
    }
    found
}

/// The lists of a router, one for each kind of reader. Each is made on first use, and again when
/// another server has described its methods anew.
#[derive(Default)]
pub(super) struct ToolLists([Mutex<Option<Numbered>>; 5]);

/// A list, with the number of the descriptions that it was made of.
type Numbered = (u64, Arc<ToolList>);

impl ToolLists {
    pub(super) fn get(
        &self,
        tree: &Tree,
        reader: Reader,
        filter: Option<&Filter>,
    ) -> Arc<ToolList> {
        let at = match (reader.access(), reader.is_anonymous()) {
            (Access::Public, false) => 0,
            (Access::Local, false) => 1,
            (Access::Admin, _) => 2,
            (Access::Public, true) => 3,
            (Access::Local, true) => 4,
        };
        let number = tree.described();
        let make = || Arc::new(ToolList::new(tree.tools(reader), filter));
        let Some(place) = self.0.get(at) else {
            return make();
        };
        let mut cached = place.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((of, list)) if *of == number => Arc::clone(list),
            _ => {
                let list = make();
                *cached = Some((number, Arc::clone(&list)));
                list
            }
        }
    }
}

/// The arguments by position, as JSON text: those that are there, up to the first that is missing.
pub(super) fn by_position(arguments: &str, names: &[String]) -> String {
    let members: HashMap<String, &RawValue> = serde_json::from_str(arguments).unwrap_or_default();
    let values = names.iter().map_while(|name| members.get(name));
    let values: Vec<_> = values.map(|value| value.get()).collect();
    format!("[{}]", values.join(","))
}

/// The value at a path in the arguments.
pub(super) fn at_path<'a>(arguments: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter()
        .try_fold(arguments, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Method, ParamInfo, Router};

    fn list(router: Router, filter: Option<&Filter>) -> Arc<ToolList> {
        let built = router.build().unwrap();
        let lists = ToolLists::default();
        let reader = Reader::from(Access::Public);
        let list = lists.get(built.tree(), reader, filter);
        assert!(Arc::ptr_eq(&list, &lists.get(built.tree(), reader, filter)));
        list
    }

    fn names(page: &[&RawValue]) -> Vec<String> {
        let name = |tool: &&RawValue| {
            let tool: Value = serde_json::from_str(tool.get()).unwrap();
            tool["name"].as_str().unwrap().to_owned()
        };
        page.iter().map(name).collect()
    }

    #[test]
    fn pages_follow_one_another_until_the_last() {
        let mut router = Router::new();
        for name in ["c", "a", "b", "e", "d"] {
            router = router.method_fn(name, || 1);
        }
        let list = list(router, None);
        let (mut cursor, mut seen) = (None, Vec::new());
        for pages in [2, 2, 1] {
            let (page, next) = list.page(cursor, 2, Version::V2025_11_25).unwrap();
            assert_eq!(page.len(), pages);
            seen.extend(names(&page));
            cursor = next;
        }
        assert_eq!((seen.concat().as_str(), cursor), ("abcde", None));
        let (page, next) = list.page(None, 5, Version::V2025_11_25).unwrap();
        assert_eq!((page.len(), next), (5, None));
        assert!(list.page(Some("x"), 5, Version::V2025_11_25).is_err());
    }

    #[test]
    fn a_tool_is_annotated_filtered_and_known_by_its_name() {
        let filter: Filter = Arc::new(|name| name != "no");
        let router = Router::new()
            .method(
                Method::function("a", || 1)
                    .read_only()
                    .destructive(true)
                    .returns::<u8>(),
            )
            .method(Method::function("b", || 1).idempotent().destructive(false))
            .method_fn("no", || 1)
            .method_fn("resources/list", || 1)
            .method_fn("notifications/x", || 1);
        let list = list(router, Some(&filter));
        let shown = |version| {
            let (page, _) = list.page(None, 9, version).unwrap();
            page.iter()
                .map(|tool| serde_json::from_str(tool.get()).unwrap())
                .collect::<Vec<Value>>()
        };
        let before = shown(Version::V2025_11_25);
        let now = shown(Version::V2026_07_28);
        assert_eq!(before.len(), 2);
        assert_eq!(before[0]["annotations"], json!({"readOnlyHint": true}));
        assert_eq!(
            before[1]["annotations"],
            json!({"destructiveHint": false, "idempotentHint": true})
        );
        // Before, a schema was one of an object.
        assert_eq!(before[0].get("outputSchema"), None);
        assert_eq!(now[0]["outputSchema"]["type"], "integer");
        assert!(list.find("no").is_none() && list.find("a").is_some());
        assert!(list.features.resources);
    }

    #[test]
    fn arguments_that_headers_repeat_are_found_by_way_of_properties() {
        let schema = json!({"properties": {
            "a": {"x-mcp-header": "A"},
            "b": {"properties": {"c": {"x-mcp-header": "C"}}},
            "d": {"items": {"properties": {"e": {"x-mcp-header": "E"}}}},
        }});
        let found = headers(schema.as_object().unwrap());
        let paths: Vec<_> = found
            .iter()
            .map(|(path, name)| (path.join("."), name.as_str()))
            .collect();
        assert_eq!(paths, [("a".to_owned(), "A"), ("b.c".to_owned(), "C")]);
        assert_eq!(
            at_path(&json!({"b": {"c": 1}}), &found[1].0),
            Some(&json!(1))
        );
        assert_eq!(at_path(&json!({"b": 1}), &found[1].0), None);
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            by_position(r#"{"c":3,"a":1,"b":{"x":2}}"#, &names),
            r#"[1,{"x":2},3]"#
        );
        assert_eq!(by_position(r#"{"c":3,"a":1}"#, &names), "[1]");
        let described = Method::function("f", |_: u8| 1).params([ParamInfo::required("x")]);
        assert!(!list(Router::new().method(described), None).is_empty());
    }
}
