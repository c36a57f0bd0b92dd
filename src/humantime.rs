//! Durations as people write them, such as `30s` or `1h 30m`, for `#[serde(with = "config_azure::humantime")]`.
//!
//! Works for [`Duration`] and for `Option<Duration>`. A number without a unit is refused, as nobody can tell
//! whether it means seconds. For an optional field add `default`, because `with` makes every field required.
//!
//! ```
//! use std::time::Duration;
//!
//! #[derive(serde::Deserialize)]
//! struct Client {
//!     #[serde(with = "config_azure::humantime")]
//!     timeout: Duration,
//!     #[serde(default, with = "config_azure::humantime")]
//!     pause: Option<Duration>,
//! }
//!
//! let client: Client = serde_json::from_str(r#"{"timeout": "1m 30s"}"#)?;
//! assert_eq!(client.timeout, Duration::from_secs(90));
//! assert_eq!(client.pause, None);
//! assert!(serde_json::from_str::<Client>(r#"{"timeout": "30"}"#).is_err());
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::ser::Serializer;

/// A type that this module reads and writes: [`Duration`] and `Option<Duration>`. Not for others to implement.
pub trait Span: Sized {
    #[doc(hidden)]
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    #[doc(hidden)]
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Reads a duration.
///
/// # Errors
/// If the input is not a text, or not a duration with units. The error never holds the text.
pub fn deserialize<'de, D: Deserializer<'de>, T: Span>(deserializer: D) -> Result<T, D::Error> {
    T::read(deserializer)
}

/// Writes a duration as [`deserialize`] reads it.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer, T: Span>(span: &T, serializer: S) -> Result<S::Ok, S::Error> {
    span.write(serializer)
}

impl Span for Duration {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*self))
    }
}

impl Span for Option<Duration> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(OptionVisitor)
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(span) => serializer.serialize_some(&humantime::format_duration(*span).to_string()),
            None => serializer.serialize_none(),
        }
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration with a unit, such as `30s` or `1h 30m`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        humantime::parse_duration(text)
            .map_err(|_| E::invalid_value(Unexpected::Other("other text"), &self))
    }
}

struct OptionVisitor;

impl<'de> Visitor<'de> for OptionVisitor {
    type Value = Option<Duration>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TextVisitor.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Duration::read(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Both {
        #[serde(with = "super")]
        one: Duration,
        #[serde(default, with = "super")]
        other: Option<Duration>,
    }

    #[test]
    fn there_and_back() {
        for (json, other) in [
            (
                r#"{"one":"1h 30m","other":"250ms"}"#,
                Some(Duration::from_millis(250)),
            ),
            (r#"{"one":"1h 30m","other":null}"#, None),
        ] {
            let both: Both = serde_json::from_str(json).unwrap();
            let one = Duration::from_secs(5400);
            assert_eq!(both, Both { one, other });
            assert_eq!(serde_json::to_string(&both).unwrap(), json);
        }
    }

    #[test]
    fn errors_hold_no_value() {
        for json in [r#"{"one":"hunter2"}"#, r#"{"one":"1s","other":"hunter2"}"#] {
            let error = serde_json::from_str::<Both>(json).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("a duration with a unit"), "{error}");
        }
    }
}
