//! Checks of the imports between files: there is no cycle, and the folders form layers.
//!
//! A path is followed through re-exports to the file that defines its item. So no file depends on a
//! `mod.rs` that has only documentation, `mod` items and re-exports. Code under `#[cfg(test)]` is
//! ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter::Peekable;
use std::path::Path;
use std::vec::IntoIter;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::root;

/// The files, modules, re-exports and paths of a crate.
#[derive(Default)]
struct Crate {
    /// The file of each module, as `router/mod.rs`.
    modules: BTreeMap<Vec<String>, String>,
    /// The path behind each re-export, by module and name.
    exports: BTreeMap<(Vec<String>, String), Vec<String>>,
    /// Glob re-exports: the re-exported modules, by module.
    globs: BTreeMap<Vec<String>, Vec<Vec<String>>>,
    /// Each file, its module, and the paths that it names.
    named: Vec<(String, Vec<String>, Vec<Vec<String>>)>,
}

/// The imports between files, with their paths.
type Edges = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

impl Crate {
    /// Reads a crate, starting with its root file, as the compiler does.
    fn read(folder: &Path) -> Self {
        let mut read = Self::default();
        let mut names = ["lib.rs", "main.rs"].into_iter();
        let root = names.find(|name| folder.join(name).exists());
        read.file(folder, root.expect("a root file"), Vec::new());
        read
    }

    fn file(&mut self, folder: &Path, file: &str, module: Vec<String>) {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let known = self.modules.entry(module.clone());
        known.or_insert_with(|| file.to_owned());
        let mut scan = Scan::default();
        let tokens: TokenStream = text.parse().expect("Rust");
        scan.stream(tokens, true);
        let below = match file.rsplit_once('/') {
            Some((below, "mod.rs")) => format!("{below}/"),
            None if matches!(file, "lib.rs" | "main.rs") => String::new(),
            _ => format!("{}/", file.trim_end_matches(".rs")),
        };
        let beside = file.rsplit_once('/').map_or("", |(beside, _)| beside);
        for (name, other) in &scan.modules {
            let inner: Vec<_> = module.iter().chain([name]).cloned().collect();
            let candidates = [format!("{below}{name}.rs"), format!("{below}{name}/mod.rs")];
            let found = candidates.iter().find(|file| folder.join(file).exists());
            if let Some(found) = found {
                self.file(folder, found, inner.clone());
            }
            if let Some(other) = other {
                let beside = format!("{beside}/{other}");
                self.file(folder, beside.trim_start_matches('/'), inner);
            }
        }
        let children: BTreeSet<_> = scan.modules.iter().map(|(name, _)| name.clone()).collect();
        let absolute = |path: &Vec<String>| absolute(path, &module, &children);
        for (name, path) in &scan.exports {
            let Some(path) = absolute(path) else { continue };
            match name.as_str() {
                "*" => self.globs.entry(module.clone()).or_default().push(path),
                _ => drop(self.exports.insert((module.clone(), name.clone()), path)),
            }
        }
        let used = |(name, _): &&(String, Vec<String>)| scan.words.contains(name);
        let own = scan.exports.iter().filter(used).map(|(_, path)| path);
        let named = scan.named.iter().chain(own).filter_map(absolute).collect();
        self.named.push((file.to_owned(), module, named));
    }

    /// The file that defines the item at this path.
    fn definition(&self, path: &[String], steps: usize) -> Option<&str> {
        let mut module = Vec::new();
        let mut rest = path;
        while let [first, others @ ..] = rest {
            let inner: Vec<_> = module.iter().chain([first]).cloned().collect();
            if self.modules.contains_key(&inner) {
                (module, rest) = (inner, others);
                continue;
            }
            if steps == 0 {
                return None;
            }
            if let Some(target) = self.exports.get(&(module.clone(), first.clone())) {
                let target: Vec<_> = target.iter().chain(others).cloned().collect();
                return self.definition(&target, steps - 1);
            }
            break;
        }
        self.modules.get(&module).map(String::as_str)
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (file, _, named) in &self.named {
            let targets = edges.entry(file.clone()).or_default();
            for path in named {
                if let Some(target) = self.definition(path, 8)
                    && target != file
                {
                    let paths = targets.entry(target.to_owned()).or_default();
                    paths.insert(path.join("::"));
                }
            }
        }
        edges
    }
}

/// The path from the crate root; `None` for a path to another crate.
fn absolute(
    path: &[String],
    module: &[String],
    children: &BTreeSet<String>,
) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut from = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module.split_last()?.1.to_vec(),
        child if children.contains(child) => [module, &[child.to_owned()]].concat(),
        _ => return None,
    };
    let mut rest = rest;
    while let [first, others @ ..] = rest
        && first == "super"
    {
        from.pop();
        rest = others;
    }
    from.extend(rest.iter().cloned());
    Some(from)
}

/// The modules, re-exports and paths in one file.
#[derive(Default)]
struct Scan {
    /// Modules in separate files, with the file that replaces the module in some builds.
    modules: Vec<(String, Option<String>)>,
    exports: Vec<(String, Vec<String>)>,
    named: Vec<Vec<String>>,
    /// Words outside of imports: a name that is exported may also be used in the file itself.
    words: BTreeSet<String>,
}

type Tokens = Peekable<IntoIter<TokenTree>>;

fn tokens(stream: TokenStream) -> Tokens {
    stream
        .into_iter()
        .collect::<Vec<_>>()
        .into_iter()
        .peekable()
}

fn is(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

impl Scan {
    /// Visits tokens. Only `mod` items at the top level of a file are modules; inner ones are part
    /// of the file.
    fn stream(&mut self, stream: TokenStream, top: bool) {
        let mut rest = tokens(stream);
        let mut public = false;
        let mut stand_in = None;
        let mut before_path = false;
        while let Some(token) = rest.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if is(rest.peek(), '!') {
                        rest.next();
                    }
                    if let Some(TokenTree::Group(attribute)) = rest.next() {
                        let text = attribute.stream().to_string().replace(' ', "");
                        if text.starts_with("cfg(test)") || text.starts_with("cfg(all(test") {
                            skip_item(&mut rest);
                        } else if let Some((_, path)) = text.split_once("path=\"") {
                            stand_in = path.split('"').next().map(str::to_owned);
                        } else if !text.starts_with("doc") {
                            self.stream(attribute.stream(), false);
                        }
                    }
                }
                TokenTree::Group(group) => {
                    let is_visibility = public && group.delimiter() == Delimiter::Parenthesis;
                    if !is_visibility {
                        self.stream(group.stream(), false);
                        public = false;
                    }
                }
                TokenTree::Ident(word) => match word.to_string().as_str() {
                    "pub" => public = true,
                    "mod" if top => {
                        if let Some(TokenTree::Ident(name)) = rest.next()
                            && is(rest.peek(), ';')
                        {
                            self.modules.push((name.to_string(), stand_in.take()));
                        }
                        (public, stand_in) = (false, None);
                    }
                    "use" => {
                        let is_export = std::mem::take(&mut public) && top;
                        self.import(&mut rest, is_export);
                    }
                    word if !before_path => {
                        public = false;
                        self.words.insert(word.to_owned());
                        self.path(word.to_owned(), &mut rest);
                    }
                    _ => {}
                },
                TokenTree::Punct(punct) => {
                    // A word after `::`, `.` or `$` does not begin a path.
                    before_path = matches!(punct.as_char(), ':' | '.' | '$')
                        && !(punct.as_char() == ':' && !is(rest.peek(), ':') && !before_path);
                    continue;
                }
                TokenTree::Literal(_) => {}
            }
            before_path = false;
        }
    }

    /// Reads a path that begins with this word, if it has at least two segments.
    fn path(&mut self, first: String, rest: &mut Tokens) {
        let mut path = vec![first];
        while is(rest.peek(), ':') {
            let mut ahead = rest.clone();
            ahead.next();
            if !is(ahead.peek(), ':') {
                break;
            }
            ahead.next();
            let Some(TokenTree::Ident(segment)) = ahead.next() else {
                break;
            };
            path.push(segment.to_string());
            *rest = ahead;
        }
        if path.len() > 1 {
            self.named.push(path);
        }
    }

    /// Reads a `use` declaration after the keyword, up to the semicolon.
    fn import(&mut self, rest: &mut Tokens, is_export: bool) {
        let mut tree = Vec::new();
        for token in rest.by_ref() {
            if is(Some(&token), ';') {
                break;
            }
            tree.push(token);
        }
        self.tree(tree, &[], is_export);
    }

    fn tree(&mut self, tree: Vec<TokenTree>, prefix: &[String], is_export: bool) {
        let mut path = prefix.to_vec();
        let mut alias = None;
        let mut rest = tree.into_iter().peekable();
        while let Some(token) = rest.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = rest.next().map(|name| name.to_string());
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".to_owned()),
                TokenTree::Group(group) => {
                    let mut part = Vec::new();
                    for token in group.stream() {
                        match is(Some(&token), ',') {
                            true => self.tree(std::mem::take(&mut part), &path, is_export),
                            false => part.push(token),
                        }
                    }
                    return self.tree(part, &path, is_export);
                }
                _ => {}
            }
        }
        if path.len() == prefix.len() {
            return;
        }
        let mut name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
        if path
            .last()
            .is_some_and(|last| last == "self" || last == "*")
            && path.len() > 1
        {
            let last = path.pop();
            name = match last.as_deref() {
                Some("*") => "*".to_owned(),
                _ => path.last().cloned().unwrap_or_default(),
            };
        }
        match is_export {
            true => self.exports.push((name, path)),
            false => self.named.push(path),
        }
    }
}

/// Skips an item, up to the end of its semicolon or braces.
fn skip_item(rest: &mut Tokens) {
    for token in rest {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            _ => {}
        }
    }
}

/// The shortest cycle through each file that is part of a cycle.
fn cycles(edges: &Edges) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for start in edges.keys() {
        let mut ways = vec![vec![start.clone()]];
        let mut seen = BTreeSet::new();
        'search: while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                let last = way.last().unwrap();
                for target in edges.get(last).into_iter().flat_map(BTreeMap::keys) {
                    if target == start {
                        let least = (0..way.len()).min_by_key(|at| &way[*at]).unwrap();
                        let mut way = way.clone();
                        way.rotate_left(least);
                        found.insert(way);
                        break 'search;
                    }
                    if seen.insert(target.clone()) {
                        longer.push([&way[..], std::slice::from_ref(target)].concat());
                    }
                }
            }
            ways = longer;
        }
    }
    found
}

/// Describes a cycle, with the paths of its imports.
fn describe(cycle: &[String], edges: &Edges) -> String {
    let steps = (0..cycle.len()).map(|at| {
        let (from, to) = (&cycle[at], &cycle[(at + 1) % cycle.len()]);
        format!("  {from} uses {to}: {:?}\n", edges[from][to])
    });
    steps.collect()
}

fn read(name: &str) -> Crate {
    Crate::read(&root().join("crates").join(name).join("src"))
}

#[test]
fn imports_between_files_have_no_cycle() {
    let mut found = Vec::new();
    for name in [
        "antiphon-proto",
        "antiphon-macros",
        "antiphon",
        "antiphon-cli",
    ] {
        let edges = read(name).edges();
        let cycles = cycles(&edges);
        found.extend(
            cycles
                .iter()
                .map(|cycle| format!("{name}:\n{}", describe(cycle, &edges))),
        );
    }
    assert!(
        found.is_empty(),
        "{} cycles:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// The top-level folder or file that a file belongs to.
fn top_level(file: &str) -> String {
    match file.split_once('/') {
        Some((folder, _)) => format!("{folder}/"),
        None => file.to_owned(),
    }
}

/// The folders in topological order, each after those that it uses; `None` if there is a cycle.
fn layers(folders: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    while order.len() < folders.len() {
        let next = folders.iter().find(|(folder, uses)| {
            !order.contains(folder) && uses.iter().all(|used| order.contains(used))
        });
        order.push(next?.0.clone());
    }
    Some(order)
}

/// With `--nocapture` this test prints the layers.
#[test]
fn folders_form_layers() {
    let edges = read("antiphon").edges();
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, targets) in &edges {
        let uses = folders.entry(top_level(from)).or_default();
        uses.extend(
            targets
                .keys()
                .map(|to| top_level(to))
                .filter(|to| *to != top_level(from)),
        );
    }
    let layers = layers(&folders).expect("no cycle between the folders");
    for (layer, folder) in layers.iter().enumerate() {
        let uses: Vec<_> = folders[folder].iter().map(String::as_str).collect();
        println!("{layer:>2} {folder:<16} uses {}", uses.join(" "));
    }
    assert!(layers.len() > 15, "{layers:?}");
}

#[test]
fn cycles_of_any_length_are_found_through_re_exports() {
    let folder = std::env::temp_dir().join(format!("antiphon-imports-{}", std::process::id()));
    let files = [
        (
            "lib.rs",
            "mod a; mod b; mod c; mod d; #[cfg(test)] mod tests; pub use a::A;",
        ),
        (
            "a/mod.rs",
            "mod inner; pub(crate) use inner::{A, Other as Name};",
        ),
        (
            "a/inner.rs",
            "use crate::b::B; pub struct A(B); pub struct Other;",
        ),
        (
            "b.rs",
            "pub struct B; fn f() { m!(crate::c::C) } #[cfg(test)] mod tests { use crate::A; }",
        ),
        (
            "c.rs",
            "pub struct C; fn g(_: super::a::Name) {} // crate::b",
        ),
        (
            "d/mod.rs",
            "mod e; mod f; pub(crate) use e::E; pub(crate) use f::F; pub struct D(Box<E>);",
        ),
        ("d/e.rs", "use super::D; pub struct E(D);"),
        ("d/f.rs", "use super::D; pub struct F(D);"),
        ("tests.rs", "use crate::c::C;"),
    ];
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let edges = Crate::read(&folder).edges();
    let found = cycles(&edges);
    fs::write(folder.join("c.rs"), "pub struct C;").unwrap();
    fs::write(folder.join("d/e.rs"), "pub struct E;").unwrap();
    let repaired = cycles(&Crate::read(&folder).edges());
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        found,
        BTreeSet::from([
            ["a/inner.rs", "b.rs", "c.rs"].map(str::to_owned).to_vec(),
            ["d/e.rs", "d/mod.rs"].map(str::to_owned).to_vec(),
        ])
    );
    assert!(repaired.is_empty(), "{repaired:?}");
}
