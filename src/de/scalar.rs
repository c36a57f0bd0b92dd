//! One value as what a field wants. Text is read as what is wanted; nothing else is converted if it would lose or
//! invent anything.

use std::borrow::Cow;
use std::str::FromStr;

use config::{Value, ValueKind};

use super::fault::{Fault, Found, Kind};

/// What kind of value it is.
pub(super) fn found(value: &Value) -> Found {
    match &value.kind {
        ValueKind::Nil => Found::Nothing,
        ValueKind::Boolean(_) => Found::Boolean,
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
            Found::Integer
        }
        ValueKind::Float(_) => Found::Float,
        ValueKind::String(_) => Found::Text,
        ValueKind::Array(_) => Found::List,
        ValueKind::Table(_) => Found::Table,
    }
}

fn not(value: &Value, expected: &'static str) -> Fault {
    Fault::expected(found(value), &expected)
}

/// An integer of the type called `name`.
pub(super) fn integer<T>(value: &Value, name: &'static str) -> Result<T, Fault>
where
    T: FromStr + TryFrom<i64> + TryFrom<u64> + TryFrom<i128> + TryFrom<u128>,
{
    let integer = match &value.kind {
        ValueKind::I64(integer) => T::try_from(*integer).ok(),
        ValueKind::U64(integer) => T::try_from(*integer).ok(),
        ValueKind::I128(integer) => T::try_from(*integer).ok(),
        ValueKind::U128(integer) => T::try_from(*integer).ok(),
        ValueKind::Float(float) if float.fract() == 0.0 => whole(*float),
        ValueKind::String(text) => match text.parse() {
            Ok(integer) => Some(integer),
            Err(_) if is_integer(text) => None,
            Err(_) => return Err(not(value, name)),
        },
        _ => return Err(not(value, name)),
    };
    integer.ok_or_else(|| {
        Fault::new(Kind::Range {
            expected: name.to_owned(),
        })
    })
}

/// A float without a fraction as an integer. `as` would turn what no integer holds into the nearest one.
fn whole<T: TryFrom<i128> + TryFrom<u128>>(float: f64) -> Option<T> {
    const SIGNED: f64 = (1_u128 << 127) as f64;
    if (-SIGNED..SIGNED).contains(&float) {
        T::try_from(float as i128).ok()
    } else if (0.0..2.0 * SIGNED).contains(&float) {
        T::try_from(float as u128).ok()
    } else {
        None
    }
}

/// Digits with or without a sign, of any length.
pub(super) fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether the integer type called `name`, as serde calls it, holds the number that a text is. `None` for any other type.
pub(super) fn holds(name: &str, text: &str) -> Option<bool> {
    let (name, is_nonzero) = match name.strip_prefix("a nonzero ") {
        Some(name) => (name, true),
        None => (name, false),
    };
    macro_rules! holds {
        ($($type:ident)*) => {
            match name {
                $(stringify!($type) => text.parse().is_ok_and(|value: $type| value != 0 || !is_nonzero),)*
                _ => return None,
            }
        };
    }
    Some(holds!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize))
}

pub(super) fn float(value: &Value, name: &'static str) -> Result<f64, Fault> {
    match &value.kind {
        ValueKind::Float(float) => Ok(*float),
        ValueKind::I64(integer) => Ok(*integer as f64),
        ValueKind::U64(integer) => Ok(*integer as f64),
        ValueKind::I128(integer) => Ok(*integer as f64),
        ValueKind::U128(integer) => Ok(*integer as f64),
        ValueKind::String(text) => text.parse().map_err(|_| not(value, name)),
        _ => Err(not(value, name)),
    }
}

pub(super) fn boolean(value: &Value) -> Result<bool, Fault> {
    let boolean = match &value.kind {
        ValueKind::Boolean(boolean) => Some(*boolean),
        ValueKind::I64(0) | ValueKind::U64(0) => Some(false),
        ValueKind::I64(1) | ValueKind::U64(1) => Some(true),
        ValueKind::String(text) => boolean_of(text),
        _ => None,
    };
    boolean.ok_or_else(|| not(value, "a boolean"))
}

/// The words that the `config` crate knows.
pub(super) fn boolean_of(text: &str) -> Option<bool> {
    let any = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if any(["true", "1", "yes", "on"]) {
        Some(true)
    } else if any(["false", "0", "no", "off"]) {
        Some(false)
    } else {
        None
    }
}

pub(super) fn character(value: &Value) -> Result<char, Fault> {
    let text = text(value).unwrap_or_default();
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(not(value, "a single character")),
    }
}

/// Text, or the text of a number or a boolean.
pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    Some(match &value.kind {
        ValueKind::String(text) => Cow::Borrowed(text),
        ValueKind::Boolean(boolean) => boolean.to_string().into(),
        ValueKind::I64(integer) => integer.to_string().into(),
        ValueKind::U64(integer) => integer.to_string().into(),
        ValueKind::I128(integer) => integer.to_string().into(),
        ValueKind::U128(integer) => integer.to_string().into(),
        ValueKind::Float(float) => float.to_string().into(),
        ValueKind::Nil | ValueKind::Array(_) | ValueKind::Table(_) => return None,
    })
}

/// The values of a table whose names are exactly `0`, `1`, …, in their order.
pub(super) fn as_list(table: &config::Map<String, Value>) -> Option<Vec<&Value>> {
    // Most tables are no list, and one look at a name shows it.
    if !table.keys().next().is_none_or(|name| is_integer(name)) {
        return None;
    }
    (0..table.len())
        .map(|index| table.get(index.to_string().as_str()))
        .collect()
}
