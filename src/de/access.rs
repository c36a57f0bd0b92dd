//! How serde walks lists, tables and enums.

use std::borrow::Cow;

use config::{Map, Value, ValueKind};
use serde::de::{self, DeserializeSeed, Deserializer, Visitor};

use super::fault::{Fault, Kind};
use super::learn::Pass;
use super::name::NameDeserializer;
use super::scalar;
use super::value::ValueDeserializer;

/// The elements of a list.
pub(super) struct List<'de, I> {
    items: I,
    next: usize,
    pass: &'de Pass,
}

impl<'de, I: ExactSizeIterator<Item = &'de Value>> List<'de, I> {
    pub(super) fn new(items: I, pass: &'de Pass) -> Self {
        Self {
            items,
            next: 0,
            pass,
        }
    }

    /// Elements that nobody asked for are a mistake, not something to drop in silence.
    pub(super) fn visit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        let value = visitor.visit_seq(&mut self)?;
        match self.items.len() {
            0 => Ok(value),
            _ => Err(Fault::new(Kind::TooLong)),
        }
    }
}

impl<'de, I: ExactSizeIterator<Item = &'de Value>> de::SeqAccess<'de> for List<'de, I> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.items.next() else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        seed.deserialize(ValueDeserializer::new(value, self.pass))
            .map(Some)
            .map_err(|fault| fault.below_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

type Member<'de> = (Cow<'de, str>, &'de Value);

/// The members of a table.
pub(super) struct Table<'de, I> {
    members: I,
    current: Option<Member<'de>>,
    pass: &'de Pass,
}

/// In the order of the map, which is fast, or of the names, so that the first fault is always the same one.
pub(super) enum Members<'de, I> {
    AsTheyCome(I),
    Sorted(std::vec::IntoIter<Member<'de>>),
}

impl<'de, I: ExactSizeIterator<Item = Member<'de>>> Iterator for Members<'de, I> {
    type Item = Member<'de>;

    fn next(&mut self) -> Option<Member<'de>> {
        match self {
            Self::AsTheyCome(members) => members.next(),
            Self::Sorted(members) => members.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::AsTheyCome(members) => members.size_hint(),
            Self::Sorted(members) => members.size_hint(),
        }
    }
}

impl<'de, I: ExactSizeIterator<Item = Member<'de>>> Table<'de, Members<'de, I>> {
    fn of(members: I, pass: &'de Pass) -> Self {
        let members = if pass.is_ordered() {
            let mut members: Vec<_> = members.collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Members::Sorted(members.into_iter())
        } else {
            Members::AsTheyCome(members)
        };
        Self {
            members,
            current: None,
            pass,
        }
    }
}

pub(super) fn table<'de>(
    table: &'de Map<String, Value>,
    pass: &'de Pass,
) -> impl de::MapAccess<'de, Error = Fault> {
    let named = |(name, value): (&'de String, &'de Value)| (Cow::Borrowed(name.as_str()), value);
    Table::of(table.iter().map(named), pass)
}

/// A list as the table of its indices.
pub(super) fn table_of_list<'de>(
    items: &'de [Value],
    pass: &'de Pass,
) -> impl de::MapAccess<'de, Error = Fault> {
    let indexed = |(index, value): (usize, &'de Value)| (Cow::Owned(index.to_string()), value);
    Table::of(items.iter().enumerate().map(indexed), pass)
}

impl<'de, I: Iterator<Item = Member<'de>>> de::MapAccess<'de> for Table<'de, I> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.current = self.members.next();
        let Some((name, _)) = &self.current else {
            return Ok(None);
        };
        seed.deserialize(NameDeserializer::new(name.clone()))
            .map(Some)
            .map_err(|fault| match fault.kind() {
                Kind::UnknownField { .. } => fault,
                _ => fault.below_name(name),
            })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((name, value)) = self.current.take() else {
            return Err(de::Error::custom("a value was asked for before its name"));
        };
        seed.deserialize(ValueDeserializer::new(value, self.pass))
            .map_err(|fault| fault.below_name(&name))
    }

    fn size_hint(&self) -> Option<usize> {
        self.members.size_hint().1
    }
}

/// One variant of an enum.
pub(super) struct Choice<'de> {
    value: &'de Value,
    pass: &'de Pass,
}

impl<'de> Choice<'de> {
    pub(super) fn new(value: &'de Value, pass: &'de Pass) -> Self {
        Self { value, pass }
    }
}

const WANTED: &str = "the name of a variant, or a table whose only name is a variant";

impl<'de> de::EnumAccess<'de> for Choice<'de> {
    type Error = Fault;
    type Variant = Variant<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Variant<'de>), Fault> {
        let (name, content) = match &self.value.kind {
            ValueKind::Table(table) if table.len() == 1 => {
                let only = table.iter().next();
                only.map(|(name, content)| (Cow::Borrowed(name.as_str()), Some(content)))
            }
            _ => scalar::text(self.value).map(|name| (name, None)),
        }
        .ok_or_else(|| Fault::expected(scalar::found(self.value), &WANTED))?;
        let variant = Variant {
            name: name.clone(),
            content,
            pass: self.pass,
        };
        Ok((seed.deserialize(NameDeserializer::new(name))?, variant))
    }
}

/// What stands behind the name of a variant: nothing if it was a bare text.
pub(super) struct Variant<'de> {
    name: Cow<'de, str>,
    content: Option<&'de Value>,
    pass: &'de Pass,
}

impl<'de> Variant<'de> {
    fn content<T>(
        self,
        read: impl FnOnce(ValueDeserializer<'de>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self.content {
            Some(content) => read(ValueDeserializer::new(content, self.pass))
                .map_err(|fault| fault.below_name(&self.name)),
            None => Err(Fault::expected(
                super::fault::Found::Text,
                &"a table whose only name is the variant, because this variant holds data",
            )),
        }
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            None => Ok(()),
            Some(_) => self.content(de::Deserialize::deserialize),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.content(|content| seed.deserialize(content))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content(|content| content.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.content(|content| content.deserialize_map(visitor))
    }
}
