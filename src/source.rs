//! How a handle gives its settings to `config`: as nested tables of the current generation, without I/O.
//!
//! Both builders end here. The synchronous one collects into a temporary map and copies it; the asynchronous
//! one, which `live` always uses, merges straight into the merged tree.

use std::sync::Arc;

use config::{ConfigError, Map, Value};

use crate::error::{Error, ErrorKind};
use crate::loaded::Loaded;
use crate::publication::{Publication, pin};

/// The settings as one map, for whoever wants to own them.
pub(crate) fn collect(publication: &Arc<Publication>) -> Result<Map<String, Value>, ConfigError> {
    Ok(current(publication)?.tree().to_map())
}

/// Merges the settings into `cache`, over what the layers before gave.
pub(crate) fn collect_to(
    publication: &Arc<Publication>,
    cache: &mut Value,
) -> Result<(), ConfigError> {
    current(publication)?.tree().merge_into(cache);
    Ok(())
}

fn current(publication: &Arc<Publication>) -> Result<Arc<Loaded>, ConfigError> {
    pin::read(publication).ok_or_else(|| not_loaded().into())
}

/// What a handle answers that is asked for settings before its first load.
pub(crate) fn not_loaded() -> Error {
    Error::new(
        ErrorKind::NotLoaded,
        "App Configuration has not been loaded: build the handle with load().await, or with load_blocking() \
         where there is no runtime, before it is used as a source",
    )
}
