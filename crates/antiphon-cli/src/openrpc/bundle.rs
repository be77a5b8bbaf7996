//! Several files → one document.
//!
//! Parts of other files are copied into `components`, each once, and references name the copies. So
//! circles between files become circles within the document.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;

use super::files::{Files, Unread};
use super::limits::{MAX_COPIED, MAX_HOPS, MAX_NOTES};
use super::place::{At, Place, decoded, escaped, steps};
use super::value::Json;
use super::versions::{self, Version};

/// A document that is complete in itself.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) json: Json,
    /// Whether parts come from other files.
    pub(crate) is_bundled: bool,
    /// What was passed over, each with its place.
    pub(crate) notes: Vec<String>,
}

/// A document that is being put together.
pub(super) struct Bundle {
    pub(super) files: Files,
    /// The names of all parts, by section of `components` and place.
    names: HashMap<(&'static str, Place), String>,
    taken: HashSet<(&'static str, String)>,
    /// Parts that are not copied yet. A queue avoids recursion, as chains of references may have
    /// any length.
    waiting: VecDeque<(&'static str, String, Place)>,
    copied: usize,
    notes: Vec<String>,
    unsaid: usize,
}

/// The sections of `components` that references may lead to. A part of another file is copied into
/// the first of a kind.
const SECTIONS: [&str; 8] = [
    "schemas",
    "contentDescriptors",
    "errors",
    "tags",
    "examples",
    "examplePairings",
    "examplePairingObjects",
    "links",
];

impl Bundle {
    pub(super) fn new(files: Files) -> Self {
        Self {
            files,
            names: HashMap::new(),
            taken: HashSet::new(),
            waiting: VecDeque::new(),
            copied: 0,
            notes: Vec::new(),
            unsaid: 0,
        }
    }

    pub(super) fn read(
        mut self,
        text: &str,
        name: &str,
        path: Option<&Path>,
    ) -> Result<Document, String> {
        let root = serde_json::from_str(text);
        let root: Json = root.map_err(|error| format!("{name}: no JSON: {error}"))?;
        self.files.first(name, path, root);
        let root = self.files.json(0);
        let place = Place {
            file: 0,
            pointer: String::new(),
        };
        let at = At::new(&place);
        let Some(version) = root.get("openrpc") else {
            return Err(self.fault(&at, "no OpenRPC document: it has no `openrpc`"));
        };
        let version = version.as_str().unwrap_or_default();
        if Version::of(version).is_none() {
            let told = format!("OpenRPC {version:?} is not read: versions 1.0 to 1.4 are");
            return Err(self.fault(&at.member("openrpc"), &told));
        }
        self.name_components(&root, &at)?;
        let mut members = Vec::new();
        for (name, value) in root.members() {
            let at = at.member(name);
            let value = match &**name {
                "methods" => self.methods(value, &at)?,
                "components" => self.components(value, &at)?,
                "x-namespaces" if !is_texts(value) => continue,
                "servers" => versions::servers(value),
                "info" => versions::info(value),
                _ if *value == Json::Null => continue,
                _ => value.clone(),
            };
            members.push((name.clone(), value));
        }
        if root.get("info").is_none() {
            members.push(("info".to_owned(), versions::info(&Json::Null)));
        }
        if root.get("methods").is_none() {
            return Err(self.fault(&at, "no OpenRPC document: it has no `methods`"));
        }
        let copies = self.copies()?;
        add(&mut members, copies);
        if self.unsaid > 0 {
            self.notes
                .push(format!("and {} more of this kind", self.unsaid));
        }
        Ok(Document {
            is_bundled: self.files.count() > 1,
            json: Json::Object(members),
            notes: self.notes,
        })
    }

    /// Reserves the names of the document's own components. One that is nothing but a reference to
    /// another file gives its name to what it refers to.
    fn name_components(&mut self, root: &Json, at: &At<'_>) -> Result<(), String> {
        let components = at.member("components");
        for section in SECTIONS {
            let parts = root.get("components").and_then(|all| all.get(section));
            let at = components.member(section);
            for (name, part) in parts.map_or(&[][..], Json::members) {
                self.taken.insert((section, name.clone()));
                if let Some(place) = self.stands_for(part, &at.member(name))? {
                    self.names
                        .entry((section, place))
                        .or_insert_with(|| name.clone());
                }
            }
        }
        Ok(())
    }

    /// The place in another file that a component is the name of.
    fn stands_for(&mut self, part: &Json, at: &At<'_>) -> Result<Option<Place>, String> {
        let (Some(reference), [_]) = (part.text("$ref"), part.members()) else {
            return Ok(None);
        };
        match self.target(reference, at) {
            Ok(place) if place.file != at.file => Ok(Some(place)),
            Ok(_) | Err(Unread::Elsewhere(_)) => Ok(None),
            Err(Unread::Fault(error)) => Err(self.fault(&at.member("$ref"), &error)),
        }
    }

    fn components(&mut self, components: &Json, at: &At<'_>) -> Result<Json, String> {
        let mut sections = Vec::new();
        for (name, parts) in components.members() {
            let at = at.member(name);
            let Some(section) = SECTIONS.into_iter().find(|section| section == name) else {
                sections.push((name.clone(), parts.clone()));
                continue;
            };
            let mut copied = Vec::new();
            for (name, part) in parts.members() {
                let at = at.member(name);
                let named = self.stands_for(part, &at)?;
                let own = named.filter(|place| {
                    let known = self.names.get(&(section, place.clone()));
                    known.is_some_and(|known| known == name)
                });
                let part = match own {
                    Some(place) => self.copy(section, &place)?,
                    None => self.part(section, part, &at)?,
                };
                copied.push((name.clone(), part));
            }
            sections.push((name.clone(), Json::Object(copied)));
        }
        Ok(Json::Object(sections))
    }

    /// Copies the parts that references have named, and those that these name, and so on.
    fn copies(&mut self) -> Result<Vec<(&'static str, String, Json)>, String> {
        let mut copies = Vec::new();
        while let Some((section, name, place)) = self.waiting.pop_front() {
            copies.push((section, name, self.copy(section, &place)?));
        }
        Ok(copies)
    }

    fn copy(&mut self, section: &'static str, place: &Place) -> Result<Json, String> {
        let json = self.files.json(place.file);
        let at = At::new(place);
        let Some(part) = json.at(&place.pointer) else {
            return Err(self.fault(&at, "leads to nothing"));
        };
        self.copied = self.copied.saturating_add(part.count());
        if self.copied > MAX_COPIED {
            return Err(self.fault(&at, "the files refer to more than a document can have"));
        }
        self.part(section, part, &at)
    }

    /// A part of `components`, with its references.
    pub(super) fn part(
        &mut self,
        section: &'static str,
        part: &Json,
        at: &At<'_>,
    ) -> Result<Json, String> {
        match section {
            "schemas" => match versions::schema(part) {
                Some(inner) => self.schema(inner, &at.member("schema")),
                None => self.schema(part, at),
            },
            _ if part.text("$ref").is_some() => self.shared(section, part, at),
            "contentDescriptors" => self.content(part, at),
            "errors" => Ok(Self::error(part)),
            _ => Ok(part.clone()),
        }
    }

    /// A member that may be a reference to a shared part.
    pub(super) fn shared(
        &mut self,
        section: &'static str,
        part: &Json,
        at: &At<'_>,
    ) -> Result<Json, String> {
        if part.text("$ref").is_none() {
            return self.part(section, part, at);
        }
        let (place, _) = self.resolve(part, at)?;
        let reference = self.name_of(section, place);
        Ok(Json::Object(vec![(
            "$ref".to_owned(),
            Json::String(reference),
        )]))
    }

    /// Follows references until one leads to something else, and returns its place.
    pub(super) fn resolve(&mut self, part: &Json, at: &At<'_>) -> Result<(Place, Json), String> {
        let (mut place, mut part) = (at.place(), part.clone());
        for _ in 0..MAX_HOPS {
            let Some(reference) = part.text("$ref") else {
                return Ok((place, part));
            };
            let here = At::new(&place);
            let there = self
                .target(reference, &here)
                .map_err(|unread| match unread {
                    Unread::Elsewhere(why) => format!("{reference:?} cannot be read: {why}"),
                    Unread::Fault(error) => error,
                });
            let there = there.map_err(|error| self.fault(&here.member("$ref"), &error))?;
            let json = self.files.json(there.file);
            let Some(found) = json.at(&there.pointer) else {
                let told = format!("{reference:?} leads to nothing");
                return Err(self.fault(&here.member("$ref"), &told));
            };
            (part, place) = (found.clone(), there);
        }
        Err(self.fault(
            at,
            &format!("a reference leads to more than {MAX_HOPS} others"),
        ))
    }

    /// The place that a reference names.
    pub(super) fn target(&mut self, reference: &str, at: &At<'_>) -> Result<Place, Unread> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let file = match file {
            "" => at.file,
            file => self.files.open(at.file, file)?,
        };
        let pointer = decoded(fragment);
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(Unread::Elsewhere(format!("{pointer:?} is no JSON pointer")));
        }
        Ok(Place { file, pointer })
    }

    /// A reference within the document to a part, which is copied if it is not a component already.
    pub(super) fn name_of(&mut self, section: &'static str, place: Place) -> String {
        let path: Vec<_> = steps(&place.pointer).collect();
        if let ([components, known, _], 0) = (&path[..], place.file)
            && components == "components"
            && (known == section
                || (section, &**known) == ("examplePairings", "examplePairingObjects"))
        {
            return format!("#{}", place.pointer);
        }
        let key = (section, place);
        let name = match self.names.get(&key) {
            Some(name) => name.clone(),
            None => {
                let name = self.free_name(section, &path, key.1.file);
                self.names.insert(key.clone(), name.clone());
                self.waiting.push_back((section, name.clone(), key.1));
                name
            }
        };
        format!("#/components/{section}/{}", escaped(&name))
    }

    /// A name for a part: the last one on the way to it, with that of the file if it is taken.
    fn free_name(&mut self, section: &'static str, path: &[String], file: usize) -> String {
        let is_name = |step: &&String| step.parse::<u64>().is_err();
        let stem = self.files.stem(file).to_owned();
        let name = path.iter().rev().find(is_name).unwrap_or(&stem);
        let longer = format!("{stem} {name}");
        let numbered = (2_u64..).map(|number| format!("{longer} {number}"));
        let mut names = [name.clone(), longer.clone()].into_iter().chain(numbered);
        let free = |name: &String| self.taken.insert((section, name.clone()));
        names.find(free).unwrap_or(longer)
    }

    /// A fault at a place.
    pub(super) fn fault(&self, at: &At<'_>, what: &str) -> String {
        format!("{}#{at}: {what}", self.files.name(at.file))
    }

    /// Says that something was passed over.
    pub(super) fn note(&mut self, at: &At<'_>, what: &str) {
        let note = self.fault(at, what);
        self.say(note);
    }

    /// Says something about a place that is named in it.
    pub(super) fn say(&mut self, note: String) {
        match self.notes.len() < MAX_NOTES {
            true => self.notes.push(note),
            false => self.unsaid += 1,
        }
    }

    /// The version that a file is written in: its own, or else that of the document.
    pub(super) fn version(&self, file: usize) -> Option<Version> {
        let of = |file| Version::of(self.files.json(file).text("openrpc")?);
        of(file).or_else(|| of(0))
    }
}

/// Adds copied parts to the components of a document.
fn add(members: &mut Vec<(String, Json)>, copies: Vec<(&'static str, String, Json)>) {
    let mut sections: HashMap<&str, Vec<(String, Json)>> = HashMap::new();
    for (section, name, part) in copies {
        sections.entry(section).or_default().push((name, part));
    }
    if sections.is_empty() {
        return;
    }
    extend(members, "components", |components| {
        for section in SECTIONS {
            if let Some(parts) = sections.remove(section) {
                extend(components, section, |known| known.extend(parts));
            }
        }
    });
}

/// Changes the members of a member, which is made if it is missing.
fn extend(
    members: &mut Vec<(String, Json)>,
    name: &str,
    change: impl FnOnce(&mut Vec<(String, Json)>),
) {
    match members.iter_mut().rfind(|(key, _)| key == name) {
        Some((_, Json::Object(inner))) => change(inner),
        _ => {
            let mut inner = Vec::new();
            change(&mut inner);
            members.push((name.to_owned(), Json::Object(inner)));
        }
    }
}

/// Whether all members are texts.
pub(super) fn is_texts(json: &Json) -> bool {
    matches!(json, Json::Object(_))
        && json
            .members()
            .iter()
            .all(|(_, text)| text.as_str().is_some())
}
