//! Decoding of parameters into Rust arguments, by position or by name.
//!
//! Each argument is a [`Slot`]. The text of the parameters is read once; each value is decoded where
//! it stands, straight into its argument's type, and an error can name the parameter.

use std::fmt;

use antiphon_proto::ErrorObject;
use serde::Serialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
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

    /// Where the members go that no other argument takes, if this one takes them.
    fn rest(&mut self) -> Option<&mut String> {
        match &mut self.missing {
            Missing::Rest(rest) => Some(rest),
            _ => None,
        }
    }
}

impl<T: DeserializeOwned> Slot<T> {
    #[inline]
    fn finish(self, at: usize, params: &[ParamInfo]) -> Result<T, ErrorObject> {
        match self.value {
            Some(value) => Ok(value),
            None => self.missing.value(at, params),
        }
    }
}

impl<T: DeserializeOwned> Missing<T> {
    fn value(self, at: usize, params: &[ParamInfo]) -> Result<T, ErrorObject> {
        let value = match self {
            Self::Refused => None,
            Self::Default(default) => Some(default()),
            Self::Null(null) => null(),
            Self::Rest(rest) => {
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

    /// How many there are.
    const COUNT: usize;

    /// Reads values by position until a slot has no value. `given` counts those that were read.
    ///
    /// # Errors
    ///
    /// When a value does not fit its type.
    fn read_all<'de, A: SeqAccess<'de>>(
        &mut self,
        values: A,
        given: &mut usize,
    ) -> Result<(), A::Error>;

    /// Reads the value of one member into the slot with this index.
    ///
    /// # Errors
    ///
    /// When the value does not fit the type.
    fn read_one<'de, A: MapAccess<'de>>(
        &mut self,
        at: usize,
        members: &mut A,
    ) -> Result<(), A::Error>;

    /// Whether the slot with this index has a value.
    fn is_given(&self, at: usize) -> bool;

    /// The slot that takes the members that no other one takes: its index, and where they go.
    fn rest(&mut self) -> Option<(usize, &mut String)>;

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
    let values = decode_text(call.request.params_bytes(), info.unwrap_or_default(), slots)?;
    call.forget_params();
    Ok(values)
}

/// Decodes `text`, an array or an object that has passed the grammar.
pub(crate) fn decode_text<S: Slots>(
    text: Option<&[u8]>,
    params: &[ParamInfo],
    mut slots: S,
) -> Result<S::Values, ErrorObject> {
    match text {
        Some(text) if text.first() == Some(&b'[') => read_array(text, params, &mut slots)?,
        Some(text) => read_object(text, params, &mut slots)?,
        None => {}
    }
    slots.finish(params)
}

fn read_array<S: Slots>(
    text: &[u8],
    params: &[ParamInfo],
    slots: &mut S,
) -> Result<(), ErrorObject> {
    let mut given = 0;
    let by_name = slots.rest().is_some();
    let visitor = Positional {
        slots,
        given: &mut given,
        by_name,
    };
    let read = serde_json::Deserializer::from_slice(text).deserialize_seq(visitor);
    let Err(error) = read else { return Ok(()) };
    // The grammar holds, so what is wrong behind the last slot is that there is more.
    Err(if by_name {
        // A method that takes what is left over takes all by name.
        let reason = "this method takes parameters by name";
        refuse(reason, None, "too_many")
    } else if given == S::COUNT {
        let reason = format!("too many parameters, at most {given} are taken");
        refuse(&reason, None, "too_many")
    } else {
        unfit(name(params, given), &error)
    })
}

/// Reads an array into slots.
struct Positional<'a, S> {
    slots: &'a mut S,
    given: &'a mut usize,
    /// Whether none is taken.
    by_name: bool,
}

impl<'de, S: Slots> Visitor<'de> for Positional<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<(), A::Error> {
        match self.by_name {
            true => Ok(()),
            false => self.slots.read_all(values, self.given),
        }
    }
}

fn read_object<S: Slots>(
    text: &[u8],
    params: &[ParamInfo],
    slots: &mut S,
) -> Result<(), ErrorObject> {
    let (mut refused, mut current) = (None, None);
    let visitor = Named {
        slots,
        params,
        refused: &mut refused,
        current: &mut current,
    };
    let read = serde_json::Deserializer::from_slice(text).deserialize_map(visitor);
    read.map_err(|error| {
        let parameter = current.and_then(|at| name(params, at));
        refused.unwrap_or_else(|| unfit(parameter, &error))
    })
}

/// Reads an object into slots.
struct Named<'a, S> {
    slots: &'a mut S,
    params: &'a [ParamInfo],
    /// Why a member is not taken.
    refused: &'a mut Option<ErrorObject>,
    /// The slot whose value is being read.
    current: &'a mut Option<usize>,
}

impl<'de, S: Slots> Visitor<'de> for Named<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let known = self.params.get(..S::COUNT).unwrap_or(self.params);
        while let Some(key) = members.next_key_seed(Names(known))? {
            let rest = self.slots.rest();
            match (key, rest) {
                (Key::Known(at), rest) if rest.as_ref().is_none_or(|(rest, _)| *rest != at) => {
                    if self.slots.is_given(at) {
                        let name = name(known, at).unwrap_or_default();
                        let reason = format!("parameter {} comes twice", quoted(name));
                        *self.refused = Some(refuse(&reason, Some(name), "duplicate"));
                        return Err(A::Error::custom(""));
                    }
                    *self.current = Some(at);
                    self.slots.read_one(at, &mut members)?;
                    *self.current = None;
                }
                (key, Some((_, rest))) => {
                    let value: &RawValue = members.next_value()?;
                    let name = key.name(known);
                    if !rest.is_empty() {
                        rest.push(',');
                    }
                    rest.push_str(&serde_json::Value::from(name).to_string());
                    rest.push(':');
                    rest.push_str(value.get());
                }
                (key, None) => {
                    *self.refused = Some(if self.params.is_empty() && S::COUNT > 0 {
                        let reason = "this method takes parameters by position";
                        refuse(reason, None, "unknown")
                    } else {
                        let name = key.name(known);
                        let reason = format!("unknown parameter {}", quoted(name));
                        refuse(&reason, Some(name), "unknown")
                    });
                    return Err(A::Error::custom(""));
                }
            }
        }
        Ok(())
    }
}

/// The name of a member.
enum Key {
    /// The index of the parameter of this name.
    Known(usize),
    Unknown(String),
}

impl Key {
    fn name<'a>(&'a self, params: &'a [ParamInfo]) -> &'a str {
        match self {
            Self::Known(at) => name(params, *at).unwrap_or_default(),
            Self::Unknown(name) => name,
        }
    }
}

/// The names that are known, to read the name of a member.
struct Names<'a>(&'a [ParamInfo]);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Key, D::Error> {
        text.deserialize_str(self)
    }
}

impl Visitor<'_> for Names<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a parameter")
    }

    fn visit_str<E>(self, text: &str) -> Result<Key, E> {
        let at = self.0.iter().position(|param| param.name == text);
        Ok(at.map_or_else(|| Key::Unknown(text.to_owned()), Key::Known))
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
    ($count:literal $($name:ident $at:tt),*) => {
        #[allow(unused_mut, unused_variables, clippy::unused_unit)] // the empty tuple has no arguments
        impl<$($name: DeserializeOwned),*> Slots for ($(Slot<$name>,)*) {
            type Values = ($($name,)*);

            const COUNT: usize = $count;

            #[inline]
            fn read_all<'de, Access: SeqAccess<'de>>(
                &mut self,
                mut values: Access,
                given: &mut usize,
            ) -> Result<(), Access::Error> {
                $(
                    self.$at.value = values.next_element()?;
                    if self.$at.value.is_none() {
                        return Ok(());
                    }
                    *given += 1;
                )*
                Ok(())
            }

            fn read_one<'de, Access: MapAccess<'de>>(
                &mut self,
                at: usize,
                members: &mut Access,
            ) -> Result<(), Access::Error> {
                match at {
                    $($at => self.$at.value = Some(members.next_value()?),)*
                    _ => {}
                }
                Ok(())
            }

            fn is_given(&self, at: usize) -> bool {
                match at {
                    $($at => self.$at.value.is_some(),)*
                    _ => false,
                }
            }

            #[inline]
            fn rest(&mut self) -> Option<(usize, &mut String)> {
                $(
                    if let Some(rest) = self.$at.rest() {
                        return Some(($at, rest));
                    }
                )*
                None
            }

            #[inline]
            fn finish(self, params: &[ParamInfo]) -> Result<Self::Values, ErrorObject> {
                Ok(($(self.$at.finish($at, params)?,)*))
            }
        }
    };
}

tuples!(0);
tuples!(1 A 0);
tuples!(2 A 0, B 1);
tuples!(3 A 0, B 1, C 2);
tuples!(4 A 0, B 1, C 2, D 3);
tuples!(5 A 0, B 1, C 2, D 3, E 4);
tuples!(6 A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(7 A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(8 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(9 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(10 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(11 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(12 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
tuples!(13 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
tuples!(14 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
tuples!(15 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14);
tuples!(16 A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);
