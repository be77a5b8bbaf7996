//! Tree of methods by namespace.

use super::model::{Api, Method};

/// A namespace; the root has no name.
#[derive(Default)]
pub(crate) struct Node<'a> {
    /// The path of names to this namespace.
    pub(crate) path: Vec<&'a str>,
    pub(crate) nodes: Vec<Self>,
    pub(crate) methods: Vec<&'a Method>,
}

/// Maximum depth of namespaces; deeper ones are not nested any further: `a.b.….method`.
const MAX_DEPTH: usize = 16;

impl<'a> Node<'a> {
    /// The tree of the methods that match a filter.
    pub(crate) fn of(api: &'a Api, wanted: impl Fn(&Method) -> bool) -> Self {
        let mut root = Self::default();
        for method in api.methods.iter().filter(|method| wanted(method)) {
            let (path, _) = method.path();
            let mut node = &mut root;
            for name in path
                .into_iter()
                .take(MAX_DEPTH)
                .filter(|name| !name.is_empty())
            {
                let at = node
                    .nodes
                    .iter()
                    .position(|node| node.path.last() == Some(&name));
                let at = at.unwrap_or_else(|| {
                    let mut path = node.path.clone();
                    path.push(name);
                    node.nodes.push(Self {
                        path,
                        ..Self::default()
                    });
                    node.nodes.len() - 1
                });
                node = &mut node.nodes[at];
            }
            if node.methods.iter().all(|other| other.name != method.name) {
                node.methods.push(method);
            }
        }
        root
    }

    /// The name within the parent namespace.
    pub(crate) fn name(&self) -> &'a str {
        self.path.last().copied().unwrap_or_default()
    }

    /// The full name: `calc.statistics`.
    pub(crate) fn full_name(&self) -> String {
        self.path.join(".")
    }

    /// All namespaces in post-order: inner ones first, the root last.
    pub(crate) fn inner_first(&self) -> Vec<&Self> {
        let mut all: Vec<_> = self.nodes.iter().flat_map(Self::inner_first).collect();
        all.push(self);
        all
    }

    /// All namespaces in pre-order: the root first.
    pub(crate) fn outer_first(&self) -> Vec<&Self> {
        let inner = self.nodes.iter().flat_map(Self::outer_first);
        std::iter::once(self).chain(inner).collect()
    }
}
