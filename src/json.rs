//! JSON objects that are objects.
//!
//! serde's derived structs also read an array, one element for each field in turn. An answer of `[[]]` would then be an
//! empty page, and a store that was never cleared would look as if it were.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A `T` that was written as an object.
#[derive(Debug, Default)]
pub(crate) struct Object<T>(pub(crate) T);

/// Reads a `T` that is written as an object, and nothing else.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text).map(|Object(read)| read)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData))
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Point<'a> {
        name: &'a str,
        x: u8,
    }

    #[test]
    fn an_array_is_no_object() {
        let point = Point { name: "a", x: 1 };
        assert_eq!(
            object::<Point<'_>>(br#"{"x": 1, "name": "a", "y": 2}"#).unwrap(),
            point
        );
        assert_eq!(
            serde_json::from_str::<Point<'_>>(r#"["a", 1]"#).unwrap(),
            point
        );
        assert!(object::<Point<'_>>(br#"["a", 1]"#).is_err());
        assert!(object::<Point<'_>>(br#"{"x": 1}"#).is_err());
        let listed = serde_json::from_str::<Vec<Object<Point<'_>>>>;
        assert_eq!(listed(r#"[{"name": "a", "x": 1}]"#).unwrap()[0].0, point);
        assert!(listed(r#"[["a", 1]]"#).is_err());
    }
}
