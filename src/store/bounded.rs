//! What an answer's own text cannot blow up: lists and maps that are read up to a bound. A setting takes some twenty times
//! the memory of the shortest text that makes one.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Settings of one page, each of its tags counted like one more. The service sends 100 settings.
pub(super) const MOST_OF_A_PAGE: usize = 50_000;
/// Tags of one setting, which the service lets have 10 KB in all.
const MOST_TAGS: usize = 10_000;

/// Something of which there may be only so much.
pub(super) trait Weight {
    fn weight(&self) -> usize;
}

/// All elements of a list, or only that they are too many: then none of them is kept.
pub(super) enum AtMost<T> {
    All(Vec<T>),
    TooMany,
}

impl<'de, T: Deserialize<'de> + Weight> Deserialize<'de> for AtMost<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

struct Elements<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Weight> Visitor<'de> for Elements<T> {
    type Value = AtMost<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        let mut left = MOST_OF_A_PAGE;
        while let Some(element) = elements.next_element::<T>()? {
            match left.checked_sub(element.weight()) {
                Some(rest) => left = rest,
                None => {
                    drop(all);
                    while elements.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(AtMost::TooMany);
                }
            }
            all.push(element);
        }
        Ok(AtMost::All(all))
    }
}

/// The tags of a setting; a null value is as good as an empty one.
#[derive(Default)]
pub(super) struct Tags(pub(super) BTreeMap<Box<str>, Box<str>>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(TagsOrNull)
    }
}

struct TagsOrNull;

impl<'de> Visitor<'de> for TagsOrNull {
    type Value = Tags;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tags")
    }

    fn visit_none<E>(self) -> Result<Tags, E> {
        Ok(Tags::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tags, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tags, A::Error> {
        let mut tags = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<Box<str>, Option<Box<str>>>()? {
            tags.insert(name, value.unwrap_or_default());
            if tags.len() > MOST_TAGS {
                return Err(A::Error::custom("too many tags"));
            }
        }
        Ok(Tags(tags))
    }
}
