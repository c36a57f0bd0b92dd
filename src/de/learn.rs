//! The second try, for values that serde buffers before it knows what they are for.
//!
//! For `#[serde(flatten)]`, tagged and untagged enums, serde first copies the input into a buffer of its own, asking
//! "what is this?" instead of "give me a `u16`". A text stays a text there, and fails later, where the type is known
//! but the deserializer is not asked any more. The fault that comes back still says which text it was (by its place
//! in memory) and what was wanted. So it is noted and everything is read once more, with that text, and those
//! that are its likes (of the same name, equally deep), handed over as the number or boolean they hold.
//!
//! A like may turn out to be wanted as text, or as a smaller number. Then the fault says which number it was, and every
//! like of that number goes on by itself. Each try settles a text for good, or is the next choice of a guess, of which
//! there are few, so they come to an end.
//!
//! An untagged enum swallows the faults of its variants. If none of them takes the input, `guess` goes through what the
//! texts inside may stand for.
//!
//! Limits: an untagged enum that has a variant for text keeps text as text, as serde tries the variants in order and
//! text fits; a number that is not text is not turned into text inside a buffer; and `guess` does not try everything.

use std::collections::{BTreeMap, BTreeSet};

use config::{Value, ValueKind};
use serde::de::Unexpected;

use super::fault::{Fault, Found, Kind, Place};
use super::guess::Guess;
use super::scalar;
use super::spot::descend;

/// What a text stands for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Typed {
    Boolean(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Typed {
    /// The number or boolean that serde found in its buffer.
    pub(super) fn found(unexpected: &Unexpected<'_>) -> Option<Self> {
        Some(match *unexpected {
            Unexpected::Bool(value) => Self::Boolean(value),
            Unexpected::Signed(value) => Self::Signed(value),
            Unexpected::Unsigned(value) => Self::Unsigned(value),
            Unexpected::Float(value) => Self::Float(value),
            _ => return None,
        })
    }
}

/// One try.
#[derive(Default)]
pub(super) struct Pass {
    typed: BTreeMap<*const Value, Typed>,
    /// Texts that are what their own faults say, whatever their likes are.
    alone: BTreeSet<*const Value>,
    /// One for each untagged enum that did not take its input as text.
    guesses: Vec<Guess>,
    ordered: bool,
}

impl Pass {
    /// What the text of this value is to be handed over as, if not as text.
    pub(super) fn typed(&self, value: &Value) -> Option<Typed> {
        if self.typed.is_empty() {
            return None;
        }
        self.typed.get(&std::ptr::from_ref(value)).copied()
    }

    /// True if tables are to be read in the order of their names.
    pub(super) fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// Notes what a fault tells. False if there is nothing more to try.
    pub(super) fn learn(&mut self, root: &Value, fault: &Fault) -> bool {
        if !self.ordered {
            // Whatever comes back in the end shall be the same fault every time.
            self.ordered = true;
            return true;
        }
        match fault.kind() {
            Kind::Type {
                expected,
                found: Found::Text,
                place: Some(place),
            } => self.learn_text(root, *place, expected),
            Kind::Type { .. } | Kind::Range { .. } => fault
                .number()
                .is_some_and(|number| self.doubt(descend(root, fault.steps()), number)),
            Kind::Custom(text) if is_untagged(text) => self.guess(descend(root, fault.steps())),
            _ => false,
        }
    }

    fn learn_text(&mut self, root: &Value, place: Place, expected: &str) -> bool {
        let mut here = None;
        leaves(root, 0, "", &mut |leaf| {
            if Place::of(leaf.text) == place {
                here = Some(leaf);
            }
        });
        let Some(here) = here else { return false };
        let Some(typed) = wanted(expected, here.text) else {
            return false;
        };
        let address = std::ptr::from_ref(here.value);
        if self.typed.insert(address, typed).is_some() {
            return false;
        }
        if self.alone.insert(address) {
            leaves(root, 0, "", &mut |leaf| {
                let address = std::ptr::from_ref(leaf.value);
                if (leaf.name, leaf.depth) == (here.name, here.depth)
                    && !self.alone.contains(&address)
                    && let Some(typed) = wanted(expected, leaf.text)
                {
                    self.typed.insert(address, typed);
                }
            });
        }
        true
    }

    /// A text was handed over as this number because of its likes, and it was wrong: whichever it was, it is a text
    /// again until its own fault says more.
    fn doubt(&mut self, around: &Value, number: Typed) -> bool {
        let before = self.typed.len();
        leaves(around, 0, "", &mut |leaf| {
            let address = std::ptr::from_ref(leaf.value);
            if self.typed.get(&address) == Some(&number) && self.alone.insert(address) {
                self.typed.remove(&address);
                self.guesses
                    .iter_mut()
                    .for_each(|guess| guess.leave_out(address));
            }
        });
        self.typed.len() < before
    }

    /// Takes the next choice for the untagged enum that is read here.
    fn guess(&mut self, around: &Value) -> bool {
        let known = self.guesses.iter().position(|guess| guess.is_about(around));
        let at = known.unwrap_or(self.guesses.len());
        if known.is_none() {
            let is_known = |address| {
                self.typed.contains_key(&address)
                    || self.guesses.iter().any(|guess| guess.holds(address))
            };
            self.guesses
                .push(Guess::new(around, |address| !is_known(address)));
        }
        let Some(choice) = self.guesses[at].next() else {
            return false;
        };
        for (address, typed) in choice {
            match typed {
                Some(typed) => self.typed.insert(address, typed),
                None => self.typed.remove(&address),
            };
        }
        true
    }
}

/// A text somewhere below a value.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'v> {
    pub(super) value: &'v Value,
    pub(super) text: &'v str,
    pub(super) name: &'v str,
    pub(super) depth: usize,
}

pub(super) fn leaves<'v>(
    value: &'v Value,
    depth: usize,
    name: &'v str,
    visit: &mut dyn FnMut(Leaf<'v>),
) {
    match &value.kind {
        ValueKind::String(text) => visit(Leaf {
            value,
            text,
            name,
            depth,
        }),
        ValueKind::Array(items) => {
            for item in items {
                leaves(item, depth + 1, name, visit);
            }
        }
        ValueKind::Table(table) => {
            for (name, value) in table {
                leaves(value, depth + 1, name, visit);
            }
        }
        _ => {}
    }
}

/// The text as what serde says it wanted. A number that the type does not hold stays text: its place is still known
/// when it is refused.
pub(super) fn wanted(expected: &str, text: &str) -> Option<Typed> {
    match expected {
        "a boolean" => scalar::boolean_of(text).map(Typed::Boolean),
        "f32" | "f64" => text.parse().ok().map(Typed::Float),
        _ => match scalar::holds(expected, text) {
            Some(true) => integer(text),
            Some(false) => None,
            None => integer(text).or_else(|| canonical(text)),
        },
    }
}

fn integer(text: &str) -> Option<Typed> {
    let signed = text.parse().map(Typed::Signed);
    signed.or_else(|_| text.parse().map(Typed::Unsigned)).ok()
}

/// The text as a number or a boolean that is written exactly so: not `007`, `+1`, `1e3` or `yes`.
pub(super) fn canonical(text: &str) -> Option<Typed> {
    let typed = match text {
        "true" => Typed::Boolean(true),
        "false" => Typed::Boolean(false),
        _ => integer(text).or_else(|| text.parse().ok().map(Typed::Float))?,
    };
    let written = match typed {
        Typed::Boolean(_) => return Some(typed),
        Typed::Signed(value) => value.to_string(),
        Typed::Unsigned(value) => value.to_string(),
        Typed::Float(value) => value.to_string(),
    };
    (written == text).then_some(typed)
}

/// What serde's derive says when no variant fits. Only an identifier follows, so it holds no value.
pub(super) fn is_untagged(text: &str) -> bool {
    text.strip_prefix("data did not match any variant of untagged enum ")
        .is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
}
