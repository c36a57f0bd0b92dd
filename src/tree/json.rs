//! JSON values become nodes, within bounds that hold while the text is being read.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::Secret;
use crate::error::printable;

use super::case::KeyCase;
use super::comments;
use super::entry::{Limits, Nulls, Shape};
use super::{Leaf, List, Node, Origin, Scalar, Table};

/// What serde_json calls the only member of a map that is a number to it: if any crate of the application turns on its
/// feature `arbitrary_precision`, numbers come so.
const NUMBER: &str = "$serde_json::private::Number";

/// Why a text stays a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonFault {
    NotJson,
    TooLarge,
}

/// What the reading of one value needs to know, and what it finds out.
pub(super) struct Reader<'r> {
    origin: &'r Arc<Origin>,
    case: KeyCase,
    nulls: Nulls,
    limits: Limits,
    leaves: Cell<usize>,
    containers: Cell<usize>,
    too_large: Cell<bool>,
    duplicate: RefCell<Option<String>>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(origin: &'r Arc<Origin>, shape: &Shape) -> Self {
        Self {
            origin,
            case: shape.json_case,
            nulls: shape.nulls,
            limits: shape.limits,
            leaves: Cell::new(0),
            containers: Cell::new(0),
            too_large: Cell::new(false),
            duplicate: RefCell::new(None),
        }
    }

    /// For documents with a schema of their own, whose names are not ours to change.
    pub(super) fn verbatim(origin: &'r Arc<Origin>, shape: &Shape) -> Self {
        Self {
            case: KeyCase::Preserve,
            nulls: Nulls::Keep,
            ..Self::new(origin, shape)
        }
    }

    /// Strict JSON first, then once more without comments. Nothing looser: no trailing commas, no single quotes.
    pub(super) fn read_text(&self, text: &str) -> Result<Node, JsonFault> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Ok(node) = self.read_strict(text) {
            return Ok(node);
        }
        if !self.too_large.get()
            && let Some(stripped) = comments::strip(text)
            && let Ok(node) = self.read_strict(&stripped)
        {
            return Ok(node);
        }
        Err(self.fault())
    }

    fn read_strict(&self, text: &str) -> serde_json::Result<Node> {
        self.leaves.set(0);
        self.containers.set(0);
        let mut json = serde_json::Deserializer::from_str(text);
        let node = self.seed(0).deserialize(&mut json)?;
        json.end()?;
        Ok(node)
    }

    pub(super) fn read_value(&self, value: &serde_json::Value) -> Result<Node, JsonFault> {
        self.seed(0).deserialize(value).map_err(|_| self.fault())
    }

    /// How much was read: values, lists and tables.
    pub(super) fn size(&self) -> usize {
        self.leaves.get() + self.containers.get()
    }

    /// A name that two members of one object share.
    pub(super) fn duplicate(&self) -> Option<String> {
        self.duplicate.take()
    }

    fn seed(&self, depth: usize) -> Seed<'_, 'r> {
        Seed {
            reader: self,
            depth,
        }
    }

    fn fault(&self) -> JsonFault {
        if self.too_large.get() {
            JsonFault::TooLarge
        } else {
            JsonFault::NotJson
        }
    }

    fn leaf<E: Error>(&self, scalar: Scalar) -> Result<Node, E> {
        self.spend(&self.leaves)?;
        Ok(Node::Leaf(Leaf {
            scalar,
            origin: Arc::clone(self.origin),
        }))
    }

    /// Empty lists and tables, or one in another, take memory without holding a value: they are counted too.
    fn spend<E: Error>(&self, on: &Cell<usize>) -> Result<(), E> {
        let spent = on.get() + 1;
        on.set(spent);
        if spent > self.limits.leaves_per_setting {
            return Err(self.refuse());
        }
        Ok(())
    }

    /// A name of which nothing would be left stays as it is.
    fn name(&self, name: String) -> Box<str> {
        if self.case == KeyCase::Preserve {
            return name.into();
        }
        match self.case.convert(&name) {
            converted if converted.is_empty() => name.into(),
            converted => converted.into(),
        }
    }

    fn refuse<E: Error>(&self) -> E {
        self.too_large.set(true);
        E::custom("too large")
    }

    fn text<E: Error>(&self, text: String) -> Result<Node, E> {
        self.leaf(if self.origin.redacted {
            Scalar::Secret(Arc::new(Secret::new(text)))
        } else {
            Scalar::Text(text.into())
        })
    }

    /// Sorts members by name; of equal names the one that stands last in the text counts.
    fn table(&self, mut members: Vec<(Box<str>, Node)>) -> Node {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
                self.duplicate.replace(Some(printable(&earlier.0)));
            }
            same
        });
        members.shrink_to_fit();
        Node::Table(Table::new(members, Some(Arc::clone(self.origin))))
    }
}

struct Seed<'s, 'r> {
    reader: &'s Reader<'r>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seed<'_, '_> {
    fn below<E: Error>(&self) -> Result<Self, E> {
        if self.depth >= self.reader.limits.depth {
            return Err(self.reader.refuse());
        }
        Ok(Self {
            reader: self.reader,
            depth: self.depth + 1,
        })
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.reader.leaf(Scalar::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.reader.leaf(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.reader.leaf(Scalar::I64(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.reader.leaf(match i64::try_from(value) {
            Ok(value) => Scalar::I64(value),
            Err(_) => Scalar::U64(value),
        })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.reader.leaf(Scalar::F64(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        self.reader.text(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Node, E> {
        self.reader.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        self.reader.spend(&self.reader.containers)?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.below()?)? {
            items.push(item);
        }
        items.shrink_to_fit();
        Ok(Node::List(List {
            items,
            origin: Some(Arc::clone(self.reader.origin)),
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let reader = self.reader;
        let mut next = map.next_key::<String>()?;
        if next.as_deref() == Some(NUMBER) {
            return reader.leaf(number(&map.next_value::<String>()?)?);
        }
        reader.spend(&reader.containers)?;
        let mut members = Vec::new();
        while let Some(name) = next {
            let node = map.next_value_seed(self.below()?)?;
            if reader.nulls == Nulls::Keep || !node.is_null() {
                members.push((reader.name(name), node));
            }
            next = map.next_key()?;
        }
        Ok(reader.table(members))
    }
}

/// A number by its digits, as serde_json reads it without that feature.
fn number<E: Error>(text: &str) -> Result<Scalar, E> {
    if let Ok(value) = text.parse() {
        return Ok(Scalar::I64(value));
    }
    if let Ok(value) = text.parse() {
        return Ok(Scalar::U64(value));
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Scalar::F64(value)),
        _ => Err(E::custom("no number, or out of range")),
    }
}
