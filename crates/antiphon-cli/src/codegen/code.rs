//! Writer of code with indentation and with line breaks in long lists.

/// Buffer for the text of a generated file.
#[derive(Default)]
pub(crate) struct Code {
    text: String,
    depth: usize,
    /// Indentation per level, in columns.
    step: usize,
    /// Maximum line width, in columns.
    width: usize,
}

/// How to break a list that does not fit on one line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaking {
    /// All items on the next line if they fit there, as black formats them.
    Together,
    /// Each item on its own line, with a trailing comma.
    Apart,
}

impl Code {
    pub(crate) fn new(step: usize, width: usize) -> Self {
        Self {
            step,
            width,
            ..Self::default()
        }
    }

    pub(crate) fn finish(self) -> String {
        format!("{}\n", self.text.trim_end())
    }

    pub(crate) fn line(&mut self, line: &str) {
        if !line.is_empty() {
            self.text
                .extend(std::iter::repeat_n(' ', self.depth * self.step));
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    pub(crate) fn lines<S: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = S>) {
        for line in lines {
            self.line(line.as_ref());
        }
    }

    pub(crate) fn blank(&mut self, lines: usize) {
        self.text.extend(std::iter::repeat_n('\n', lines));
    }

    /// Appends text that already consists of complete lines.
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes one indentation level deeper.
    pub(crate) fn deeper(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    /// Whether a line fits the maximum width at the current indentation.
    pub(crate) fn fits(&self, line: &str) -> bool {
        self.depth * self.step + line.chars().count() <= self.width
    }

    /// Writes `before`, the comma-separated items, and `after`.
    pub(crate) fn list(&mut self, before: &str, items: &[String], after: &str, how: Breaking) {
        let joined = items.join(", ");
        let line = format!("{before}{joined}{after}");
        if items.is_empty() || self.fits(&line) {
            return self.line(&line);
        }
        self.line(before);
        self.deeper(
            |code| match how == Breaking::Together && code.fits(&joined) {
                true => code.line(&joined),
                false => code.lines(items.iter().map(|item| format!("{item},"))),
            },
        );
        self.line(after.trim_start());
    }
}
