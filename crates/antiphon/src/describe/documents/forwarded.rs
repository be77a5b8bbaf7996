//! Methods of other servers in the document of the router that forwards them.

use serde_json::{Map, Value};

use crate::describe::documents::document::OpenRpcDocument;
use crate::describe::documents::model::{Document, Method, Tag};
use crate::describe::{Node, Reader, RemoteMethods, Tree};

/// Where references to schemas point.
const SCHEMAS: &str = "#/components/schemas/";

/// Members that say what the other server asks of its callers. Ours are asked here.
const RIGHTS: [&str; 4] = ["x-access", "x-public", "x-scopes", "x-cost"];

impl Tree {
    /// The methods of other servers that this reader may see, and the schemas that they refer to.
    pub(super) fn forwarded_documents(&self, reader: Reader) -> (Vec<Method>, Map<String, Value>) {
        let (mut methods, mut schemas) = (Vec::new(), Map::new());
        for remote in self.remotes(reader) {
            let Some((_, described)) = remote.source.described() else {
                continue;
            };
            let node = self.node(remote.node);
            // It was read before, so this fails only for what is no OpenRPC in other members.
            if let Some(document) = rename(&described, &node) {
                let hidden = |method: &Method| self.has(&method.name);
                methods.extend(
                    document
                        .methods
                        .into_iter()
                        .filter(|method| !hidden(method)),
                );
                schemas.extend(document.components.schemas);
            }
        }
        (methods, schemas)
    }
}

/// The document with names as callers of this router know them.
fn rename(described: &RemoteMethods, node: &Node) -> Option<Document> {
    let mut value: Value = serde_json::from_str(described.document.get()).ok()?;
    let own = format!("{SCHEMAS}{}.", node.namespace());
    move_references(&mut value, &own);
    let OpenRpcDocument(mut document) = value.to_string().parse().ok()?;
    document.methods.retain_mut(|method| {
        let Some(known) = method.name.strip_prefix(&*described.prefix) else {
            return false;
        };
        if described.get(known).is_none() {
            return false;
        }
        let name = format!("{}{known}", node.prefix());
        if let Some(subscription) = &mut method.subscription {
            subscription.notification.clone_from(&name);
            subscription.unsubscribe = "rpc.unsubscribe".to_owned();
            subscription.plain = false;
        }
        method.name = name;
        method.tags = vec![Tag {
            name: node.namespace().to_owned(),
            description: String::new(),
        }];
        method
            .extensions
            .retain(|name, _| !RIGHTS.contains(&name.as_str()));
        true
    });
    let schemas = std::mem::take(&mut document.components.schemas);
    let renamed = schemas.into_iter();
    let renamed = renamed.map(|(name, schema)| (format!("{}.{name}", node.namespace()), schema));
    document.components.schemas = renamed.collect();
    Some(document)
}

/// Makes references to schemas point to the names that those have here. The recursion is bounded by the
/// parser's depth limit.
fn move_references(value: &mut Value, own: &str) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "$ref" => {
                        if let Some(schema) = text.strip_prefix(SCHEMAS) {
                            *text = format!("{own}{schema}");
                        }
                    }
                    value => move_references(value, own),
                }
            }
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| move_references(value, own)),
        _ => {}
    }
}
