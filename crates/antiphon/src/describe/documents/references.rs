//! Resolves references in parsed documents: shared parameters, results, errors and so on.
//!
//! References to schemas are kept: schemas have names of their own on the page, and may be
//! recursive.

use serde_json::Value;

/// The most references in a chain.
const MAX_HOPS: usize = 8;

/// Limit of copied values in total, so that a small document cannot expand to a huge one.
const MAX_COPIED: usize = 1_000_000;

/// Replaces references by their targets, except in schemas.
pub(super) fn follow(document: &mut Value) {
    let components = document.get("components").cloned().unwrap_or_default();
    let Some(Value::Array(methods)) = document.get_mut("methods") else {
        return;
    };
    let mut components = Components {
        members: components,
        left: MAX_COPIED,
    };
    for method in methods {
        let Some(method) = method.as_object_mut() else {
            continue;
        };
        if let Some(result) = method.get_mut("result") {
            components.resolve(result);
        }
        for list in ["tags", "params", "errors", "examples"] {
            for item in items(method.get_mut(list)) {
                components.resolve(item);
                // The values of an example may be references, too.
                for value in items(item.get_mut("params")) {
                    components.resolve(value);
                }
                if let Some(value) = item.get_mut("result") {
                    components.resolve(value);
                }
            }
        }
    }
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    list.and_then(Value::as_array_mut).into_iter().flatten()
}

/// The shared components, and how many values may still be copied.
struct Components {
    members: Value,
    left: usize,
}

impl Components {
    /// Resolves a reference. One without a target is kept; it is later treated as an invalid
    /// member.
    fn resolve(&mut self, place: &mut Value) {
        for _ in 0..MAX_HOPS {
            let reference = place.get("$ref").and_then(Value::as_str);
            let path = reference.and_then(|text| text.strip_prefix("#/components"));
            let Some(found) = path.and_then(|path| self.members.pointer(path)) else {
                return;
            };
            let Some(left) = self.left.checked_sub(size(found)) else {
                return;
            };
            self.left = left;
            *place = found.clone();
        }
    }
}

/// The number of values in a value. The recursion is bounded by the parser's depth limit.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::follow;

    #[test]
    fn what_methods_share_is_found() {
        let mut document = json!({
            "methods": [{
                "name": "add",
                "tags": [{"$ref": "#/components/tags/sums"}],
                "params": [{"$ref": "#/components/contentDescriptors/A"}, {"$ref": "#/elsewhere"}],
                "result": {"$ref": "#/components/contentDescriptors/Sum"},
                "errors": [{"$ref": "#/components/errors/circle"}],
            }],
            "components": {
                "tags": {"sums": {"name": "sums"}},
                "contentDescriptors": {
                    "A": {"name": "a", "schema": {"$ref": "#/components/schemas/Number"}},
                    "Sum": {"$ref": "#/components/contentDescriptors/Total"},
                    "Total": {"name": "total", "schema": {}},
                },
                "errors": {"circle": {"$ref": "#/components/errors/circle"}},
            },
        });
        follow(&mut document);
        assert_eq!(
            document["methods"][0],
            json!({
                "name": "add",
                "tags": [{"name": "sums"}],
                "params": [
                    {"name": "a", "schema": {"$ref": "#/components/schemas/Number"}},
                    {"$ref": "#/elsewhere"},
                ],
                "result": {"name": "total", "schema": {}},
                "errors": [{"$ref": "#/components/errors/circle"}],
            })
        );
    }
}
