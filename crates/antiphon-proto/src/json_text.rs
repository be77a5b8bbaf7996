//! JSON text of Rust values: serde_json's, with a quicker search for what to escape in long strings.
//!
//! serde_json looks at each byte of a string. [`write_json`] skips the plain parts of long ones in
//! blocks, as the parser does. Everything else is left to serde_json, so the text is the same.

use std::io::Write;

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;
use serde_json::ser::Formatter;

use crate::json_string::{LONG, put, write_long};

/// Writes a value as compact JSON text, the same as [`serde_json::to_writer`].
///
/// ```
/// let mut text = Vec::new();
/// antiphon_proto::write_json(&mut text, &("a\n", 1.5, [true])).unwrap();
/// assert_eq!(text, br#"["a\n",1.5,[true]]"#);
/// ```
///
/// # Errors
///
/// If the value has no JSON form: it has a map with keys that are not strings, or its `Serialize`
/// implementation fails. Or if the writer fails; its error is in the text of this one.
pub fn write_json<W, T>(writer: &mut W, value: &T) -> Result<(), Error>
where
    W: Write + ?Sized,
    T: Serialize + ?Sized,
{
    value.serialize(JsonText(writer))
}

/// Returns a value as compact JSON text, the same as [`serde_json::to_vec`].
///
/// # Errors
///
/// If the value has no JSON form; see [`write_json`].
pub fn json_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut text = Vec::with_capacity(128);
    write_json(&mut text, value)?;
    Ok(text)
}

/// Returns a value as compact JSON text, the same as [`serde_json::to_string`].
pub(crate) fn json_string<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    // What serializers write is UTF-8.
    String::from_utf8(json_vec(value)?).map_err(Error::custom)
}

/// The names of serde_json's own types, such as `RawValue`, begin with this.
const PRIVATE: &str = "$serde_json::private::";

/// Serializer of one value.
struct JsonText<'a, W: ?Sized>(&'a mut W);

impl<'a, W: Write + ?Sized> JsonText<'a, W> {
    fn open(self, start: &str, end: &'static str) -> Result<Compound<'a, W>, Error> {
        put(self.0, start)?;
        Ok(Compound {
            writer: self.0,
            is_empty: true,
            end,
        })
    }

    /// Begins an object with one member, and stops before its value.
    fn open_variant(&mut self, variant: &'static str) -> Result<(), Error> {
        put(self.0, "{")?;
        write_json(self.0, variant)?;
        put(self.0, ":")
    }
}

/// Leaves the values of these types to serde_json.
macro_rules! scalars {
    ($($method:ident($type:ty))*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Error> {
            serde_json::Serializer::new(self.0).$method(value)
        }
    )*};
}

impl<'a, W: Write + ?Sized> Serializer for JsonText<'a, W> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a, W>;
    type SerializeTuple = Compound<'a, W>;
    type SerializeTupleStruct = Compound<'a, W>;
    type SerializeTupleVariant = Compound<'a, W>;
    type SerializeMap = Compound<'a, W>;
    type SerializeStruct = Compound<'a, W>;
    type SerializeStructVariant = Compound<'a, W>;

    scalars! {
        serialize_bool(bool)
        serialize_i8(i8)
        serialize_i16(i16)
        serialize_i32(i32)
        serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8)
        serialize_u16(u16)
        serialize_u32(u32)
        serialize_u64(u64)
        serialize_u128(u128)
        serialize_f32(f32)
        serialize_f64(f64)
        serialize_char(char)
        serialize_bytes(&[u8])
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        match value.len() < LONG {
            true => serde_json::Serializer::new(self.0).serialize_str(value),
            false => write_long(self.0, value),
        }
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        serde_json::Serializer::new(self.0).collect_str(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Error> {
        put(self.0, "null")
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.open_variant(variant)?;
        write_json(self.0, value)?;
        put(self.0, "}")
    }

    #[inline]
    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a, W>, Error> {
        self.open("[", "]")
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Compound<'a, W>, Error> {
        self.open("[", "]")
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a, W>, Error> {
        self.open("[", "]")
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a, W>, Error> {
        self.open_variant(variant)?;
        self.open("[", "]}")
    }

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a, W>, Error> {
        self.open("{", "}")
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'a, W>, Error> {
        match name.starts_with(PRIVATE) {
            // It is no object; its only field is written below.
            true => self.open("", ""),
            false => self.open("{", "}"),
        }
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a, W>, Error> {
        self.open_variant(variant)?;
        self.open("{", "}}")
    }
}

/// Serializer of the elements of an array, or of the members of an object.
struct Compound<'a, W: ?Sized> {
    writer: &'a mut W,
    is_empty: bool,
    /// Closes it.
    end: &'static str,
}

impl<W: Write + ?Sized> Compound<'_, W> {
    #[inline]
    fn separate(&mut self) -> Result<(), Error> {
        match std::mem::take(&mut self.is_empty) {
            true => Ok(()),
            false => put(self.writer, ","),
        }
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate()?;
        write_json(self.writer, value)
    }

    #[inline]
    fn member<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        if self.end.is_empty() {
            let mut own = serde_json::Serializer::new(&mut *self.writer);
            let mut own = own.serialize_struct(name, 1)?;
            return SerializeStruct::serialize_field(&mut own, name, value);
        }
        self.separate()?;
        write_json(self.writer, name)?;
        put(self.writer, ":")?;
        write_json(self.writer, value)
    }

    #[inline]
    fn close(self) -> Result<(), Error> {
        put(self.writer, self.end)
    }
}

macro_rules! arrays {
    ($($of:ident::$method:ident)*) => {$(
        impl<W: Write + ?Sized> $of for Compound<'_, W> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

arrays! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

impl<W: Write + ?Sized> SerializeMap for Compound<'_, W> {
    type Ok = ();
    type Error = Error;

    /// Keys may be numbers, too, which are written as strings. serde_json knows which.
    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.separate()?;
        let mut keys = serde_json::Serializer::with_formatter(&mut *self.writer, KeyAlone);
        keys.serialize_map(None)?.serialize_key(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        put(self.writer, ":")?;
        write_json(self.writer, value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

macro_rules! objects {
    ($($of:ident)*) => {$(
        impl<W: Write + ?Sized> $of for Compound<'_, W> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.member(name, value)
            }

            #[inline]
            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

objects! { SerializeStruct SerializeStructVariant }

/// Formatter that writes of an object only a key.
struct KeyAlone;

impl Formatter for KeyAlone {
    fn begin_object<W: Write + ?Sized>(&mut self, _: &mut W) -> std::io::Result<()> {
        Ok(())
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, _: &mut W, _: bool) -> std::io::Result<()> {
        Ok(())
    }
}
