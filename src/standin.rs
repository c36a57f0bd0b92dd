//! Stand-ins for rooms that are being built on other branches. Gone when they are merged.

use config::Value;

use crate::error::{Error, ErrorKind, Result};

/// Stands for `de::from_value`.
pub(crate) fn from_value<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T> {
    value
        .clone()
        .try_deserialize()
        .map_err(|_| Error::new(ErrorKind::InvalidValue, "a value does not fit"))
}
/// TEMPORARY
pub fn from_config<T: serde::de::DeserializeOwned>(config: &config::Config) -> Result<T> {
    from_value(&config.cache)
}
