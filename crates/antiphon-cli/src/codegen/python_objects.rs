//! Objects in Python: a `TypedDict`, or a union of some where an object has the members of one of
//! several others.

use super::code::{Breaking, Code};
use super::model::{Field, Struct, Type};
use super::names::is_identifier;
use super::python_choices::Combined;
use super::python_types::{Types, comment, docstring};
use super::text;

impl Types<'_> {
    /// Writes an object with choices as the union of its combinations.
    pub(super) fn choices(&self, doc: &str, all: &[Combined], name: &str, code: &mut Code) {
        for Combined { name, shape } in all {
            self.object(doc, shape, name, code);
            code.blank(2);
        }
        comment(doc, code);
        if all.is_empty() {
            return code.line(&format!("{name} = Dict[str, Any]"));
        }
        let names = all.iter().map(|one| text::quoted(&one.name));
        let names: Vec<_> = names.collect();
        code.list(&format!("{name} = Union["), &names, "]", Breaking::Together);
    }

    /// Required and optional members become two classes: before Python 3.11, all keys of a
    /// `TypedDict` are either required or optional.
    pub(super) fn object(&self, doc: &str, shape: &Struct, name: &str, code: &mut Code) {
        let plain = |field: &&Field| {
            is_identifier(&field.name)
                && !field.name.starts_with("__")
                && self.members.is_free(&field.name)
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
        let doc = text::paragraphs(&[doc, more.as_deref().unwrap_or_default()]);
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
