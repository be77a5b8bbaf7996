//! HTML output: one file with a table of contents.
//!
//! Doc comments are untrusted Markdown. HTML in them is shown as text, images are replaced by their
//! alternative text, and links can only point to the web or into the page. So nothing can run or
//! load.

use std::collections::HashSet;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::describe::documents::markdown;
use crate::describe::documents::markdown_escape::is_link;
use crate::describe::documents::model::Document;

/// Content-Security-Policy of the page, as a second defence: nothing is loaded, nothing runs.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

pub(super) fn text(document: &Document) -> String {
    let source = markdown::text(document);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut events: Vec<_> = harmless(Parser::new_ext(&source, options)).collect();
    let contents = contents(&mut events);
    let title = escaped(&document.info.title);
    let mut body = String::new();
    html::push_html(&mut body, events.into_iter());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
         <nav aria-label=\"Contents\">\n{contents}</nav>\n<main>\n{body}</main>\n</body>\n</html>\n",
        include_str!("html.css"),
    )
}

fn escaped(text: &str) -> String {
    let mut html = String::new();
    html::push_html(&mut html, std::iter::once(Event::Text(text.into())));
    html
}

/// Replaces active content: HTML, images and links to other schemes.
fn harmless<'a>(events: impl Iterator<Item = Event<'a>>) -> impl Iterator<Item = Event<'a>> {
    // Markdown links cannot be nested, so at most one is open.
    let mut dropped = false;
    events.filter_map(move |event| match event {
        Event::Html(text) | Event::InlineHtml(text) if !is_anchor(&text) => Some(Event::Text(text)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link { ref dest_url, .. }) if !is_link(dest_url) => {
            dropped = true;
            None
        }
        Event::End(TagEnd::Link) if std::mem::take(&mut dropped) => None,
        event => Some(event),
    })
}

/// Whether this is the anchor of a type that the Markdown output contains.
fn is_anchor(html: &str) -> bool {
    let id = html.strip_prefix("<a id=\"type-");
    let id = id.and_then(|rest| rest.strip_suffix("\">"));
    let is_id = |id: &str| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    html == "</a>" || id.is_some_and(is_id)
}

/// Adds an id to each heading of a namespace, method or type; returns a list of links to them.
fn contents(events: &mut [Event<'_>]) -> String {
    let mut contents = String::new();
    let mut known = HashSet::new();
    for at in 0..events.len() {
        let Some((start, rest)) = events.get_mut(at..).and_then(|e| e.split_first_mut()) else {
            break;
        };
        let Event::Start(Tag::Heading { level, id, .. }) = start else {
            continue;
        };
        let class = match level {
            HeadingLevel::H2 => "part",
            HeadingLevel::H3 => "item",
            _ => continue,
        };
        let title = title(rest);
        let name = title
            .split_once('(')
            .map_or(title.as_str(), |(name, _)| name);
        let unique = unique(name, &mut known);
        contents.push_str(&format!(
            "<a class=\"{class}\" href=\"#{unique}\">{}</a>\n",
            escaped(name)
        ));
        *id = Some(CowStr::from(unique));
    }
    contents
}

/// The text of the heading at the start of these events.
fn title(events: &[Event<'_>]) -> String {
    let events = events.iter();
    let inside = events.take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let texts = inside.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    texts.collect()
}

/// Makes an id that is unique on the page.
fn unique(name: &str, known: &mut HashSet<String>) -> String {
    let letters = name.chars().map(|c| match c.is_alphanumeric() {
        true => c,
        false => '-',
    });
    let plain: String = letters.collect();
    let mut id = plain.clone();
    for number in 2.. {
        if known.insert(id.clone()) {
            break;
        }
        id = format!("{plain}-{number}");
    }
    id
}

#[cfg(test)]
mod tests {
    use crate::OpenRpcDocument;

    fn page(doc: &str) -> String {
        let document = serde_json::json!({
            "openrpc": "1.3.2",
            "info": {"title": "<b>Sums</b>", "version": "1.0.0"},
            "methods": [{"name": "add", "description": doc, "params": []}],
        });
        let document: OpenRpcDocument = document.to_string().parse().unwrap();
        document.to_html()
    }

    #[test]
    fn what_is_written_in_docs_neither_runs_nor_loads() {
        for (doc, shown) in [
            ("<img src=x onerror=alert(1)>", "&lt;img src=x"),
            ("a <script>alert(1)</script>", "&lt;script&gt;"),
            ("</style></main><script>", "&lt;/style&gt;"),
            ("![alt *text*](http://elsewhere/x.png)", "alt <em>text</em>"),
            ("[here](javascript:alert(1))", "<p>here</p>"),
            (
                "[here](data:text/html,x) [b](#b)",
                "<p>here <a href=\"#b\">b</a></p>",
            ),
            ("<a id=\"type-x\" onclick=\"y\">", "&lt;a id="),
            ("<a href=\"javascript:x\">", "&lt;a href="),
        ] {
            let page = page(doc);
            assert!(page.contains(shown), "{doc}: {page}");
            let body = page.split_once("<main>").unwrap().1;
            for never in [
                "<script",
                "<img",
                "<style",
                "<a href=\"javascript",
                "<a id=\"type-x\" ",
            ] {
                assert!(!body.contains(never), "{doc}: {body}");
            }
        }
    }

    #[test]
    fn titles_are_escaped_and_methods_can_be_found() {
        let page = page("# Adds\n\nnumbers");
        assert!(
            page.contains("<title>&lt;b&gt;Sums&lt;/b&gt;</title>"),
            "{page}"
        );
        assert!(
            page.contains("<a class=\"item\" href=\"#add\">add</a>"),
            "{page}"
        );
        assert!(
            page.contains("<h3 id=\"add\"><code>add()</code></h3>"),
            "{page}"
        );
        assert!(page.contains("<h4>Adds</h4>"), "{page}");
    }
}
