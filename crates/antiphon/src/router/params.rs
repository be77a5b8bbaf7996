//! Decoding of parameters into Rust arguments, by position or by name.
//!
//! Each argument is a [`Slot`]. The text of the parameters is walked once; each value is decoded
//! where it stands, straight into its argument's type, so that an error can name the parameter.
//! The walk is not generic: only the decoding of one value is compiled per type.

use std::borrow::Cow;

use antiphon_proto::ErrorObject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::call::Call;
use crate::describe::ParamInfo;

/// One argument of a method, before and after its value is known.
#[derive(Debug)]
pub struct Slot<T> {
    value: Option<T>,
    missing: Missing<T>,
}

/// What an argument becomes that the call does not give.
#[derive(Debug)]
enum Missing<T> {
    Refused,
    Default(fn() -> T),
    /// The value of `null`, if the type has one.
    Null(fn() -> Option<T>),
    /// The members that no other argument took.
    Rest(String),
}

impl<T> Slot<T> {
    const fn new(missing: Missing<T>) -> Self {
        Self {
            value: None,
            missing,
        }
    }

    /// An argument that must be given.
    #[must_use]
    pub const fn required() -> Self {
        Self::new(Missing::Refused)
    }

    /// An argument that may be left out.
    #[must_use]
    pub const fn optional(default: fn() -> T) -> Self {
        Self::new(Missing::Default(default))
    }

    /// An argument that is `null` when it is left out, and missing if its type has no `null`.
    #[must_use]
    pub const fn nullable() -> Self
    where
        T: DeserializeOwned,
    {
        Self::new(Missing::Null(|| serde_json::from_str("null").ok()))
    }

    /// An argument made of all named parameters that no other argument takes.
    #[must_use]
    pub const fn flatten() -> Self {
        Self::new(Missing::Rest(String::new()))
    }
}

/// A slot of any type, as the walk sees it.
pub trait AnySlot {
    /// Decodes the value at the start of `text` and says how long it was.
    ///
    /// # Errors
    ///
    /// When the value does not fit the type.
    fn fill(&mut self, text: &str) -> Result<usize, serde_json::Error>;

    /// Whether the call has given its value.
    fn is_given(&self) -> bool;

    /// Whether it takes the members that no other argument takes.
    fn takes_rest(&self) -> bool;

    /// Where those members go.
    fn rest(&mut self) -> Option<&mut String>;
}

impl<T: DeserializeOwned> AnySlot for Slot<T> {
    fn fill(&mut self, text: &str) -> Result<usize, serde_json::Error> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
        if let Some(value) = values.next() {
            self.value = Some(value?);
        }
        Ok(values.byte_offset())
    }

    fn is_given(&self) -> bool {
        self.value.is_some()
    }

    fn takes_rest(&self) -> bool {
        matches!(self.missing, Missing::Rest(_))
    }

    fn rest(&mut self) -> Option<&mut String> {
        match &mut self.missing {
            Missing::Rest(rest) => Some(rest),
            _ => None,
        }
    }
}

impl<T: DeserializeOwned> Slot<T> {
    fn finish(self, at: usize, params: &[ParamInfo]) -> Result<T, ErrorObject> {
        if let Some(value) = self.value {
            return Ok(value);
        }
        let value = match self.missing {
            Missing::Refused => None,
            Missing::Default(default) => Some(default()),
            Missing::Null(null) => null(),
            Missing::Rest(rest) => {
                let object = format!("{{{rest}}}");
                return serde_json::from_str(&object).map_err(|error| unfit(None, &error));
            }
        };
        value.ok_or_else(|| missing(at, params))
    }
}

fn missing(at: usize, params: &[ParamInfo]) -> ErrorObject {
    match name(params, at) {
        Some(name) => refuse(
            &format!("missing parameter {}", quoted(name)),
            Some(name),
            "missing",
        ),
        None => refuse(
            &format!("missing parameter number {}", at + 1),
            None,
            "missing",
        ),
    }
}

/// The arguments of one method, as a tuple of slots.
pub trait Slots {
    /// The tuple of their values.
    type Values;

    /// Shows the slots to the walk.
    fn with<R>(&mut self, f: impl FnOnce(&mut [&mut dyn AnySlot]) -> R) -> R;

    /// The values; what is missing is an error.
    ///
    /// # Errors
    ///
    /// −32602 for the first argument that has no value and may not be left out.
    fn finish(self, params: &[ParamInfo]) -> Result<Self::Values, ErrorObject>;
}

/// Decodes the parameters of a call.
///
/// # Errors
///
/// −32602; message and data say which parameter and why.
pub fn decode<S: Slots>(call: &mut Call, slots: S) -> Result<S::Values, ErrorObject> {
    let info = call.method_info().map(|info| info.params.as_slice());
    let values = decode_text(call.params(), info.unwrap_or_default(), slots)?;
    call.forget_params();
    Ok(values)
}

pub(crate) fn decode_text<S: Slots>(
    text: Option<&str>,
    params: &[ParamInfo],
    mut slots: S,
) -> Result<S::Values, ErrorObject> {
    if let Some(text) = text {
        slots.with(|slots| fill(text, params, slots))?;
    }
    slots.finish(params)
}

/// Walks over the text of `params`, which has passed the grammar.
fn fill(
    text: &str,
    params: &[ParamInfo],
    slots: &mut [&mut dyn AnySlot],
) -> Result<(), ErrorObject> {
    let mut cursor = Cursor { rest: text };
    if cursor.accept(b'[') {
        positional(&mut cursor, params, slots)
    } else {
        cursor.accept(b'{');
        named(&mut cursor, params, slots)
    }
}

fn positional(
    cursor: &mut Cursor<'_>,
    params: &[ParamInfo],
    slots: &mut [&mut dyn AnySlot],
) -> Result<(), ErrorObject> {
    let limit = slots.len();
    let mut given = 0;
    // A method that takes what is left over takes all by name.
    let named_only = slots.iter().any(|slot| slot.takes_rest());
    while !cursor.accept(b']') {
        if named_only {
            return Err(refuse(
                "this method takes parameters by name",
                None,
                "too_many",
            ));
        }
        let Some(slot) = slots.get_mut(given) else {
            let reason = format!("too many parameters, at most {limit} are taken");
            return Err(refuse(&reason, None, "too_many"));
        };
        let used = slot
            .fill(cursor.rest)
            .map_err(|error| unfit(name(params, given), &error))?;
        cursor.skip(used);
        given += 1;
        cursor.accept(b',');
    }
    Ok(())
}

fn named(
    cursor: &mut Cursor<'_>,
    params: &[ParamInfo],
    slots: &mut [&mut dyn AnySlot],
) -> Result<(), ErrorObject> {
    while !cursor.accept(b'}') {
        let member = cursor.rest;
        let name = cursor.key()?;
        let known = params.iter().position(|param| param.name == *name);
        match known.and_then(|at| slots.get_mut(at)) {
            Some(slot) if slot.is_given() => {
                let reason = format!("parameter {} comes twice", quoted(&name));
                return Err(refuse(&reason, Some(&name), "duplicate"));
            }
            Some(slot) if !slot.takes_rest() => {
                let used = slot
                    .fill(cursor.rest)
                    .map_err(|error| unfit(Some(&name), &error))?;
                cursor.skip(used);
            }
            _ => {
                let Some(rest) = slots.iter_mut().find_map(|slot| slot.rest()) else {
                    if params.is_empty() && !slots.is_empty() {
                        let reason = "this method takes parameters by position";
                        return Err(refuse(reason, None, "unknown"));
                    }
                    let reason = format!("unknown parameter {}", quoted(&name));
                    return Err(refuse(&reason, Some(&name), "unknown"));
                };
                let _value = cursor.value();
                if !rest.is_empty() {
                    rest.push(',');
                }
                let length = member.len() - cursor.rest.len();
                rest.push_str(member.get(..length).unwrap_or_default());
            }
        }
        cursor.accept(b',');
    }
    Ok(())
}

/// A place in JSON text that has passed the grammar.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Takes `byte` and the white space around it, if it is next. At the end of the text everything
    /// is taken: a loop that waits for a bracket must end.
    #[inline]
    fn accept(&mut self, byte: u8) -> bool {
        self.space();
        match self.rest.as_bytes().first() {
            None => true,
            Some(first) if *first == byte => {
                self.skip(1);
                true
            }
            Some(_) => false,
        }
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.rest.as_bytes().first() {
            self.skip(1);
        }
    }

    #[inline]
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// A member's name, and the colon behind it.
    fn key(&mut self) -> Result<Cow<'a, str>, ErrorObject> {
        let quoted = self.value();
        self.accept(b':');
        let inner = quoted
            .strip_prefix('"')
            .and_then(|q| q.strip_suffix('"'))
            .unwrap_or_default();
        if inner.contains('\\') {
            // Half a surrogate pair is legal text and can name no parameter.
            let name =
                serde_json::from_str::<String>(quoted).map_err(|error| unfit(None, &error))?;
            return Ok(name.into());
        }
        Ok(inner.into())
    }

    /// The text of one value, which is not looked at.
    fn value(&mut self) -> &'a str {
        let before = self.rest;
        let mut values = serde_json::Deserializer::from_str(before).into_iter::<&RawValue>();
        let _value = values.next();
        self.skip(values.byte_offset().max(1));
        before
            .get(..before.len() - self.rest.len())
            .unwrap_or_default()
    }
}

fn name(params: &[ParamInfo], at: usize) -> Option<&str> {
    params.get(at).map(|param| param.name.as_str())
}

/// −32602: a sentence for a person, and data for a program.
pub(crate) fn refuse(message: &str, parameter: Option<&str>, reason: &'static str) -> ErrorObject {
    #[derive(Serialize)]
    struct Data<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        parameter: Option<&'a str>,
        reason: &'a str,
    }
    ErrorObject::invalid_params(message).with_data(&Data { parameter, reason })
}

/// A value that its type cannot hold. serde_json says where in the *text* it stopped, which means
/// nothing to the caller: the place is cut off.
fn unfit(parameter: Option<&str>, error: &serde_json::Error) -> ErrorObject {
    let mut reason = error.to_string();
    if let Some(place) = reason.rfind(" at line ") {
        reason.truncate(place);
    }
    let kind = if reason.starts_with("invalid type") {
        "type"
    } else {
        "value"
    };
    let message = match parameter {
        Some(parameter) => format!("parameter {}: {reason}", quoted(parameter)),
        None => reason,
    };
    refuse(&message, parameter, kind)
}

/// A peer's text in quotes, at most 64 characters of it.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(64).collect();
    serde_json::Value::from(short).to_string()
}

macro_rules! tuples {
    ($($name:ident $at:tt),*) => {
        impl<$($name: DeserializeOwned),*> Slots for ($(Slot<$name>,)*) {
            type Values = ($($name,)*);

            fn with<R>(&mut self, f: impl FnOnce(&mut [&mut dyn AnySlot]) -> R) -> R {
                f(&mut [$(&mut self.$at),*])
            }

            #[allow(unused_variables, clippy::unused_unit)] // the empty tuple has no arguments
            fn finish(self, params: &[ParamInfo]) -> Result<Self::Values, ErrorObject> {
                Ok(($(self.$at.finish($at, params)?,)*))
            }
        }
    };
}

tuples!();
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);
