//! From the application's layers to a typed value: collect, deserialize, validate. All of it is other people's
//! code, so all of it runs where a panic is an answer and where nobody waits for it.

use std::error::Error as StdError;
use std::sync::Arc;

use config::builder::AsyncState;
use config::{Config, ConfigBuilder};
use serde::de::DeserializeOwned;

use super::layer_error;
use super::overlay::{Overlay, Own};
use crate::de::from_value;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::loaded::Loaded;
use crate::publication::pin::{self, Pin, Pins};
use crate::task::{self, Panicked};

/// The application's check of new values, given the ones in use.
pub(super) type Validate<T> = dyn Fn(&T, Option<&T>) -> Result<(), BoxError> + Send + Sync;

/// Collects all layers once. Tells also which stores they read, and at which generation.
pub(super) async fn collect(layers: &ConfigBuilder<AsyncState>) -> (Result<Config>, Pins) {
    let (built, pins) = pin::scope(task::caught(layers.build_cloned())).await;
    let built = match built {
        Ok(Ok(config)) => Ok(config),
        Ok(Err(error)) => Err(layer_error::from(error)),
        Err(Panicked) => Err(Error::new(
            ErrorKind::Layer,
            "a layer of the application's builder panicked",
        )),
    };
    (built, pins)
}

/// A typed value with the primary store's generation that is in it, and what other layers gave.
pub(super) struct Built<T> {
    pub(super) value: T,
    pub(super) loaded: Arc<Loaded>,
    pub(super) overlay: Overlay,
}

/// Deserializes and validates what was collected from `loaded` and other layers, `read` among them.
pub(super) fn judge<T: DeserializeOwned>(
    config: &Config,
    loaded: Arc<Loaded>,
    read: &[Pin],
    validate: Option<&Validate<T>>,
    old: Option<&T>,
) -> Result<Built<T>> {
    let value = typed(config, validate, old)?;
    let overlay = Overlay::of(&config.cache, Own::of(&loaded, read));
    Ok(Built {
        value,
        loaded,
        overlay,
    })
}

fn typed<T: DeserializeOwned>(
    config: &Config,
    validate: Option<&Validate<T>>,
    old: Option<&T>,
) -> Result<T> {
    let value: T = task::caught_now(|| from_value(&config.cache)).unwrap_or_else(|Panicked| {
        Err(Error::new(
            ErrorKind::InvalidValue,
            "the application's Deserialize panicked",
        ))
    })?;
    let Some(validate) = validate else {
        return Ok(value);
    };
    match task::caught_now(|| validate(&value, old)) {
        Ok(Ok(())) => Ok(value),
        Ok(Err(reason)) => {
            Err(rejected("the validator refused the new values").with_source(reason))
        }
        Err(Panicked) => Err(rejected("the validator panicked")),
    }
}

fn rejected(message: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, message)
}

/// Makes a validator of the application's function, whatever its error type.
pub(super) fn validator<T, E>(
    check: impl Fn(&T, Option<&T>) -> Result<(), E> + Send + Sync + 'static,
) -> Arc<Validate<T>>
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    Arc::new(move |new, old| check(new, old).map_err(Into::into))
}
