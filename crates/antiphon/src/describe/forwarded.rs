//! Methods of other servers in the listings of the router that forwards them.

use std::collections::BTreeSet;

use crate::describe::remote::MAX_NAME;
use crate::describe::{Reader, Tree};

/// A method that is forwarded, for a listing.
pub(crate) struct Forwarded {
    pub(crate) name: String,
    pub(crate) doc: String,
    /// The prefix of its node.
    pub(crate) section: String,
}

impl Tree {
    /// The methods of other servers that are forwarded, as far as this reader may see them and those
    /// have described them. A method of this router hides one of the same name.
    pub(crate) fn forwarded(&self, reader: Reader) -> Vec<Forwarded> {
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        for remote in self.remotes(reader) {
            let Some((_, described)) = remote.source.described() else {
                continue;
            };
            let section = self.node(remote.node).prefix().to_owned();
            let seen_there = described.methods.iter();
            for method in seen_there.filter(|method| method.access <= reader.access()) {
                let name = format!("{section}{}", method.name);
                if name.len() <= MAX_NAME && !self.has(&name) && seen.insert(name.clone()) {
                    all.push(Forwarded {
                        name,
                        doc: method.doc.to_string(),
                        section: section.clone(),
                    });
                }
            }
        }
        all
    }
}
