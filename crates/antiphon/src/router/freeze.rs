//! Freezing of a router into one table of full names.
//!
//! Freezing happens once. It finds every conflict, applies the layers, and builds the [`Tree`] that
//! documents are made from. Afterwards a call costs one look-up.

use crate::describe::{Inner, MethodInfo, NodeInner, RemoteNode, Tree};
use crate::identity::is_scope;
use crate::router::authenticate::{AUTHENTICATE, authenticate};
#[cfg(feature = "describe")]
use crate::router::discover;
use crate::router::endpoint::{BoxLayer, Endpoint, Entries, Entry, stack};
use crate::router::error::{MAX_METHOD_LEN, RouterError, RouterProblem, is_name};
use crate::router::method::{Handler, Method};
use crate::router::unsubscribe::{UNSUBSCRIBE, unsubscribe};
use crate::router::{Rest, Router};

/// A router that can be called.
pub(crate) struct Frozen {
    pub(crate) tree: Tree,
    pub(crate) endpoint: Endpoint,
}

impl Router {
    pub(crate) fn freeze(self) -> Result<Frozen, RouterError> {
        let mut build = Build::default();
        let layers = self.layers.clone();
        let mut entries = build.node(self, "", ".", &[], None);
        build.endings(&mut entries);
        let handler = Handler::new(authenticate);
        let route = usize::MAX;
        let entry = Entry {
            handler,
            route,
            cost: 1,
            below: false,
        };
        entries.push((AUTHENTICATE.into(), entry));
        #[cfg(feature = "describe")]
        discover::add(&mut entries);
        let table = build.table(entries);
        if !build.problems.is_empty() {
            return Err(RouterError(build.problems));
        }
        Ok(Frozen {
            tree: Tree::new(build.tree),
            endpoint: stack(table, &layers),
        })
    }
}

#[derive(Default)]
struct Build {
    tree: Inner,
    problems: Vec<RouterProblem>,
}

impl Build {
    /// Adds a node for a router and for all that is nested in it; returns their entries. The layers
    /// of the router itself are left to the caller: at the root they see unknown methods too.
    fn node(
        &mut self,
        router: Router,
        prefix: &str,
        separator: &str,
        scopes: &[Box<str>],
        parent: Option<usize>,
    ) -> Entries {
        let node = self.tree.nodes.len();
        self.tree.nodes.push(NodeInner {
            prefix: prefix.to_owned(),
            title: router.title.clone().unwrap_or_default(),
            documentation: router.documentation.clone().unwrap_or_default(),
            version: router.version.clone().unwrap_or_default(),
            parent,
            children: Vec::new(),
            methods: Vec::new(),
        });
        self.content(router, prefix, separator, scopes, node)
    }

    /// Adds what is in a router to a node that exists.
    fn content(
        &mut self,
        router: Router,
        prefix: &str,
        separator: &str,
        scopes: &[Box<str>],
        node: usize,
    ) -> Entries {
        let scopes = [scopes, &router.scopes].concat();
        let separator = router.separator.as_deref().unwrap_or(separator);
        let mut entries = Entries::new();
        for method in router.methods {
            entries.push(self.method(method, prefix, &scopes, node));
        }
        if let Some(rest) = router.rest {
            entries.push(self.rest(*rest, prefix, &scopes, node));
        }
        for (name, child) in router.children {
            self.child(&name, node);
            let layers = child.layers.clone();
            let prefix = format!("{prefix}{name}{separator}");
            let nested = self.node(child, &prefix, separator, &scopes, Some(node));
            entries.extend(self.layered(nested, &layers));
        }
        for merged in router.merged {
            let layers = merged.layers.clone();
            let content = self.content(merged, prefix, separator, &scopes, node);
            entries.extend(self.layered(content, &layers));
        }
        entries
    }

    /// Notes that the next node hangs under this name.
    fn child(&mut self, name: &str, node: usize) {
        if !is_name(name) {
            self.problems.push(RouterProblem::BadName(name.to_owned()));
        }
        let next = self.tree.nodes.len();
        let Some(node) = self.tree.nodes.get_mut(node) else {
            return;
        };
        if node.children.iter().any(|(known, _)| known == name) {
            self.problems
                .push(RouterProblem::UsedPrefix(name.to_owned()));
        }
        node.children.push((name.to_owned(), next));
    }

    /// Adds the method for all other names below a prefix. No listing shows it, but what it knows of
    /// those names.
    fn rest(
        &mut self,
        rest: Rest,
        prefix: &str,
        scopes: &[Box<str>],
        node: usize,
    ) -> (Box<str>, Entry) {
        let (_, mut entry) = self.method(rest.method, prefix, scopes, node);
        entry.below = true;
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.methods.retain(|route| *route != entry.route);
        }
        let route = entry.route;
        let remotes = rest.described.into_iter();
        (self.tree.remotes).extend(remotes.map(|source| RemoteNode {
            route,
            node,
            source,
        }));
        (prefix.into(), entry)
    }

    fn method(
        &mut self,
        mut method: Method,
        prefix: &str,
        scopes: &[Box<str>],
        node: usize,
    ) -> (Box<str>, Entry) {
        let name = format!("{prefix}{}", method.name);
        if !is_name(&method.name) || name.len() > MAX_METHOD_LEN {
            self.problems.push(RouterProblem::BadName(name.clone()));
        } else if name.starts_with("rpc.") {
            self.problems
                .push(RouterProblem::ReservedName(name.clone()));
        }
        scopes
            .iter()
            .for_each(|scope| method.requirement.add(scope));
        let requirement = method.requirement;
        let bad = requirement.scopes.iter().filter(|scope| !is_scope(scope));
        self.problems
            .extend(bad.map(|scope| RouterProblem::BadScope(scope.to_string())));
        if requirement.public && !requirement.scopes.is_empty() {
            self.problems
                .push(RouterProblem::PublicWithScope(name.clone()));
        }
        let route = self.tree.methods.len();
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.methods.push(route);
        }
        let (handler, cost) = (method.handler, method.cost);
        self.tree.methods.push(MethodInfo {
            name: name.clone(),
            doc: method.doc,
            format: method.format,
            params: method.params,
            result: method.result,
            errors: method.errors,
            examples: method.examples,
            deprecated: method.deprecated,
            access: method.access,
            requirement,
            cost,
            effects: method.effects,
            destructive: method.destructive,
            is_tool: method.is_tool,
            subscription: method.subscription,
            node,
        });
        let entry = Entry {
            handler,
            route,
            cost,
            below: false,
        };
        (name.into(), entry)
    }

    /// Adds the methods that end subscriptions, unless the user has methods of these names.
    fn endings(&self, entries: &mut Entries) {
        let options = self.tree.methods.iter();
        let options: Vec<_> = options.filter_map(|m| m.subscription.as_ref()).collect();
        if options.is_empty() {
            return;
        }
        let named = options.iter().filter_map(|o| o.unsubscribe.as_deref());
        for name in named.chain([UNSUBSCRIBE]) {
            if !entries.iter().any(|(known, _)| &**known == name) {
                let handler = Handler::new(unsubscribe);
                let entry = Entry {
                    handler,
                    // It is in no document: those tell of it where a method is a subscription.
                    route: usize::MAX,
                    // A caller that makes too many calls may still end what it has begun.
                    cost: 0,
                    below: false,
                };
                entries.push((name.into(), entry));
            }
        }
    }

    /// One table of them; that two have the same name is noted.
    fn table(&mut self, entries: Entries) -> Endpoint {
        let (endpoint, twice) = Endpoint::new(entries);
        let twice = twice
            .into_iter()
            .map(|name| RouterProblem::DuplicateMethod(name.into()));
        self.problems.extend(twice);
        endpoint
    }

    /// The same entries, all going through one instance of the layers.
    fn layered(&mut self, entries: Entries, layers: &[BoxLayer]) -> Entries {
        if layers.is_empty() {
            return entries;
        }
        let names: Vec<_> = entries
            .iter()
            .map(|(name, entry)| (name.clone(), entry.route, entry.cost, entry.below))
            .collect();
        let endpoint = stack(self.table(entries), layers);
        let handler = Handler::new(move |call| endpoint.answer(call));
        let through = |(name, route, cost, below)| {
            let entry = Entry {
                handler: handler.clone(),
                route,
                cost,
                below,
            };
            (name, entry)
        };
        names.into_iter().map(through).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Access;

    fn problems(router: Router) -> Vec<RouterProblem> {
        router
            .freeze()
            .err()
            .map(|error| error.0)
            .unwrap_or_default()
    }

    fn one(name: &str) -> Router {
        Router::new().method_fn(name, || 1)
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let router = one("a")
            .method_fn("a", || 2)
            .method_fn("rpc.x", || 1)
            .method_fn("", || 1)
            .nest("n", one("a"))
            .nest("n", one("b"));
        assert_eq!(
            problems(router),
            [
                RouterProblem::ReservedName("rpc.x".into()),
                RouterProblem::BadName(String::new()),
                RouterProblem::UsedPrefix("n".into()),
                RouterProblem::DuplicateMethod("a".into()),
            ]
        );
    }

    #[test]
    fn a_nested_name_may_not_meet_a_flat_one() {
        let router = one("n.a").nest("n", one("a"));
        assert_eq!(
            problems(router),
            [RouterProblem::DuplicateMethod("n.a".into())]
        );
        assert_eq!(
            problems(one("a").merge(one("a"))),
            [RouterProblem::DuplicateMethod("a".into())]
        );
        assert_eq!(
            problems(Router::new().nest("rpc", one("a"))),
            [RouterProblem::ReservedName("rpc.a".into())]
        );
    }

    #[test]
    fn replace_takes_the_place_of_what_was_there() {
        let router = one("z")
            .nest("n", one("a"))
            .nest("m", one("a"))
            .replace("n", one("b"));
        let frozen = router.freeze().unwrap();
        let names: Vec<_> = frozen
            .tree
            .methods(Access::Admin)
            .iter()
            .map(|m| m.name.clone())
            .collect();
        assert_eq!(names, ["z", "n.b", "m.a"]);
    }

    #[test]
    fn separators_go_downwards_until_another_is_set() {
        let inner = one("c").separator("/").nest("d", one("e"));
        let router = Router::new()
            .separator("_")
            .nest("a", Router::new().nest("b", inner));
        let frozen = router.freeze().unwrap();
        let names: Vec<_> = frozen
            .tree
            .methods(Access::Admin)
            .iter()
            .map(|m| m.name.clone())
            .collect();
        assert_eq!(names, ["a_b_c", "a_b_d/e"]);
        let slashed = Router::new().separator("/").nest("x", one("y"));
        let merged = Router::new()
            .merge(slashed)
            .nest("x2", one("y"))
            .freeze()
            .unwrap();
        let names: Vec<_> = merged
            .tree
            .methods(Access::Admin)
            .iter()
            .map(|m| m.name.clone())
            .collect();
        assert_eq!(names, ["x2.y", "x/y"]);
        let deepest = frozen
            .tree
            .root()
            .get("a")
            .unwrap()
            .get("b")
            .unwrap()
            .get("d")
            .unwrap();
        assert_eq!(deepest.prefix(), "a_b_d/");
        assert_eq!(deepest.parent().unwrap().parent().unwrap().prefix(), "a_");
    }
}
