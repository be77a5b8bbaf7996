//! Documentation page for browsers: documentation, call forms and the dashboard of the server.
//!
//! The files are served unchanged, without a build step, and the page loads nothing from other
//! hosts. All URLs in it are relative, so it works below any path.

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page: its path relative to the page, its media type, its content.
struct Part(&'static str, &'static str, &'static str);

macro_rules! part {
    ($file:literal, $media_type:expr) => {
        Part(concat!("assets/", $file), $media_type, include_str!($file))
    };
}

const PARTS: &[Part] = &[
    Part("", HTML, include_str!("index.html")),
    part!("style.css", CSS),
    part!("batch.js", JAVASCRIPT),
    part!("call_form.js", JAVASCRIPT),
    part!("dashboard.js", JAVASCRIPT),
    part!("dialogs.js", JAVASCRIPT),
    part!("docs.js", JAVASCRIPT),
    part!("dom.js", JAVASCRIPT),
    part!("fields.js", JAVASCRIPT),
    part!("form.js", JAVASCRIPT),
    part!("format.js", JAVASCRIPT),
    part!("history.js", JAVASCRIPT),
    part!("json.js", JAVASCRIPT),
    part!("json_view.js", JAVASCRIPT),
    part!("main.js", JAVASCRIPT),
    part!("markdown.js", JAVASCRIPT),
    part!("metrics.js", JAVASCRIPT),
    part!("openrpc.js", JAVASCRIPT),
    part!("plot.js", JAVASCRIPT),
    part!("response.js", JAVASCRIPT),
    part!("route.js", JAVASCRIPT),
    part!("rpc.js", JAVASCRIPT),
    part!("schema_view.js", JAVASCRIPT),
    part!("sidebar.js", JAVASCRIPT),
    part!("snippet_view.js", JAVASCRIPT),
    part!("snippets.js", JAVASCRIPT),
    part!("subscription.js", JAVASCRIPT),
    part!("subscription_view.js", JAVASCRIPT),
    part!("theme.js", JAVASCRIPT),
    part!("upstreams.js", JAVASCRIPT),
    part!("validate.js", JAVASCRIPT),
    part!("widgets.js", JAVASCRIPT),
    part!("workers.js", JAVASCRIPT),
];

/// Media type and content of the file with this name.
pub(crate) fn part(name: &str) -> Option<(&'static str, &'static str)> {
    let found = PARTS.iter().find(|Part(known, ..)| *known == name)?;
    let Part(_, media_type, text) = found;
    Some((media_type, text))
}

#[cfg(test)]
mod tests {
    use super::{PARTS, Part};

    #[test]
    fn every_part_is_used_and_every_import_is_a_part() {
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
    fn the_page_stays_small() {
        let bytes: usize = PARTS.iter().map(|Part(_, _, text)| text.len()).sum();
        assert!(bytes < 240 * 1024, "{bytes}");
    }
}
