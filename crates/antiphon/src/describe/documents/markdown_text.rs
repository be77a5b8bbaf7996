//! Texts of a document as Markdown: what they say stays, what they could forge does not.
//!
//! A document may come from a stranger. Names, titles and messages are text, so their punctuation is
//! escaped. Descriptions are Markdown by the specification. They are parsed and written anew with
//! paragraphs, headings below those of the page, lists, quotes, code, tables, emphasis and links to
//! the web. HTML in them becomes text, images become their alternative text, and nothing in them can
//! end where the page goes on, or begin before.

use std::iter::Peekable;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::describe::documents::markdown_escape::{
    cell, code, destination, escaped, fenced, guarded, is_link,
};

/// The deepest nesting of lists, quotes and emphasis that is kept.
const MAX_DEPTH: usize = 12;

/// A description, as blocks.
pub(super) fn blocks(text: &str) -> String {
    let mut writer = Writer {
        events: parse(text).peekable(),
        depth: 0,
    };
    let mut blocks = Vec::new();
    // An end without a start does not occur; if it did, the rest would still be written.
    while writer.events.peek().is_some() {
        blocks.push(writer.blocks("\n\n"));
        writer.events.next();
    }
    blocks.join("\n\n")
}

/// A description on one line: what its blocks say, without the blocks.
pub(super) fn line(text: &str) -> String {
    let mut writer = Writer {
        events: parse(text).peekable(),
        depth: 0,
    };
    let mut line = String::new();
    while writer.events.peek().is_some() {
        line.push_str(&writer.inline());
        line.push(' ');
        if let Some(Event::Start(Tag::CodeBlock(_))) = writer.events.next() {
            line.push_str(&code(writer.raw().trim()));
        }
    }
    let words: Vec<_> = line
        .lines()
        .map(|line| line.trim_end_matches('\\'))
        .collect();
    let words = words.join(" ");
    guarded(&words.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

/// Writes the events of a parser as Markdown.
struct Writer<'a> {
    events: Peekable<Parser<'a>>,
    depth: usize,
}

impl Writer<'_> {
    /// Writes blocks up to the end of the one around them, which is left for the caller.
    fn blocks(&mut self, between: &str) -> String {
        let mut blocks: Vec<String> = Vec::new();
        // Containers that are nested too deep, of which only the contents are written.
        let mut open = 0;
        while let Some(event) = self.events.peek() {
            let block = match event {
                Event::End(_) if open == 0 => break,
                Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::Item)
                    if self.depth >= MAX_DEPTH =>
                {
                    open += 1;
                    self.events.next();
                    continue;
                }
                Event::End(_) => {
                    open -= 1;
                    self.events.next();
                    continue;
                }
                _ => self.block(),
            };
            if !block.trim().is_empty() {
                blocks.push(block);
            }
        }
        blocks.join(between)
    }

    fn block(&mut self) -> String {
        if is_inline(self.events.peek()) {
            // A list without empty lines has no paragraphs in its items.
            return guarded(&self.inline());
        }
        match self.events.next() {
            Some(Event::Start(tag)) => {
                let block = match tag {
                    Tag::Heading { level, .. } => {
                        let marks = "#".repeat((level as usize + 3).min(6));
                        format!("{marks} {}", self.inline().replace('\n', " "))
                    }
                    Tag::BlockQuote(_) => {
                        let inner = self.nested("\n\n");
                        prefixed(&inner, "> ", "> ")
                    }
                    Tag::CodeBlock(_) => fenced(&self.raw()),
                    Tag::HtmlBlock => guarded(&escaped(&self.raw())),
                    Tag::List(first) => self.list(first),
                    Tag::Table(columns) => self.table(columns.len()),
                    _ => guarded(&self.inline()),
                };
                // The end of the block.
                self.events.next();
                block
            }
            Some(Event::Rule) => "***".to_owned(),
            _ => String::new(),
        }
    }

    fn nested(&mut self, between: &str) -> String {
        self.depth += 1;
        let inner = self.blocks(between);
        self.depth -= 1;
        inner
    }

    fn list(&mut self, first: Option<u64>) -> String {
        let mut number = first;
        let mut items = Vec::new();
        while let Some(Event::Start(Tag::Item)) = self.events.peek() {
            self.events.next();
            let item = self.nested("\n\n");
            self.events.next();
            let mark = match &mut number {
                Some(number) => {
                    *number = number.saturating_add(1);
                    format!("{}. ", number.saturating_sub(1) % 1_000_000_000)
                }
                None => "- ".to_owned(),
            };
            items.push(prefixed(&item, &mark, &" ".repeat(mark.len())));
        }
        items.join("\n")
    }

    fn table(&mut self, columns: usize) -> String {
        let mut rows: Vec<String> = Vec::new();
        while let Some(Event::Start(_)) = self.events.peek() {
            self.events.next();
            let mut row = String::from("|");
            while let Some(Event::Start(Tag::TableCell)) = self.events.peek() {
                self.events.next();
                let text = cell(&self.inline());
                row.push_str(&format!(" {text} |"));
                self.events.next();
            }
            self.events.next();
            rows.push(row);
            if rows.len() == 1 {
                rows.push(format!("|{}", " --- |".repeat(columns)));
            }
        }
        rows.join("\n")
    }

    /// The text of a block that has only text.
    fn raw(&mut self) -> String {
        let mut raw = String::new();
        while let Some(Event::Text(text) | Event::Html(text)) = self.events.peek() {
            raw.push_str(text);
            self.events.next();
        }
        raw
    }

    /// Writes inline text up to a block or to the end of what is around it.
    fn inline(&mut self) -> String {
        let mut out = String::new();
        // What closes the open spans; `None` for one that is not written.
        let mut open: Vec<Option<String>> = Vec::new();
        while is_inline(self.events.peek()) {
            let Some(event) = self.events.next() else {
                break;
            };
            match event {
                Event::Start(tag) => {
                    let marks = match &tag {
                        _ if open.len() >= MAX_DEPTH => None,
                        Tag::Emphasis => Some(("*", "*".to_owned())),
                        Tag::Strong => Some(("**", "**".to_owned())),
                        Tag::Strikethrough => Some(("~~", "~~".to_owned())),
                        Tag::Link { dest_url, .. } if is_link(dest_url) => {
                            Some(("[", format!("]({})", destination(dest_url))))
                        }
                        _ => None,
                    };
                    out.push_str(marks.as_ref().map_or("", |(start, _)| start));
                    open.push(marks.map(|(_, end)| end));
                }
                Event::End(_) => out.push_str(&open.pop().flatten().unwrap_or_default()),
                Event::Code(text) => out.push_str(&code(&text)),
                Event::SoftBreak => out.push('\n'),
                Event::HardBreak => out.push_str("\\\n"),
                Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                    out.push_str(&escaped(&text));
                }
                _ => {}
            }
            if open.is_empty() && matches!(self.events.peek(), Some(Event::End(_))) {
                break;
            }
        }
        out
    }
}

/// Whether the event is a part of inline text, and not the start or end of a block.
fn is_inline(event: Option<&Event<'_>>) -> bool {
    match event {
        Some(Event::Start(tag)) => matches!(
            tag,
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. }
        ),
        Some(Event::End(tag)) => matches!(
            tag,
            TagEnd::Emphasis
                | TagEnd::Strong
                | TagEnd::Strikethrough
                | TagEnd::Link
                | TagEnd::Image
        ),
        Some(Event::Rule) | None => false,
        Some(_) => true,
    }
}

/// Puts one prefix before the first line and another before the following ones.
fn prefixed(text: &str, first: &str, others: &str) -> String {
    let mut lines = text.lines();
    let mut out = format!("{first}{}", lines.next().unwrap_or_default());
    for line in lines {
        out.push('\n');
        out.push_str(format!("{others}{line}").trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_keeps_its_markdown_and_forges_nothing() {
        for (text, expected) in [
            (
                "Adds *two* **numbers**, see `a|b`.",
                "Adds *two* **numbers**, see `a|b`.",
            ),
            ("a\nb\n\nc", "a\nb\n\nc"),
            ("# Errors\n\nNone.", "#### Errors\n\nNone."),
            ("Forged\n======\n\nx", "#### Forged\n\nx"),
            ("Forged\n---", "##### Forged"),
            ("###### deep", "###### deep"),
            ("- a\n- b\n  - c", "- a\n- b\n\n  - c"),
            ("3. a\n4. b", "3. a\n4. b"),
            ("> a\n> b", "> a\n> b"),
            ("```rust\nlet x = 1;\n```", "```\nlet x = 1;\n```"),
            ("```\nnever ended\n## x", "```\nnever ended\n## x\n```"),
            ("````\n```\n## x\n````", "````\n```\n## x\n````"),
            ("<div>\n\n## x", "\\<div>\n\n##### x"),
            ("a <b onclick=x>", "a \\<b onclick=x>"),
            ("<!-- x", "\\<!-- x"),
            ("[a](https://b.c/d?e=f&g)", "[a](<https://b.c/d?e=f&amp;g>)"),
            ("[a](javascript:b) ![c](http://d)", "a c"),
            ("[a](<https://b/> \"title\")", "[a](<https://b/>)"),
            ("[`a`] [b]", "\\[`a`\\] \\[b\\]"),
            (
                "| a | b |\n|---|---|\n| c | d\\|e |",
                "| a | b |\n| --- | --- |\n| c | d\\|e |",
            ),
            ("a\n\n---\n\nb", "a\n\n***\n\nb"),
            ("\\# a\n\\- b", "\\# a\n\\- b"),
        ] {
            assert_eq!(blocks(text), expected, "{text}");
            assert_eq!(
                blocks(&blocks(text)).matches('#').count() == 0,
                !expected.contains('#')
            );
        }
    }

    #[test]
    fn a_description_fits_into_a_line() {
        for (text, expected) in [
            (
                "Adds *two*\nnumbers.\n\n- a\n- b",
                "Adds *two* numbers. a b",
            ),
            ("# x\n```\na\nb\n```", "x `a b`"),
            ("<img src=x>\ny", "\\<img src=x> y"),
            ("use `borrow`", "use `borrow`"),
        ] {
            assert_eq!(line(text), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_flattened() {
        for (text, mark) in [("> ".repeat(50_000), "> "), ("- ".repeat(5_000), "- ")] {
            let written = blocks(&(text + "x"));
            assert!(written.len() < 1000, "{}", written.len());
            assert!(
                written.starts_with(mark) && written.ends_with('x'),
                "{written}"
            );
        }
        let stars = "*a ".repeat(1000) + &"b*".repeat(1000);
        assert!(blocks(&stars).contains('a'));
    }
}
