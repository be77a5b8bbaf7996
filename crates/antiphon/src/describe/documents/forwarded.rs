//! Methods of other servers in the document of the router that forwards them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::describe::documents::document::OpenRpcDocument;
use crate::describe::documents::model::{Document, Method, Tag};
use crate::describe::{Node, Reader, RemoteMethods, Tree};

/// Where references to schemas point.
const SCHEMAS: &str = "#/components/schemas/";

/// Members that say what the other server asks of its callers. Ours are asked here.
const RIGHTS: [&str; 4] = ["x-public", "x-scopes", "x-cost", SERVED_BY];

/// The member of a method with the name of the servers that it is forwarded to.
const SERVED_BY: &str = "x-served-by";

impl Tree {
    /// The methods of other servers that this reader may see, and the schemas that they refer to.
    pub(super) fn forwarded_documents(&self, reader: Reader) -> (Vec<Method>, Map<String, Value>) {
        let (mut methods, mut schemas) = (Vec::new(), Map::new());
        let mut seen = BTreeSet::new();
        for (at, remote) in self.remotes(reader).enumerate() {
            let Some((_, described)) = remote.source.described() else {
                continue;
            };
            let node = self.node(remote.node);
            let space = match node.namespace() {
                "" => format!("remote{}", at + 1),
                namespace => namespace.to_owned(),
            };
            let server = remote.source.served_by().name;
            // It was read before, so this fails only for what is no OpenRPC in other members.
            if let Some(document) = rename(&described, &node, &space, reader) {
                for mut method in document.methods {
                    if self.has(&method.name) || !seen.insert(method.name.clone()) {
                        continue;
                    }
                    if !server.is_empty() {
                        let server = Value::from(&*server);
                        method.extensions.insert(SERVED_BY.to_owned(), server);
                    }
                    methods.push(method);
                }
                schemas.extend(document.components.schemas);
            }
        }
        (methods, schemas)
    }
}

/// What this reader may see of the document, with names as callers of this router know them.
/// `space` sets the names of its schemas apart from those of others.
fn rename(described: &RemoteMethods, node: &Node, space: &str, reader: Reader) -> Option<Document> {
    let mut value: Value = serde_json::from_str(described.document.get()).ok()?;
    let own = format!("{SCHEMAS}{space}.");
    move_references(&mut value, &own);
    let OpenRpcDocument(mut document) = value.to_string().parse().ok()?;
    document.methods.retain_mut(|method| {
        let Some(known) = method.name.strip_prefix(&*described.prefix) else {
            return false;
        };
        let told = described.get(known);
        if told.is_none_or(|told| told.access > reader.access()) {
            return false;
        }
        let name = format!("{}{known}", node.prefix());
        if let Some(subscription) = &mut method.subscription {
            subscription.notification.clone_from(&name);
            subscription.unsubscribe = "rpc.unsubscribe".to_owned();
            subscription.plain = false;
        }
        method.name = name;
        // At the root the tags are theirs, as the names are.
        if !node.is_root() {
            method.tags = vec![Tag {
                name: node.namespace().to_owned(),
                description: String::new(),
            }];
        }
        method
            .extensions
            .retain(|name, _| !RIGHTS.contains(&name.as_str()));
        true
    });
    let schemas = std::mem::take(&mut document.components.schemas);
    let renamed = schemas.into_iter();
    let renamed = renamed.map(|(name, schema)| (format!("{space}.{name}"), schema));
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
