//! Detection of recursive types: values that contain their own type, and aliases of themselves.

use super::model::{Shape, Type, TypeDef, TypeId};

/// Replaces by `Any` what makes a type an alias of itself, or of one of its own variants. Such a
/// type describes no value, and no target language can express it.
pub(crate) fn break_up(types: &mut [TypeDef]) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        Open,
        Done,
    }
    let mut seen = vec![Seen::Not; types.len()];
    for start in 0..types.len() {
        if seen[start] != Seen::Not {
            continue;
        }
        seen[start] = Seen::Open;
        // An explicit stack: a chain of types may be as long as the document.
        let mut path = vec![(start, 0)];
        while let Some((id, at)) = path.pop() {
            let Some(next) = same(&types[id].shape, at) else {
                seen[id] = Seen::Done;
                continue;
            };
            path.push((id, at + 1));
            match next {
                Some(next) if seen[next] == Seen::Open => forget(&mut types[id].shape, at),
                Some(next) if seen[next] == Seen::Not => {
                    seen[next] = Seen::Open;
                    path.push((next, 0));
                }
                _ => {}
            }
        }
    }
}

/// The type of variant `at`, or the target of an alias, if it is a named one. The outer `None`
/// follows the last variant.
fn same(shape: &Shape, at: usize) -> Option<Option<TypeId>> {
    let ty = match shape {
        Shape::Alias(ty) if at == 0 => ty,
        Shape::Union(union) => &union.variants.get(at)?.ty,
        _ => return None,
    };
    Some(match ty {
        Type::Named(id) => Some(*id),
        Type::Nullable(inner) => match **inner {
            Type::Named(id) => Some(id),
            _ => None,
        },
        _ => None,
    })
}

fn forget(shape: &mut Shape, at: usize) {
    match shape {
        Shape::Alias(ty) => *ty = Type::Any,
        Shape::Union(union) => {
            if let Some(variant) = union.variants.get_mut(at) {
                variant.ty = Type::Any;
            }
        }
        _ => {}
    }
}

/// For each type, whether a value can directly contain another value of the type, without an array
/// or a map in between. Such a type has infinite size unless it is boxed.
pub(crate) fn endless(types: &[TypeDef]) -> Vec<bool> {
    in_circles(&types.iter().map(|def| held(&def.shape)).collect::<Vec<_>>())
}

/// For each type, whether it is an alias whose target mentions the alias again, such as a list of
/// itself. Some languages need a new type instead of such an alias.
pub(crate) fn knotted(types: &[TypeDef]) -> Vec<bool> {
    let edges = types.iter().map(|def| {
        let mut named = Vec::new();
        if let Shape::Alias(ty) = &def.shape {
            mentioned(ty, &mut named);
        }
        named
    });
    in_circles(&edges.collect::<Vec<_>>())
}

/// Collects all named types that a type mentions.
fn mentioned(ty: &Type, named: &mut Vec<TypeId>) {
    match ty {
        Type::Named(id) => named.push(*id),
        Type::Nullable(inner) | Type::Array(inner) | Type::Map(inner) => mentioned(inner, named),
        Type::Tuple(items) => items.iter().for_each(|item| mentioned(item, named)),
        _ => {}
    }
}

/// For each node, whether it is on a cycle.
fn in_circles(edges: &[Vec<TypeId>]) -> Vec<bool> {
    let components = components(edges);
    let mut sizes = vec![0_usize; edges.len()];
    for &component in &components {
        sizes[component] += 1;
    }
    let itself = |id: TypeId| edges[id].contains(&id);
    (0..edges.len())
        .map(|id| sizes[components[id]] > 1 || itself(id))
        .collect()
}

/// The named types that a value contains directly, without an array or a map in between.
fn held(shape: &Shape) -> Vec<TypeId> {
    fn of(ty: &Type, held: &mut Vec<TypeId>) {
        match ty {
            Type::Named(id) => held.push(*id),
            Type::Nullable(inner) => of(inner, held),
            Type::Tuple(items) => items.iter().for_each(|item| of(item, held)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    match shape {
        Shape::Struct(shape) => {
            let fields = shape.fields.iter().chain(&shape.choices);
            fields.for_each(|field| of(&field.ty, &mut all));
        }
        Shape::Union(union) => union.variants.iter().for_each(|one| of(&one.ty, &mut all)),
        Shape::Alias(ty) => of(ty, &mut all),
        Shape::Enum(_) => {}
    }
    all
}

/// For each node, the number of its strongly connected component (Tarjan's algorithm, iterative).
fn components(edges: &[Vec<TypeId>]) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let mut index = vec![NONE; edges.len()];
    let mut low = vec![0; edges.len()];
    let mut component = vec![NONE; edges.len()];
    let mut open = Vec::new();
    let (mut next, mut count) = (0, 0);
    for start in 0..edges.len() {
        if index[start] != NONE {
            continue;
        }
        let mut path = vec![(start, 0)];
        while let Some((node, at)) = path.pop() {
            if at == 0 {
                index[node] = next;
                low[node] = next;
                next += 1;
                open.push(node);
            }
            if let Some(&to) = edges[node].get(at) {
                path.push((node, at + 1));
                if index[to] == NONE {
                    path.push((to, 0));
                } else if component[to] == NONE {
                    low[node] = low[node].min(index[to]);
                }
                continue;
            }
            if low[node] == index[node] {
                while let Some(member) = open.pop() {
                    component[member] = count;
                    if member == node {
                        break;
                    }
                }
                count += 1;
            }
            if let Some(&(parent, _)) = path.last() {
                low[parent] = low[parent].min(low[node]);
            }
        }
    }
    component
}
