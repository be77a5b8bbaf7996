//! Writer of code: indentation, and lists that are broken when they are too long.

/// The text of a file.
#[derive(Default)]
pub(crate) struct Code {
    text: String,
    depth: usize,
    /// Columns of one level.
    step: usize,
    /// Columns of a line.
    width: usize,
}

/// How a list is written that does not fit on its line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaking {
    /// All on the next line if they fit there, as black has it.
    Together,
    /// Each on its own line, with a comma after the last.
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

    /// Text that is whole lines already.
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// What is written one level deeper.
    pub(crate) fn deeper(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    /// Whether a line is not too long.
    pub(crate) fn fits(&self, line: &str) -> bool {
        self.depth * self.step + line.chars().count() <= self.width
    }

    /// `before`, the items with commas between them, and `after`.
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
