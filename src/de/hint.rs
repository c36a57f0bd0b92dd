//! The likely fix.

use std::fmt;

use config::{Value, ValueKind};

use crate::error::printable;
use crate::tree::{Located, SettingOrigin};

use super::fault::Found;
use super::learn::wanted;
use super::scalar;

/// What to do about it.
pub(super) enum Hint {
    Blanks,
    Empty,
    ContentType,
    Secret,
    Case,
    Gap,
    Spelled(String),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blanks => "remove the blanks or the line break around the value",
            Self::Empty => "the text is empty; to mean nothing, leave it out",
            Self::ContentType => "set the content type to application/json or fix the value",
            Self::Secret => "fix the value of the secret",
            Self::Case => "only upper and lower case differ",
            Self::Gap => "its names are indices, but not 0, 1, … without a gap",
            Self::Spelled(name) => {
                return write!(
                    f,
                    "'{name}' is set, but names must match exactly; see KeyCase, or rename the field for serde"
                );
            }
        })
    }
}

/// For a text that stands where something else is wanted.
pub(super) fn for_text(
    value: &Value,
    located: &Located,
    expected: &str,
    found: Found,
) -> Option<Hint> {
    let ValueKind::String(text) = &value.kind else {
        return None;
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Some(Hint::Empty);
    }
    let fits = found != Found::Text || wanted(expected, trimmed).is_some();
    if trimmed.len() < text.len() && fits {
        return Some(Hint::Blanks);
    }
    match located {
        Located::Setting(SettingOrigin {
            secret: Some(_), ..
        }) => Some(Hint::Secret),
        Located::Setting(_) if found == Found::Text => Some(Hint::ContentType),
        _ => None,
    }
}

/// For a table that stands where a list is wanted.
pub(super) fn for_table(value: &Value, expected: &str) -> Option<Hint> {
    let ValueKind::Table(table) = &value.kind else {
        return None;
    };
    let indices = table.keys().all(|name| scalar::is_integer(name));
    (indices && expected == "a sequence").then_some(Hint::Gap)
}

/// For a text that names no variant.
pub(super) fn for_variant(value: &Value, variants: &[&str]) -> Option<Hint> {
    let ValueKind::String(text) = &value.kind else {
        return None;
    };
    if variants.contains(&text.trim()) {
        return Some(Hint::Blanks);
    }
    let same = |variant: &&str| variant.eq_ignore_ascii_case(text.trim());
    variants.iter().any(same).then_some(Hint::Case)
}

/// For a field that is not there, while one that looks like it is.
pub(super) fn for_missing(table: &Value, field: &str) -> Option<Hint> {
    let ValueKind::Table(table) = &table.kind else {
        return None;
    };
    let wanted = bare(field);
    let like = table.keys().filter(|name| bare(name) == wanted).min()?;
    Some(Hint::Spelled(printable(like)))
}

/// A name without its case and punctuation.
fn bare(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}
