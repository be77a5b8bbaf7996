//! The page that a browser gets, with all it needs: read, tried and watched without anything else.
//!
//! It is HTML, CSS and JavaScript as it stands in the files here. Nothing is built, and nothing comes
//! from anywhere else. All names in it are relative, so that it works below any path.

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A part of the page: its name below the path of the page, its media type, its text.
struct Part(&'static str, &'static str, &'static str);

macro_rules! part {
    ($file:literal, $media_type:expr) => {
        Part(concat!("assets/", $file), $media_type, include_str!($file))
    };
}

const PARTS: &[Part] = &[
    Part("", HTML, include_str!("index.html")),
    part!("style.css", CSS),
    part!("parts.css", CSS),
    part!("access.js", JAVASCRIPT),
    part!("answer.js", JAVASCRIPT),
    part!("batch.js", JAVASCRIPT),
    part!("compound.js", JAVASCRIPT),
    part!("console.js", JAVASCRIPT),
    part!("dom.js", JAVASCRIPT),
    part!("fields.js", JAVASCRIPT),
    part!("highlight.js", JAVASCRIPT),
    part!("history.js", JAVASCRIPT),
    part!("json.js", JAVASCRIPT),
    part!("list.js", JAVASCRIPT),
    part!("live.js", JAVASCRIPT),
    part!("main.js", JAVASCRIPT),
    part!("markdown.js", JAVASCRIPT),
    part!("method.js", JAVASCRIPT),
    part!("metrics.js", JAVASCRIPT),
    part!("openrpc.js", JAVASCRIPT),
    part!("plot.js", JAVASCRIPT),
    part!("route.js", JAVASCRIPT),
    part!("rpc.js", JAVASCRIPT),
    part!("schema.js", JAVASCRIPT),
    part!("server.js", JAVASCRIPT),
    part!("snippets.js", JAVASCRIPT),
    part!("stream.js", JAVASCRIPT),
    part!("theme.js", JAVASCRIPT),
    part!("validate.js", JAVASCRIPT),
    part!("workers.js", JAVASCRIPT),
];

/// Media type and text of the part with this name.
pub(crate) fn part(name: &str) -> Option<(&'static str, &'static str)> {
    let found = PARTS.iter().find(|Part(known, ..)| *known == name)?;
    let Part(_, media_type, text) = found;
    Some((media_type, text))
}

#[cfg(test)]
mod tests {
    use super::{PARTS, Part};

    /// Every file that a part names is a part, and no part goes unused.
    #[test]
    fn the_parts_make_a_whole() {
        let all: String = PARTS.iter().map(|Part(_, _, text)| *text).collect();
        for Part(name, ..) in PARTS.iter().filter(|Part(name, ..)| !name.is_empty()) {
            let file = name.strip_prefix("assets/").unwrap();
            assert!(all.contains(&format!("/{file}\"")), "{file} is not used");
        }
        for Part(name, _, text) in PARTS {
            let lines = text.lines().filter(|line| line.starts_with("import "));
            for import in lines.filter_map(|line| line.split('"').nth(1)) {
                let file = import.strip_prefix("./").expect(import);
                let known = PARTS
                    .iter()
                    .any(|Part(known, ..)| *known == format!("assets/{file}"));
                assert!(known, "{name} imports {import}");
            }
            assert!(!text.contains("innerHTML"), "{name}");
        }
    }

    #[test]
    fn it_stays_small() {
        let bytes: usize = PARTS.iter().map(|Part(_, _, text)| text.len()).sum();
        assert!(bytes < 240 * 1024, "{bytes}");
    }
}
