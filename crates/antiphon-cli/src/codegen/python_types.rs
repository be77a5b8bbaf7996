//! Types in Python: `TypedDict`, `Literal`, and aliases for the rest.

use std::collections::HashMap;

use super::code::{Breaking, Code};
use super::model::{Api, Field, Literal, Shape, Type, TypeId};
use super::names::{Scope, kept, pascal};
use super::python_choices::{Combined, combined};
use super::text;

/// Python's keywords.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// Names used in annotations. A class member of the same name would shadow them there.
const ANNOTATIONS: &[&str] = &[
    "Any", "Call", "Dict", "List", "Literal", "Optional", "Sequence", "UNSET", "Union", "Unset",
    "bool", "float", "int", "str", "property",
];

/// Other global names that generated code uses.
const GLOBALS: &[&str] = &[
    "AsyncBatch",
    "Awaitable",
    "Batch",
    "CallTimeoutError",
    "Callable",
    "Calls",
    "ClientError",
    "Exception",
    "Generic",
    "Mapping",
    "NotSentError",
    "Params",
    "ProtocolError",
    "RpcError",
    "Ticket",
    "Token",
    "TransportError",
    "Tuple",
    "Type",
    "TypeVar",
    "TypedDict",
    "TypeError",
    "ValueError",
    "OSError",
    "TimeoutError",
    "ConnectionRefusedError",
    "RecursionError",
    "DeprecationWarning",
    "T",
    "Ellipsis",
    "NotImplemented",
];

/// Names and definitions of all types.
pub(crate) struct Types<'a> {
    api: &'a Api,
    names: Vec<String>,
    /// The combinations of each object that has choices.
    combined: HashMap<TypeId, Vec<Combined>>,
    /// The names that no member of a class may have, as they would shadow a type there.
    pub(super) members: Scope,
    /// All global names so far.
    pub(crate) globals: Scope,
}

impl<'a> Types<'a> {
    pub(crate) fn new(api: &'a Api) -> Self {
        let mut globals = Scope::with(&[KEYWORDS, ANNOTATIONS, GLOBALS]);
        let names = api
            .types
            .iter()
            .map(|def| globals.take_type(pascal(&def.name)));
        let names: Vec<_> = names.collect();
        let mut all = HashMap::new();
        for (id, def) in api.types.iter().enumerate() {
            match &def.shape {
                Shape::Struct(shape) if !shape.choices.is_empty() => {
                    all.insert(id, combined(api, shape, &def.name, &mut globals));
                }
                _ => {}
            }
        }
        let mut members = Scope::with(&[KEYWORDS, ANNOTATIONS]);
        for name in &names {
            members.take(name.clone());
        }
        Self {
            names,
            members,
            combined: all,
            api,
            globals,
        }
    }

    /// A class scope, in which no name may shadow one that annotations need.
    pub(crate) fn class_scope(&self, reserved: &[&str]) -> Scope {
        let mut scope = self.members.clone();
        for name in reserved {
            scope.take((*name).to_owned());
        }
        scope
    }

    /// Names of parameters that shadow nothing that the function body needs.
    pub(crate) fn params(&self, params: &[Field]) -> Vec<String> {
        let body = [
            "self",
            "calls",
            "warnings",
            "_either",
            "_by_name",
            "_rest",
            "_by_position",
            "UNSET",
        ];
        let mut scope = Scope::with(&[KEYWORDS, &["Call", "DeprecationWarning"], &body]);
        params
            .iter()
            .map(|param| scope.take(kept(&param.name)))
            .collect()
    }

    /// Formats a type for an annotation.
    pub(crate) fn annotation(&self, ty: &Type) -> String {
        self.write(ty, false)
    }

    /// Formats a type. `quoted` makes forward references of names, where Python evaluates them at
    /// once.
    pub(super) fn write(&self, ty: &Type, quoted: bool) -> String {
        match ty {
            Type::Any => "Any".to_owned(),
            Type::Null => "None".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Int(_) => "int".to_owned(),
            Type::Float(_) => "float".to_owned(),
            Type::String => "str".to_owned(),
            Type::Literal(values) => format!("Literal[{}]", literals(values).join(", ")),
            Type::Array(item) => format!("List[{}]", self.write(item, quoted)),
            // A received tuple is a list, and either may be sent.
            Type::Tuple(items) => format!("Sequence[{}]", self.one_of(items.iter(), quoted)),
            Type::Map(value) => format!("Dict[str, {}]", self.write(value, quoted)),
            Type::Nullable(inner) => format!("Optional[{}]", self.write(inner, quoted)),
            Type::Named(id) if quoted => text::quoted(&self.names[*id]),
            Type::Named(id) => self.names[*id].clone(),
        }
    }

    fn one_of<'t>(&self, types: impl Iterator<Item = &'t Type>, quoted: bool) -> String {
        let mut written: Vec<String> = Vec::new();
        for ty in types {
            let ty = self.write(ty, quoted);
            if !written.contains(&ty) {
                written.push(ty);
            }
        }
        match &written[..] {
            [only] => only.clone(),
            written => format!("Union[{}]", written.join(", ")),
        }
    }

    /// Writes all types. Aliases of named types come last, after the types that they refer to.
    pub(crate) fn write_all(&self, code: &mut Code) {
        let mut others = Vec::new();
        for (id, def) in self.api.types.iter().enumerate() {
            match def.shape {
                Shape::Alias(Type::Named(_)) => others.push(id),
                _ => self.definition(id, code),
            }
        }
        let mut written = vec![false; self.api.types.len()];
        for id in others {
            let mut chain = vec![id];
            while let Some(Shape::Alias(Type::Named(next))) =
                chain.last().map(|&id| &self.api.types[id].shape)
            {
                chain.push(*next);
            }
            chain.pop();
            for id in chain.into_iter().rev() {
                if !std::mem::replace(&mut written[id], true) {
                    self.definition(id, code);
                }
            }
        }
    }

    fn definition(&self, id: TypeId, code: &mut Code) {
        let (def, name) = (&self.api.types[id], &self.names[id]);
        match &def.shape {
            Shape::Struct(shape) => match self.combined.get(&id) {
                Some(all) => self.choices(&def.doc, all, name, code),
                None => self.object(&def.doc, shape, name, code),
            },
            Shape::Enum(values) => {
                let told = values.iter().filter(|value| !value.doc.is_empty());
                let told = told.map(|value| {
                    format!(
                        "{}: {}",
                        text::quoted(&value.value),
                        text::one_line(&value.doc)
                    )
                });
                let told: Vec<_> = told.collect();
                comment(&text::paragraphs(&[&def.doc, &told.join("\n")]), code);
                let values: Vec<_> = values
                    .iter()
                    .map(|value| text::quoted(&value.value))
                    .collect();
                code.list(
                    &format!("{name} = Literal["),
                    &values,
                    "]",
                    Breaking::Together,
                );
            }
            Shape::Union(union) => {
                comment(&def.doc, code);
                let mut types: Vec<String> = Vec::new();
                for variant in &union.variants {
                    let ty = self.write(&variant.ty, true);
                    if !types.contains(&ty) {
                        types.push(ty);
                    }
                }
                code.list(&format!("{name} = Union["), &types, "]", Breaking::Together);
            }
            Shape::Alias(ty) => {
                comment(&def.doc, code);
                let ty = match ty {
                    Type::Named(id) => self.names[*id].clone(),
                    Type::Null => "Literal[None]".to_owned(),
                    ty => self.write(ty, true),
                };
                code.line(&format!("{name} = {ty}"));
            }
        }
        code.blank(2);
    }
}

fn literals(values: &[Literal]) -> Vec<String> {
    let literal = |value: &Literal| match value {
        Literal::String(text) => text::quoted(text),
        Literal::Integer(number) => number.to_string(),
        Literal::Bool(true) => "True".to_owned(),
        Literal::Bool(false) => "False".to_owned(),
    };
    values.iter().map(literal).collect()
}

/// Writes a `#:` comment, which documentation generators such as Sphinx read.
pub(crate) fn comment(doc: &str, code: &mut Code) {
    for line in text::lines(doc) {
        match line.is_empty() {
            true => code.line("#:"),
            false => code.line(&format!("#: {line}")),
        }
    }
}

/// Writes a docstring with quotes and backslashes escaped, so that no text can end it early.
pub(crate) fn docstring(doc: &str, code: &mut Code) {
    let lines = text::lines(doc);
    let (Some(first), last) = (lines.first(), lines.len().saturating_sub(1)) else {
        return;
    };
    let begins = first.len() - first.trim_start().len();
    let mut written = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let line = if at == 0 { &line[begins..] } else { line };
        let letters: Vec<char> = line.chars().collect();
        let mut escaped = String::new();
        for (column, &letter) in letters.iter().enumerate() {
            // Quotes next to each other or to the delimiter could form `"""`.
            let beside =
                |column: Option<usize>| column.and_then(|column| letters.get(column)) == Some(&'"');
            let edge = (at == 0 && column == 0) || (at == last && column + 1 == letters.len());
            let near = beside(column.checked_sub(1)) || beside(Some(column + 1));
            if letter == '\\' || (letter == '"' && (edge || near)) {
                escaped.push('\\');
            }
            escaped.push(letter);
        }
        written.push(escaped);
    }
    if let [only] = &written[..] {
        let line = format!("\"\"\"{only}\"\"\"");
        return code.line(&line);
    }
    if let Some(first) = written.first_mut() {
        first.insert_str(0, "\"\"\"");
    }
    code.lines(&written);
    code.line("\"\"\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_a_docstring() {
        let table = [
            ("plain", "\"\"\"plain\"\"\"\n"),
            ("\"\"\"; import os", "\"\"\"\\\"\\\"\\\"; import os\"\"\"\n"),
            ("ends with \"", "\"\"\"ends with \\\"\"\"\"\n"),
            ("ends with \"\"", "\"\"\"ends with \\\"\\\"\"\"\"\n"),
            ("a \"quoted\" word", "\"\"\"a \"quoted\" word\"\"\"\n"),
            ("\"quoted\"", "\"\"\"\\\"quoted\\\"\"\"\"\n"),
            ("back\\", "\"\"\"back\\\\\"\"\"\n"),
            ("\\\"", "\"\"\"\\\\\\\"\"\"\"\n"),
            ("a\r\nb\u{2028}c", "\"\"\"a\nb\nc\n\"\"\"\n"),
        ];
        for (doc, expected) in table {
            let mut code = Code::new(4, 88);
            docstring(doc, &mut code);
            assert_eq!(code.finish(), expected, "{doc:?}");
        }
    }
}
