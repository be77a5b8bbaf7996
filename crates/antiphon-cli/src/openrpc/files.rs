//! Files of a document: which may be read, and how many.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::place::decoded;
use super::remote::{Fetch, joined};
use super::value::Json;

/// Maximum count of files, the first one included.
const MAX_FILES: usize = 256;

/// Maximum size of all files that references lead to, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// How many folders above a file its references may be written from.
const MAX_ABOVE: usize = 8;

/// The files of a document.
pub(crate) struct Files {
    /// The folder of the first file; `None` if the document is no file.
    root: Option<PathBuf>,
    allow_outside: bool,
    /// How files behind URLs are read, if at all.
    remote: Option<Fetch>,
    read: Vec<OneFile>,
    /// The files by path or by URL.
    known: HashMap<PathBuf, usize>,
    left: u64,
}

struct OneFile {
    /// The name in messages.
    name: String,
    base: Base,
    json: Rc<Json>,
}

/// What references in a file are relative to.
enum Base {
    Nothing,
    Folder(PathBuf),
    Url(String),
}

/// Why a reference to a file is not followed.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is none of the files that are read: the document is usable without it.
    Elsewhere(String),
    /// The user has to do something about it.
    Fault(String),
}

impl Files {
    /// The files beside one, and in folders below its own.
    pub(crate) fn beside(path: &Path, allow_outside: bool) -> Self {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize();
        Self {
            root: folder.ok(),
            allow_outside,
            ..Self::none()
        }
    }

    /// No files: those of a document that came over a network or a pipe.
    pub(crate) fn none() -> Self {
        Self {
            root: None,
            allow_outside: false,
            remote: None,
            read: Vec::new(),
            known: HashMap::new(),
            left: MAX_BYTES,
        }
    }

    /// Follows URLs, too.
    pub(crate) fn with_remote(mut self, remote: Option<Fetch>) -> Self {
        self.remote = remote;
        self
    }

    /// Adds the first file.
    pub(super) fn first(&mut self, name: &str, path: Option<&Path>, json: Json) {
        if let Some(Ok(path)) = path.map(Path::canonicalize) {
            self.known.insert(path, 0);
        }
        self.read.push(OneFile {
            name: name.to_owned(),
            base: self.root.clone().map_or(Base::Nothing, Base::Folder),
            json: Rc::new(json),
        });
    }

    pub(super) fn json(&self, file: usize) -> Rc<Json> {
        Rc::clone(&self.read[file].json)
    }

    pub(super) fn count(&self) -> usize {
        self.read.len()
    }

    pub(super) fn name(&self, file: usize) -> &str {
        &self.read[file].name
    }

    /// The words that a type in this file may be named after: the file name without its ending.
    pub(super) fn stem(&self, file: usize) -> &str {
        let name = self.name(file);
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        name.split('.').next().unwrap_or(name)
    }

    /// Reads the file that a reference in another one names.
    pub(super) fn open(&mut self, from: usize, reference: &str) -> Result<usize, Unread> {
        let url = match &self.read[from].base {
            _ if reference.contains("://") => Some(reference.to_owned()),
            Base::Url(base) => Some(joined(base, reference)),
            _ => None,
        };
        if let Some(url) = url {
            return self.open_url(url);
        }
        let (Some(root), Base::Folder(folder)) = (&self.root, &self.read[from].base) else {
            let what = "a document that is no file has no files beside it";
            return Err(Unread::Elsewhere(what.to_owned()));
        };
        let path = self.find(root, folder, &decoded(reference))?;
        if let Some(&file) = self.known.get(&path) {
            return Ok(file);
        }
        let name = match path.strip_prefix(root) {
            Ok(inner) => inner.display().to_string(),
            Err(_) => path.display().to_string(),
        };
        let max = self.room(&name)?;
        let fault = |error: std::io::Error| Unread::Fault(format!("{name}: {error}"));
        let mut text = String::new();
        let file = File::open(&path).map_err(fault)?;
        file.take(max + 1)
            .read_to_string(&mut text)
            .map_err(fault)?;
        let base = path
            .parent()
            .map_or(Base::Nothing, |folder| Base::Folder(folder.to_owned()));
        self.add(path, name, base, &text)
    }

    fn open_url(&mut self, url: String) -> Result<usize, Unread> {
        let key = PathBuf::from(&url);
        if let Some(&file) = self.known.get(&key) {
            return Ok(file);
        }
        let Some(remote) = &self.remote else {
            let what = "URLs are not followed without --allow-remote";
            return Err(Unread::Elsewhere(what.to_owned()));
        };
        let fetched = remote.get(&url, self.room(&url)?);
        let text = fetched.map_err(|error| Unread::Fault(format!("{url}: {error}")))?;
        self.add(key, url.clone(), Base::Url(url), &text)
    }

    /// How many bytes one more file may have.
    fn room(&self, name: &str) -> Result<u64, Unread> {
        match self.read.len() < MAX_FILES {
            true => Ok(self.left),
            false => {
                let what = format!("{name}: the document has more than {MAX_FILES} files");
                Err(Unread::Fault(what))
            }
        }
    }

    fn add(&mut self, key: PathBuf, name: String, base: Base, text: &str) -> Result<usize, Unread> {
        let fault = |error: String| Unread::Fault(format!("{name}: {error}"));
        self.left = self.left.checked_sub(text.len() as u64).ok_or_else(|| {
            fault(format!(
                "the files of the document have more than {MAX_BYTES} bytes"
            ))
        })?;
        let json =
            serde_json::from_str(text).map_err(|error| fault(format!("no JSON: {error}")))?;
        let file = self.read.len();
        self.read.push(OneFile {
            json: Rc::new(json),
            name,
            base,
        });
        self.known.insert(key, file);
        Ok(file)
    }

    /// The path of a file that may be read. Nothing outside of the root is looked at, unless that
    /// is allowed.
    fn find(&self, root: &Path, folder: &Path, reference: &str) -> Result<PathBuf, Unread> {
        let fault = |what: &str| Unread::Fault(format!("{reference:?} {what}"));
        let allowed = |path: &Path| self.allow_outside || path.starts_with(root);
        // Documents of several files are often written from a folder above: `./api/x.json` in a
        // file of the folder `api`.
        let paths = folder
            .ancestors()
            .take(MAX_ABOVE)
            .map(|from| plain(&from.join(reference)));
        let paths: Vec<_> = paths.collect();
        if !paths.first().is_some_and(|path| allowed(path)) {
            return Err(fault(
                "is outside of the document's folder: see --allow-outside",
            ));
        }
        let mut paths = paths.into_iter().filter(|path| allowed(path));
        // Only files: to open a pipe could wait forever.
        let Some(path) = paths.find(|path| path.is_file()) else {
            return Err(fault("leads to no file"));
        };
        let path = path
            .canonicalize()
            .map_err(|error| fault(&format!("cannot be read: {error}")))?;
        match allowed(&path) {
            true => Ok(path),
            false => Err(fault(
                "leads out of the document's folder: see --allow-outside",
            )),
        }
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
