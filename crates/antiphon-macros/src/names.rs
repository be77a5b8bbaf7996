//! Remote names of methods and parameters.

use proc_macro2::{Ident, Span};

/// The naming conventions of `rename_all`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rename {
    Camel,
    Pascal,
    Snake,
    ScreamingSnake,
    Kebab,
}

impl Rename {
    /// The conventions by name, for parsing and for error messages.
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("camelCase", Self::Camel),
        ("PascalCase", Self::Pascal),
        ("snake_case", Self::Snake),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("kebab-case", Self::Kebab),
    ];

    pub(crate) fn of(name: &str) -> Option<Self> {
        let (_, rule) = Self::ALL.iter().find(|(known, _)| *known == name)?;
        Some(*rule)
    }

    /// Applies the convention to a `snake_case` name.
    pub(crate) fn apply(self, name: &str) -> String {
        let words = name.split('_').filter(|word| !word.is_empty());
        match self {
            Self::Snake => name.to_owned(),
            Self::ScreamingSnake => name.to_uppercase(),
            Self::Kebab => words.collect::<Vec<_>>().join("-"),
            Self::Pascal => words.map(capital).collect(),
            Self::Camel => words
                .enumerate()
                .map(|(n, word)| {
                    if n == 0 {
                        word.to_owned()
                    } else {
                        capital(word)
                    }
                })
                .collect(),
        }
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Turns the name of a variant into a sentence: `OutOfStock` → "Out of stock".
pub(crate) fn words(name: &str) -> String {
    let mut text = String::new();
    let mut before = None;
    for c in name.chars() {
        let starts = c.is_uppercase() && before.is_some_and(|b: char| b.is_lowercase());
        if c == '_' || starts {
            text.push(' ');
        }
        match (c, before) {
            ('_', _) => {}
            (_, None) => text.extend(c.to_uppercase()),
            _ => text.extend(c.to_lowercase()),
        }
        before = Some(c);
    }
    text
}

/// The identifier of a client's method. Names that are not Rust identifiers (`rpc_type`, `rpc_2d`),
/// and `new`, which the client already has, become similar identifiers.
pub(crate) fn client_method(stem: &str, span: Span) -> Ident {
    if stem == "new" {
        return Ident::new("new_", span);
    }
    let starts_well = stem.starts_with(|c: char| c.is_alphabetic() || c == '_');
    match syn::parse_str::<Ident>(stem) {
        Ok(_) => Ident::new(stem, span),
        Err(_) if !starts_well => Ident::new(&format!("_{stem}"), span),
        // These five cannot be raw identifiers (`r#…`).
        Err(_) if matches!(stem, "self" | "Self" | "super" | "crate" | "_") => {
            Ident::new(&format!("{stem}_"), span)
        }
        Err(_) => Ident::new_raw(stem, span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_renames_every_word() {
        let renamed = Rename::ALL.map(|(_, rule)| rule.apply("open_new_file"));
        assert_eq!(
            renamed,
            [
                "openNewFile",
                "OpenNewFile",
                "open_new_file",
                "OPEN_NEW_FILE",
                "open-new-file"
            ]
        );
        assert_eq!(Rename::Camel.apply("add"), "add");
    }

    #[test]
    fn a_variant_reads_as_a_sentence() {
        for (name, sentence) in [
            ("OutOfStock", "Out of stock"),
            ("Gone", "Gone"),
            ("HTTP", "Http"),
            ("Old_Name", "Old name"),
        ] {
            assert_eq!(words(name), sentence);
        }
    }

    #[test]
    fn a_client_has_a_method_for_every_name() {
        for (stem, ident) in [
            ("add", "add"),
            ("type", "r#type"),
            ("self", "self_"),
            ("new", "new_"),
            ("2d", "_2d"),
        ] {
            assert_eq!(client_method(stem, Span::call_site()).to_string(), ident);
        }
    }
}
