//! Which words of other people's code may stand in an error.

use std::collections::HashSet;

use config::{Value, ValueKind};

use crate::error::printable;
use crate::tree::Located;

use super::learn::is_untagged;
use super::scalar;

/// What stands for words that are held back.
pub(super) const HELD_BACK: &str =
    "its type refused the value; its words are not shown, as they may hold the value";

/// The most bytes in a row that words may share with a value.
const SHARED: usize = 7;

/// The message of a type's own code, if every value it may be about is known to be no secret, and it shows none of
/// them, not even a part: a connection string in one setting holds its password.
pub(super) fn custom(value: &Value, text: &str) -> String {
    if is_untagged(text) || is_address(text) {
        return text.to_owned();
    }
    if all(value, &|leaf| {
        Located::of(leaf).is_public() && !is_quoted(leaf, text) && !is_shared(leaf, text)
    }) {
        return printable(text);
    }
    HELD_BACK.to_owned()
}

/// What a type says it wants. It is about the type, unless somebody built it from the value.
pub(super) fn expected(value: &Value, text: &str) -> String {
    if is_standard(text) || all(value, &|leaf| !is_quoted(leaf, text)) {
        return printable(text);
    }
    "another value".to_owned()
}

/// True for every value at or below.
fn all(value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    match &value.kind {
        ValueKind::Array(items) => items.iter().all(|item| all(item, test)),
        ValueKind::Table(table) => table.values().all(|value| all(value, test)),
        _ => test(value),
    }
}

fn is_quoted(leaf: &Value, text: &str) -> bool {
    let Some(value) = scalar::text(leaf) else {
        return false;
    };
    !value.is_empty()
        && (text.contains(&*value) || text.contains(&value.escape_debug().to_string()))
}

/// True if a part of the value stands in the text.
fn is_shared(leaf: &Value, text: &str) -> bool {
    let Some(value) = scalar::text(leaf) else {
        return false;
    };
    let said: HashSet<&[u8]> = parts(text).collect();
    let shows = |value: &str| parts(value).any(|part| said.contains(part));
    shows(&value) || shows(&value.escape_debug().to_string())
}

fn parts(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().windows(SHARED + 1)
}

/// What the standard library says about addresses, which holds no value.
fn is_address(text: &str) -> bool {
    text.strip_prefix("invalid ")
        .and_then(|rest| rest.strip_suffix(" syntax"))
        .is_some_and(|kind| {
            matches!(
                kind,
                "IP address"
                    | "IPv4 address"
                    | "IPv6 address"
                    | "socket address"
                    | "IPv4 socket address"
                    | "IPv6 socket address"
            )
        })
}

/// What serde and its derive say.
fn is_standard(text: &str) -> bool {
    const WHOLE: [&str; 23] = [
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "usize",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "isize",
        "f32",
        "f64",
        "a boolean",
        "a character",
        "a single character",
        "a string",
        "a sequence",
        "a map",
        "unit",
        "option",
        "text",
    ];
    const START: [&str; 10] = [
        "a duration with a unit",
        "a nonzero ",
        "struct ",
        "tuple struct ",
        "unit struct ",
        "enum ",
        "an array of length ",
        "a tuple of size ",
        "the name of a variant, or a table",
        "a table whose only name is the variant",
    ];
    WHOLE.contains(&text) || START.iter().any(|start| text.starts_with(start))
}
