//! Parameters of an outgoing call: by position or by name, never both (section 4.2).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::BuildHasher;

use serde::Serialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json_text::{json_string, json_vec, write_json};

/// Builder of parameters.
///
/// Values are serialized when they are added. A value that has no JSON representation, or a mix of
/// positional and named parameters, is remembered and reported when the call is sent. So building
/// parameters needs no `?`.
///
/// ```
/// use antiphon_proto::Params;
///
/// let by_position = Params::none().push(3).push(4);
/// assert_eq!(by_position.to_json().unwrap().as_deref(), Some("[3,4]"));
///
/// let by_name = Params::none().insert("a", 3).insert("b", 4);
/// assert_eq!(by_name.to_json().unwrap().as_deref(), Some(r#"{"a":3,"b":4}"#));
///
/// assert_eq!(Params::none().to_json().unwrap(), None);
/// assert!(Params::none().push(3).insert("b", 4).to_json().is_err());
/// ```
#[derive(Debug, Default)]
pub struct Params(Repr);

#[derive(Debug, Default)]
enum Repr {
    #[default]
    None,
    /// An array without its closing bracket.
    Positional(Vec<u8>),
    /// Names and the JSON text of their values.
    Named(Vec<(Cow<'static, str>, String)>),
    Failed(ParamsError),
}

/// Why parameters cannot be sent. Nothing has been sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum ParamsError {
    /// Positional and named parameters in one call.
    Mixed,
    /// Neither an array nor an object.
    NotStructured,
    /// A value that cannot be serialized.
    Value(serde_json::Error),
}

impl Params {
    /// No parameters: the member `params` is omitted.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds the next positional parameter.
    #[must_use]
    pub fn push<T: Serialize>(self, value: T) -> Self {
        let mut array = match self.0 {
            Repr::None => Self::empty_array(),
            Repr::Positional(array) => array,
            Repr::Named(_) => return Self::failed(ParamsError::Mixed),
            failed @ Repr::Failed(_) => return Self(failed),
        };
        if array.len() > 1 {
            array.push(b',');
        }
        match write_json(&mut array, &value) {
            Ok(()) => Self(Repr::Positional(array)),
            Err(error) => Self::failed(ParamsError::Value(error)),
        }
    }

    /// Adds a named parameter, or replaces the value of an existing name.
    #[must_use]
    pub fn insert<T: Serialize>(self, name: impl Into<Cow<'static, str>>, value: T) -> Self {
        match json_string(&value) {
            Ok(value) => self.insert_raw(name.into(), value),
            Err(error) => Self::failed(ParamsError::Value(error)),
        }
    }

    fn insert_raw(self, name: Cow<'static, str>, value: String) -> Self {
        match self.0 {
            Repr::None => Self(Repr::Named(vec![(name, value)])),
            Repr::Named(mut members) => {
                match members.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, old)) => *old = value,
                    None => members.push((name, value)),
                }
                Self(Repr::Named(members))
            }
            Repr::Positional(_) => Self::failed(ParamsError::Mixed),
            failed @ Repr::Failed(_) => Self(failed),
        }
    }

    /// Parameters from any value that serializes as a JSON array (positional) or object (named).
    ///
    /// ```
    /// # use antiphon_proto::Params;
    /// #[derive(serde::Serialize)]
    /// struct Add { a: i32, b: i32 }
    ///
    /// let params = Params::from_value(&Add { a: 3, b: 4 });
    /// assert_eq!(params.to_json().unwrap().as_deref(), Some(r#"{"a":3,"b":4}"#));
    /// assert!(Params::from_value(&5).to_json().is_err());
    /// ```
    #[must_use]
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Self {
        let mut json = match json_vec(value) {
            Ok(json) => json,
            Err(error) => return Self::failed(ParamsError::Value(error)),
        };
        if json.first() != Some(&b'[') {
            return Self::from_json(&text(json));
        }
        json.pop();
        json.truncate(json.trim_ascii_end().len());
        Self(Repr::Positional(json))
    }

    /// Parameters from JSON text: an array, an object, or `null` for none.
    #[must_use]
    pub fn from_json(text: &str) -> Self {
        let read = match text.trim_start().as_bytes().first() {
            Some(b'[') => serde_json::from_str::<Vec<Box<RawValue>>>(text)
                .map(|values| values.into_iter().fold(Self::empty_list(), Self::push)),
            Some(b'{') => members(text).map(|members| {
                let none = Self(Repr::Named(Vec::new()));
                members.into_iter().fold(none, |params, (name, value)| {
                    params.insert_raw(Cow::Owned(name), String::from(Box::<str>::from(value)))
                })
            }),
            _ if text.trim() == "null" => return Self::none(),
            _ => return Self::failed(ParamsError::NotStructured),
        };
        read.unwrap_or_else(|error| Self::failed(ParamsError::Value(error)))
    }

    /// Merges the parameters of `other` over these.
    ///
    /// Both must be named, or one of them empty; otherwise the result is [`ParamsError::Mixed`].
    #[must_use]
    pub fn merge(self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (Repr::Failed(_), _) | (_, Repr::None) => self,
            (_, Repr::Named(members)) => members.iter().fold(self, |params, (name, value)| {
                params.insert_raw(name.clone(), value.clone())
            }),
            _ => Self::failed(ParamsError::Mixed),
        }
    }

    /// The JSON text of the member `params`; `None` if the member is omitted.
    ///
    /// # Errors
    ///
    /// An error that occurred while the parameters were built.
    pub fn to_json(&self) -> Result<Option<String>, &ParamsError> {
        match &self.0 {
            Repr::None => Ok(None),
            Repr::Positional(array) => Ok(Some(text([array, &b"]"[..]].concat()))),
            Repr::Named(members) => {
                let mut json = String::from("{");
                for (n, (name, value)) in members.iter().enumerate() {
                    if n > 0 {
                        json.push(',');
                    }
                    json.push_str(&serde_json::Value::from(name.as_ref()).to_string());
                    json.push(':');
                    json.push_str(value);
                }
                json.push('}');
                Ok(Some(json))
            }
            Repr::Failed(error) => Err(error),
        }
    }

    /// The same as [`to_json`](Self::to_json). The text of positional parameters is not copied.
    ///
    /// # Errors
    ///
    /// An error that occurred while the parameters were built.
    pub fn into_json(self) -> Result<Option<String>, ParamsError> {
        match self.0 {
            Repr::Positional(mut array) => {
                array.push(b']');
                Ok(Some(text(array)))
            }
            Repr::Failed(error) => Err(error),
            other => Ok(Self(other).to_json().unwrap_or_default()),
        }
    }

    fn empty_array() -> Vec<u8> {
        let mut array = Vec::with_capacity(128);
        array.push(b'[');
        array
    }

    fn empty_list() -> Self {
        Self(Repr::Positional(Self::empty_array()))
    }

    fn failed(error: ParamsError) -> Self {
        Self(Repr::Failed(error))
    }
}

/// JSON text that a serializer has written, which is always UTF-8.
fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).unwrap_or_default()
}

/// The members of an object in their original order, including repeated names.
///
/// # Errors
///
/// If the text is not an object, or a name contains an unpaired surrogate.
///
/// ```
/// let members = antiphon_proto::params::members(r#"{"b": 1e400, "a": [2]}"#).unwrap();
/// assert_eq!(members[0].0, "b");
/// assert_eq!(members[0].1.get(), "1e400");
/// ```
pub fn members(text: &str) -> Result<Vec<(String, Box<RawValue>)>, serde_json::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Box<RawValue>)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(Members)
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mixed => f.write_str("cannot mix positional and named parameters"),
            Self::NotStructured => f.write_str("parameters must be an array or an object"),
            Self::Value(error) => write!(f, "a parameter has no JSON form: {error}"),
        }
    }
}

impl std::error::Error for ParamsError {}

/// A type that can be the parameters of a call.
///
/// Tuples, arrays and vectors are positional, maps are named, and `()` means no parameters.
///
/// ```
/// use antiphon_proto::{IntoParams, Params};
///
/// fn json(params: impl IntoParams) -> String {
///     params.into_params().to_json().unwrap().unwrap_or_default()
/// }
/// assert_eq!(json((3, "four")), r#"[3,"four"]"#);
/// assert_eq!(json([3, 4]), "[3,4]");
/// assert_eq!(json(()), "");
/// assert_eq!(json(Params::none().insert("a", 3)), r#"{"a":3}"#);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the parameters of a call",
    note = "use a tuple `(3, 4)` for positions, `Params::none().insert(\"a\", 3)` for names, \
            or `Params::from_value(&x)` for a struct"
)]
pub trait IntoParams {
    /// Converts the value to parameters.
    fn into_params(self) -> Params;
}

impl IntoParams for Params {
    fn into_params(self) -> Params {
        self
    }
}

impl IntoParams for () {
    fn into_params(self) -> Params {
        Params::none()
    }
}

impl IntoParams for serde_json::Value {
    fn into_params(self) -> Params {
        Params::from_value(&self)
    }
}

impl<T: Serialize> IntoParams for Vec<T> {
    fn into_params(self) -> Params {
        self.into_iter().fold(Params::empty_list(), Params::push)
    }
}

impl<T: Serialize, const N: usize> IntoParams for [T; N] {
    fn into_params(self) -> Params {
        self.into_iter().fold(Params::empty_list(), Params::push)
    }
}

impl<T: Serialize> IntoParams for BTreeMap<String, T> {
    fn into_params(self) -> Params {
        Params::from_value(&self)
    }
}

impl<T: Serialize, S: BuildHasher> IntoParams for HashMap<String, T, S> {
    fn into_params(self) -> Params {
        Params::from_value(&self)
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Serialize),+> IntoParams for ($($name,)+) {
            #[allow(non_snake_case)] // a type parameter's name serves as its variable's
            fn into_params(self) -> Params {
                let ($($name,)+) = self;
                Params::none()$(.push($name))+
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
tuples!(A B C D E F G H I J K L M);
tuples!(A B C D E F G H I J K L M N);
tuples!(A B C D E F G H I J K L M N O);
tuples!(A B C D E F G H I J K L M N O P);

#[cfg(test)]
mod tests {
    use super::*;

    fn json(params: &Params) -> String {
        match params.to_json() {
            Ok(json) => json.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn text_becomes_parameters() {
        for (text, expected) in [
            ("[]", "[]"),
            (" [1, 1e400] ", "[1,1e400]"),
            (r#"{"b":1,"a":2}"#, r#"{"b":1,"a":2}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            ("{}", "{}"),
            ("null", ""),
            ("5", "parameters must be an array or an object"),
        ] {
            assert_eq!(json(&Params::from_json(text)), expected, "{text}");
        }
    }

    #[test]
    fn positions_are_appended_to_arrays_of_all_origins() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        for (params, expected) in [
            (Params::none(), "[7]"),
            (Params::none().push("a"), "[\"a\",7]"),
            (Params::from_value(&["é"; 0]), "[7]"),
            (Params::from_value(&(1, "é")), "[1,\"é\",7]"),
            (Params::from_value(&raw("[ ]")), "[7]"),
            (Params::from_value(&raw("[ 1 , [2] ]")), "[ 1 , [2],7]"),
            (Params::from_json("[ 1 , [2] ]"), "[1,[2],7]"),
            (Vec::<u8>::new().into_params(), "[7]"),
        ] {
            let params = params.push(7);
            assert_eq!(json(&params), expected);
            assert_eq!(params.into_json().unwrap().as_deref(), Some(expected));
        }
        assert!(Params::none().into_json().unwrap().is_none());
        assert!(Params::from_value(&5).push(1).into_json().is_err());
        let named = Params::none().insert("a", 1).into_json();
        assert_eq!(named.unwrap().as_deref(), Some(r#"{"a":1}"#));
    }

    #[test]
    fn data_merges_over_named_parameters_only() {
        let data = Params::none().insert("token", "t").insert("a", 9);
        let merged = Params::none().insert("a", 1).insert("b", 2).merge(&data);
        assert_eq!(json(&merged), r#"{"a":9,"b":2,"token":"t"}"#);
        assert_eq!(json(&Params::none().merge(&data)), r#"{"token":"t","a":9}"#);
        let mixed = Params::none().push(1).merge(&data);
        assert_eq!(json(&mixed), "cannot mix positional and named parameters");
        assert_eq!(json(&Params::none().push(1).merge(&Params::none())), "[1]");
    }
}
