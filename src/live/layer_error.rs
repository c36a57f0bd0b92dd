//! Errors of other layers, without their values. A parser's message quotes the line it stumbled over, so only
//! the file's name and the position are taken from it.

use std::fmt::Write as _;
use std::io;

use config::ConfigError;

use crate::error::{Error, ErrorKind, printable};

/// What `config` reports about the application's own layers. An error of this crate passes unchanged.
pub(super) fn from(error: ConfigError) -> Error {
    let message = match error {
        ConfigError::FileParse { uri, cause } => parse(uri.as_deref(), &cause.to_string()),
        ConfigError::Foreign(cause) => match cause.downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(cause) => match cause.downcast_ref::<io::Error>() {
                Some(cause) => input(cause),
                None => "a layer failed".to_owned(),
            },
        },
        ConfigError::Type {
            origin,
            expected,
            key,
            ..
        } => wrong_type(origin.as_deref(), expected, key.as_deref()),
        ConfigError::At { error, origin, key } => {
            return at(*error, origin.as_deref(), key.as_deref());
        }
        ConfigError::NotFound(key) => format!("a layer misses '{}'", printable(&key)),
        ConfigError::PathParse { .. } => "a layer gave a key that is not a path".to_owned(),
        _ => "a layer failed".to_owned(),
    };
    Error::new(ErrorKind::Layer, message)
}

fn parse(uri: Option<&str>, cause: &str) -> String {
    let mut message = match uri {
        Some(uri) => format!("the file '{}' cannot be parsed", printable(uri)),
        None => "a layer given as text cannot be parsed".to_owned(),
    };
    if let Some(line) = number_after(cause, "line ") {
        let _ = write!(message, ", line {line}");
        if let Some(column) = number_after(cause, "column ") {
            let _ = write!(message, ", column {column}");
        }
    }
    message
}

/// The first number behind `word`. Digits only, and few of them: a position, not a value.
fn number_after(text: &str, word: &str) -> Option<u32> {
    let rest = &text[text.find(word)? + word.len()..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    (1..=7)
        .contains(&digits)
        .then(|| rest[..digits].parse().ok())
        .flatten()
}

fn input(cause: &io::Error) -> String {
    let text = cause.to_string();
    // What `config` itself says about a missing file names that file and nothing else.
    let name = text
        .strip_prefix("configuration file \"")
        .and_then(|rest| rest.split_once('"'));
    match name {
        Some((name, _)) if cause.kind() == io::ErrorKind::NotFound => {
            format!("the file '{}' was not found", printable(name))
        }
        _ => format!("a layer cannot be read: {}", cause.kind()),
    }
}

fn wrong_type(origin: Option<&str>, expected: &str, key: Option<&str>) -> String {
    let mut message = "a layer".to_owned();
    if let Some(origin) = origin {
        let _ = write!(message, " ({})", printable(origin));
    }
    let _ = write!(message, " gave another type than {}", printable(expected));
    if let Some(key) = key {
        let _ = write!(message, " for '{}'", printable(key));
    }
    message
}

fn at(inner: ConfigError, origin: Option<&str>, key: Option<&str>) -> Error {
    let inner = from(inner);
    if inner.kind() != ErrorKind::Layer {
        return inner;
    }
    let mut message = inner.to_string();
    if let Some(key) = key {
        let _ = write!(message, " at '{}'", printable(key));
    }
    if let Some(origin) = origin {
        let _ = write!(message, " in '{}'", printable(origin));
    }
    Error::new(ErrorKind::Layer, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{Config, File, FileFormat};

    fn text(error: ConfigError) -> String {
        let error = from(error);
        assert_eq!(error.kind(), ErrorKind::Layer);
        assert!(std::error::Error::source(&error).is_none());
        error.to_string()
    }

    #[test]
    fn a_half_edited_file_is_named_with_its_position_and_without_its_content() {
        let half = "ok = 1\npassword = \"hunter2-canary\ntitle = 3";
        let toml = Config::builder()
            .add_source(File::from_str(half, FileFormat::Toml))
            .build()
            .unwrap_err();
        assert!(toml.to_string().contains("hunter2"));
        let said = text(toml);
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(
            said,
            "a layer given as text cannot be parsed, line 2, column 27"
        );

        let named = ConfigError::FileParse {
            uri: Some("settings.json".to_owned()),
            cause: "invalid value 'hunter2' at line 3 column 14".into(),
        };
        assert_eq!(
            text(named),
            "the file 'settings.json' cannot be parsed, line 3, column 14"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = Config::builder()
            .add_source(File::with_name("no-such-settings"))
            .build()
            .unwrap_err();
        assert_eq!(text(missing), "the file 'no-such-settings' was not found");
    }

    #[test]
    fn free_texts_are_dropped() {
        for error in [
            ConfigError::Message("password is hunter2".to_owned()),
            ConfigError::Foreign("password is hunter2".into()),
            ConfigError::Foreign(Box::new(io::Error::other("password is hunter2"))),
        ] {
            let said = text(error);
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn an_error_of_this_crate_passes() {
        let error = from(crate::source::not_loaded().into());
        assert_eq!(error.kind(), ErrorKind::NotLoaded);
    }
}
