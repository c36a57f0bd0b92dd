//! The deserializer over trees, files and environments.

mod buffered;
mod errors;
mod never;
mod types;
mod untagged;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::from_config;
use crate::tree::tests::{Given, config, json, secret, text};

/// A value that no error may hold.
const CANARY: &str = "hunter2-CANARY";

fn read<T: DeserializeOwned>(given: &[Given]) -> T {
    from_config(&config(given)).unwrap()
}

/// The text of the error, after a look at every form of it for the canary.
fn refused<T: DeserializeOwned>(given: &[Given]) -> String {
    refused_by::<T>(&config(given))
}

fn refused_by<T: DeserializeOwned>(config: &config::Config) -> String {
    let Err(error) = from_config::<T>(config) else {
        panic!("was read")
    };
    assert_eq!(error.kind(), crate::ErrorKind::InvalidValue);
    assert!(std::error::Error::source(&error).is_none());
    for shown in [
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        for part in [CANARY, "hunter2", "CANARY"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }
    error.to_string()
}
