//! From merged values to the application's own type, with errors that name everything but the value.
//!
//! `value`, `access` and `name` are the deserializer, `scalar` its rules for single values, `fault` what goes wrong
//! inside serde, `learn` and `guess` the second try for values that serde buffers before it knows their type, and `spot`,
//! `safe`, `hint` and `report` the words for it.

mod access;
mod fault;
mod guess;
mod hint;
mod learn;
mod name;
mod report;
mod safe;
mod scalar;
mod spot;
#[cfg(test)]
mod tests;
mod value;

use serde::de::DeserializeOwned;

use crate::Result;

use learn::Pass;
use value::ValueDeserializer;

/// Reads the application's own type out of a built [`config::Config`].
///
/// Like [`Config::try_deserialize`](config::Config::try_deserialize), with these differences:
///
/// * An error never holds a value. It names the path, the expected type, where the value came from (the setting
///   and its label, a file, the environment) and, where it can, the fix. The texts of `try_deserialize` quote the
///   value, secrets included. What a type's own code says is shown only if the value is no secret, and if the
///   words share no eight bytes in a row with it. That is as far as it goes: a type that quotes a shorter part of a
///   plain setting is shown.
/// * Nothing is copied on the way, and the `Config` stays usable.
/// * A table whose names are `0`, `1`, … is a list where a list is wanted.
/// * No value makes it panic: a bare text for an enum variant that holds data is an error.
/// * Numbers are read more strictly: `80.6` is not a `u16`, `"on"` is not a number, `2` is not a `bool`. Text is
///   still read as what the field wants: `"8080"` as a `u16`; `true`, `1`, `yes`, `on` and `false`, `0`, `no`,
///   `off`, in any case, as a `bool`.
/// * Text is also read as a number or a `bool` inside `#[serde(flatten)]` and in tagged and untagged enums, where
///   `try_deserialize` cannot. An untagged enum does not say what it wants, so that its texts are guessed at
///   (`docs/keys.md` has the limits): what such a
///   setting is meant to be is said best by the content type `application/json`.
///
/// # Errors
/// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue).
///
/// ```
/// use config::{Config, File, FileFormat};
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Settings { db: Database }
/// #[derive(Debug, serde::Deserialize)]
/// struct Database { port: u16 }
///
/// let config = |json| Config::builder().add_source(File::from_str(json, FileFormat::Json)).build();
///
/// let settings: Settings = config_azure::from_config(&config(r#"{"db": {"port": "5432"}}"#)?)?;
/// assert_eq!(settings.db.port, 5432);
///
/// let error = config_azure::from_config::<Settings>(&config(r#"{"db": {"port": "hunter2"}}"#)?).unwrap_err();
/// assert_eq!(error.to_string(), "db.port: expected u16, found text");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_config<T: DeserializeOwned>(config: &config::Config) -> Result<T> {
    from_value(&config.cache)
}

/// The same from one value.
pub(crate) fn from_value<T: DeserializeOwned>(root: &config::Value) -> Result<T> {
    let mut pass = Pass::default();
    // Once, unless serde buffers.
    loop {
        let fault = match T::deserialize(ValueDeserializer::new(root, &pass)) {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        if !pass.learn(root, &fault) {
            return Err(report::error(root, &fault));
        }
    }
}
