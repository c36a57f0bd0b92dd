//! A fault becomes an error that a person can act on: path, what was wanted, where it came from, the likely fix.

use config::{Value, ValueKind};

use crate::error::printable;
use crate::tree::Located;
use crate::{Error, ErrorKind};

use super::fault::{Fault, Found, Kind};
use super::spot::Spot;
use super::{hint, safe, scalar};

/// The most names in a list of what would have been right.
const MOST_NAMES: usize = 20;

/// The error for a fault that rose out of `root`.
pub(super) fn error(root: &Value, fault: &Fault) -> Error {
    let spot = Spot::of(root, fault);
    let located = spot.located(fault.kind());
    let (message, hint) = words(&spot, fault.kind(), &located);
    let notes: Vec<_> = from(&located)
        .into_iter()
        .chain(hint.map(|hint| hint.to_string()))
        .collect();
    let message = if notes.is_empty() {
        message
    } else {
        format!("{message} ({})", notes.join("; "))
    };
    let error = Error::new(ErrorKind::InvalidValue, message);
    let error = match &located {
        Located::Setting(origin) => error.with_named_setting(&origin.key, origin.label.as_deref()),
        _ => error,
    };
    if spot.path.is_empty() {
        error
    } else {
        error.with_path(spot.path)
    }
}

fn from(located: &Located) -> Option<String> {
    match located {
        Located::Setting(origin) => {
            let mut text = format!("from {}", printable(&origin.key));
            if let Some(label) = &origin.label {
                text.push_str(", label ");
                text.push_str(&printable(label));
            }
            text.push_str(", in ");
            text.push_str(&printable(&origin.store));
            if let Some(secret) = &origin.secret {
                text.push_str(", secret ");
                text.push_str(&printable(secret));
            }
            Some(text)
        }
        Located::Layer(name) => Some(format!("from {}", printable(name))),
        Located::Unknown => None,
    }
}

fn words(spot: &Spot<'_>, kind: &Kind, located: &Located) -> (String, Option<hint::Hint>) {
    match kind {
        // What serde buffered as text.
        Kind::Type { expected, .. } if is_out_of_range(spot.value, expected) => {
            (out_of_range(spot, expected), None)
        }
        Kind::Type {
            expected, found, ..
        } => {
            let found = match spot.value.kind {
                // What a type says that does not say what it found.
                ValueKind::String(_) if *found == Found::Other => Found::OtherText,
                _ => *found,
            };
            let wanted = safe::expected(spot.value, expected);
            let hint = match found {
                Found::Text | Found::OtherText => {
                    hint::for_text(spot.value, located, expected, found)
                }
                Found::Table => hint::for_table(spot.value, expected),
                _ => None,
            };
            (format!("expected {wanted}, found {}", found.words()), hint)
        }
        Kind::Range { expected } => (out_of_range(spot, expected), None),
        Kind::Name { expected } => (format!("its name is not a valid {expected}"), None),
        Kind::Length { expected } => {
            let wanted = safe::expected(spot.value, expected);
            (format!("expected {wanted}, found another length"), None)
        }
        Kind::TooLong => (
            "the list has more elements than its type takes".to_owned(),
            None,
        ),
        Kind::MissingField(name) => (
            "no value is set, and the field has no default".to_owned(),
            hint::for_missing(spot.value, name),
        ),
        Kind::DuplicateField(name) => (
            format!("`{name}` is set twice, under its name and under an alias"),
            None,
        ),
        Kind::UnknownField { expected, .. } => (
            format!("not a known field; known are {}", list(expected)),
            None,
        ),
        Kind::UnknownVariant { expected } => (
            format!("expected one of {}, found other text", list(expected)),
            hint::for_variant(spot.value, expected),
        ),
        Kind::Custom(text) => (safe::custom(spot.value, text), None),
    }
}

fn is_out_of_range(value: &Value, expected: &str) -> bool {
    let ValueKind::String(text) = &value.kind else {
        return false;
    };
    scalar::is_integer(text) && scalar::holds(expected, text) == Some(false)
}

fn out_of_range(spot: &Spot<'_>, expected: &str) -> String {
    let wanted = safe::expected(spot.value, expected);
    let range = range(expected);
    format!("expected {wanted}{range}, found a number out of its range")
}

fn list(names: &[&str]) -> String {
    let mut out: Vec<_> = names
        .iter()
        .take(MOST_NAMES)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.len() > MOST_NAMES {
        out.push("…".to_owned());
    }
    if out.is_empty() {
        return "none".to_owned();
    }
    out.join(", ")
}

fn range(expected: &str) -> String {
    macro_rules! range {
        ($($type:ident)*) => {
            match expected {
                $(stringify!($type) => format!(" ({} to {})", $type::MIN, $type::MAX),)*
                _ => String::new(),
            }
        };
    }
    range!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize)
}
