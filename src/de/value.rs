//! The deserializer over one borrowed value.

use std::borrow::Cow;

use config::{Value, ValueKind};
use serde::Deserializer;
use serde::de::{Expected, Visitor};

use super::access::{self, Choice, List};
use super::fault::Fault;
use super::learn::{Pass, Typed};
use super::scalar;

/// Reads one value. Copies nothing; texts are lent to the visitor.
#[derive(Clone, Copy)]
pub(super) struct ValueDeserializer<'de> {
    value: &'de Value,
    pass: &'de Pass,
}

impl<'de> ValueDeserializer<'de> {
    pub(super) fn new(value: &'de Value, pass: &'de Pass) -> Self {
        Self { value, pass }
    }

    fn not(self, expected: &dyn Expected) -> Fault {
        Fault::expected(scalar::found(self.value), expected)
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match scalar::text(self.value) {
            Some(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Some(Cow::Owned(text)) => visitor.visit_string(text),
            None => Err(self.not(&visitor)),
        }
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value.kind {
            ValueKind::Array(items) => List::new(items.iter(), self.pass).visit(visitor),
            ValueKind::Table(table) => match scalar::as_list(table) {
                Some(items) => List::new(items.into_iter(), self.pass).visit(visitor),
                None => Err(self.not(&visitor)),
            },
            _ => Err(self.not(&visitor)),
        }
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(scalar::integer::<$type>(self.value, stringify!($type))?)
        }
    )*};
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = Fault;

    /// Also how serde fills its buffer for `flatten` and for tagged and untagged enums.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(*value),
            ValueKind::I64(value) => visitor.visit_i64(*value),
            ValueKind::U64(value) => visitor.visit_u64(*value),
            // serde's buffer knows nothing wider than 64 bits.
            ValueKind::I128(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_i64(value),
                (_, Ok(value)) => visitor.visit_u64(value),
                _ => visitor.visit_i128(*value),
            },
            ValueKind::U128(value) => match u64::try_from(*value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_u128(*value),
            },
            ValueKind::Float(value) => visitor.visit_f64(*value),
            ValueKind::String(text) => match self.pass.typed(self.value) {
                None => visitor.visit_borrowed_str(text),
                Some(Typed::Boolean(value)) => visitor.visit_bool(value),
                Some(Typed::Signed(value)) => visitor.visit_i64(value),
                Some(Typed::Unsigned(value)) => visitor.visit_u64(value),
                Some(Typed::Float(value)) => visitor.visit_f64(value),
            },
            ValueKind::Array(items) => List::new(items.iter(), self.pass).visit(visitor),
            ValueKind::Table(table) => match scalar::as_list(table) {
                Some(items) if !items.is_empty() => {
                    List::new(items.into_iter(), self.pass).visit(visitor)
                }
                _ => visitor.visit_map(access::table(table, self.pass)),
            },
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bool(scalar::boolean(self.value)?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f32(scalar::float(self.value, "f32")? as f32)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(scalar::float(self.value, "f64")?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_char(scalar::character(self.value)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value.kind {
            ValueKind::String(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            _ => self.list(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Table(table) if table.is_empty() => visitor.visit_unit(),
            _ => Err(self.not(&visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    /// A list is read as a table of its indices, as it may have come from keys.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value.kind {
            ValueKind::Table(table) => visitor.visit_map(access::table(table, self.pass)),
            ValueKind::Array(items) => visitor.visit_map(access::table_of_list(items, self.pass)),
            _ => Err(self.not(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value.kind {
            ValueKind::Table(table) => visitor.visit_map(access::table(table, self.pass)),
            ValueKind::Array(items) => List::new(items.iter(), self.pass).visit(visitor),
            _ => Err(self.not(&visitor)),
        }
    }

    /// The name of a unit variant as text, or a table whose one name is the variant.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(Choice::new(self.value, self.pass))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}
