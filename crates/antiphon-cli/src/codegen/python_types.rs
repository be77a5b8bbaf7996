//! Types in Python: `TypedDict`, `Literal`, and aliases for the rest.

use super::code::{Breaking, Code};
use super::model::{Api, Field, Literal, Shape, Struct, Type, TypeDef, TypeId};
use super::names::{Scope, is_identifier, kept, pascal};
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
        Self {
            names: names.collect(),
            api,
            globals,
        }
    }

    /// A class scope, in which no name may shadow one that annotations need.
    pub(crate) fn class_scope(&self, reserved: &[&str]) -> Scope {
        let mut scope = Scope::with(&[KEYWORDS, ANNOTATIONS, reserved]);
        for name in &self.names {
            scope.take(name.clone());
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
    fn write(&self, ty: &Type, quoted: bool) -> String {
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
            Shape::Struct(shape) => self.object(def, shape, name, code),
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

    /// Required and optional members become two classes: before Python 3.11, all keys of a
    /// `TypedDict` are either required or optional.
    fn object(&self, def: &TypeDef, shape: &Struct, name: &str, code: &mut Code) {
        let scope = self.class_scope(&[]);
        let plain = |field: &&Field| {
            is_identifier(&field.name)
                && !field.name.starts_with("__")
                && scope.clone().take(field.name.clone()) == field.name
        };
        let (required, optional): (Vec<_>, Vec<_>) =
            shape.fields.iter().partition(|field| field.required);
        let bases = [
            ("Required", &required, ""),
            ("Optional", &optional, ", total=False"),
        ];
        let classes = shape.fields.iter().collect::<Vec<_>>().iter().all(plain);
        let more = shape.extra.as_ref().map(|ty| match ty {
            Type::Any => "There may be other members.".to_owned(),
            ty => format!(
                "There may be other members, each of type {}.",
                self.annotation(ty)
            ),
        });
        let doc = text::paragraphs(&[&def.doc, more.as_deref().unwrap_or_default()]);
        // The last part becomes the class itself if its members can be written in class syntax.
        let parts: Vec<_> = bases
            .iter()
            .filter(|(_, fields, _)| !fields.is_empty())
            .collect();
        let mut inherited = Vec::new();
        for (at, (kind, fields, total)) in parts.iter().enumerate() {
            if classes && at + 1 == parts.len() {
                let base = inherited.first().map_or("TypedDict", String::as_str);
                code.line(&format!("class {name}({base}{total}):"));
                code.deeper(|code| {
                    docstring(&doc, code);
                    if !doc.is_empty() {
                        code.blank(1);
                    }
                    self.members(fields, code);
                });
                return;
            }
            let base = format!("_{name}{kind}");
            if classes {
                code.line(&format!("class {base}(TypedDict{total}):"));
                code.deeper(|code| self.members(fields, code));
            } else {
                code.line(&format!("{base} = TypedDict("));
                code.deeper(|code| {
                    code.line(&format!("{},", text::quoted(&base)));
                    code.line("{");
                    code.deeper(|code| self.entries(fields, code));
                    code.line("},");
                    if !total.is_empty() {
                        code.line("total=False,");
                    }
                });
                code.line(")");
            }
            code.blank(2);
            inherited.push(base);
        }
        let bases = match inherited.is_empty() {
            true => "TypedDict".to_owned(),
            false => inherited.join(", "),
        };
        code.line(&format!("class {name}({bases}):"));
        code.deeper(|code| match doc.is_empty() {
            true => code.line("pass"),
            false => docstring(&doc, code),
        });
    }

    fn members(&self, fields: &[&Field], code: &mut Code) {
        for field in fields {
            comment(&field.doc, code);
            code.line(&format!("{}: {}", field.name, self.annotation(&field.ty)));
        }
    }

    fn entries(&self, fields: &[&Field], code: &mut Code) {
        for field in fields {
            comment(&field.doc, code);
            let (name, ty) = (text::quoted(&field.name), self.write(&field.ty, false));
            code.line(&format!("{name}: {},", text::quoted(&ty)));
        }
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
