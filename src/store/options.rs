//! Everything a store needs to know.

use std::sync::Arc;
use std::time::Duration;

use super::auth::StoreCredential;
use super::correlation::{TracingEnvironment, TracingOptions};
use super::discovery::SrvLookup;
use super::endpoint::Endpoint;
use super::page::LoadLimits;
use super::selection::{Selection, Target};
use super::sentinel::Sentinel;
use crate::error::{Error, Result};

/// Works with every store and has tags, snapshots and page ETags.
pub(crate) const DEFAULT_API_VERSION: &str = "2023-11-01";
/// The first version with page ETags, without which every check would read everything.
const OLDEST_API_VERSION: &str = "2023-10-01";
/// The first version that filters lists by tag. Older ones ignore tags silently and select everything
/// (provider-spec 1.2).
const OLDEST_WITH_TAGS: &str = "2023-11-01";
const DEFAULT_DEADLINE: Duration = Duration::from_secs(100);

/// Everything a store needs to know.
#[derive(Debug)]
pub(crate) struct StoreOptions {
    /// In order of preference; at least one.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) credential: StoreCredential,
    pub(crate) selection: Selection,
    pub(crate) sentinels: Vec<Sentinel>,
    pub(crate) api_version: Box<str>,
    /// Serve each operation by the next endpoint instead of always preferring the first.
    pub(crate) load_balancing: bool,
    pub(crate) limits: LoadLimits,
    /// For one load or check on all endpoints together.
    pub(crate) deadline: Duration,
    /// Looks for replicas; `None` turns discovery off. See [`system_dns`].
    pub(crate) discovery: Option<Arc<dyn SrvLookup>>,
    /// An invalid feature flag fails the load instead of being left out with a warning.
    pub(crate) strict_flags: bool,
    pub(crate) tracing: TracingOptions,
    pub(crate) environment: TracingEnvironment,
}

impl StoreOptions {
    pub(crate) fn new(
        endpoints: Vec<Endpoint>,
        credential: StoreCredential,
        selection: Selection,
    ) -> Self {
        Self {
            endpoints,
            credential,
            selection,
            sentinels: Vec::new(),
            api_version: DEFAULT_API_VERSION.into(),
            load_balancing: false,
            limits: LoadLimits::default(),
            deadline: DEFAULT_DEADLINE,
            discovery: None,
            strict_flags: false,
            tracing: TracingOptions::default(),
            environment: TracingEnvironment::default(),
        }
    }
}

/// Replica discovery by the system's resolvers; `None` without the feature `replica_discovery`.
pub(crate) fn system_dns() -> Option<Arc<dyn SrvLookup>> {
    #[cfg(feature = "replica_discovery")]
    return Some(Arc::new(super::dns::SystemDns));
    #[cfg(not(feature = "replica_discovery"))]
    None
}

/// Checks an api-version: a date, perhaps with a suffix, that is not too old for what is selected.
pub(super) fn check_api_version(version: &str, selection: &Selection) -> Result<()> {
    let date = version.get(..10).unwrap_or_default();
    let is_date = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let rest = version.get(10..).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if date.len() != 10 || !is_date || !rest.bytes().all(plain) {
        return Err(Error::option(
            "the api-version of the store is not a date such as 2023-11-01",
        ));
    }
    if date < OLDEST_API_VERSION {
        return Err(Error::option(
            "the api-version of the store must be 2023-10-01 or later: older ones have no ETags of pages",
        ));
    }
    let queries = selection.queries();
    if date < OLDEST_WITH_TAGS && queries.iter().any(|query| has_tags(&query.target)) {
        return Err(Error::option(
            "tag() of a selector needs an api_version() of 2023-11-01 or later: before it, the store ignores tags \
             and would select everything",
        ));
    }
    Ok(())
}

fn has_tags(target: &Target) -> bool {
    matches!(target, Target::Filter { tags, .. } if !tags.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SettingSelector;

    #[test]
    fn api_versions() {
        let all = Selection::new(&[], &[]).unwrap();
        let check_api_version = |version| check_api_version(version, &all);
        for fine in [
            "2023-10-01",
            DEFAULT_API_VERSION,
            "2026-04-01",
            "2026-05-01-preview",
        ] {
            assert!(check_api_version(fine).is_ok(), "{fine}");
        }
        for bad in [
            "",
            "1.0",
            "2022-11-01-preview",
            "2023-11-1",
            "latest",
            "2023-11-01&x=y",
            "2023-11-01 ",
        ] {
            assert!(check_api_version(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_need_a_version_that_knows_them() {
        let tagged = [SettingSelector::all().tag("region", "eu")];
        let settings = Selection::new(&tagged, &[]).unwrap();
        let flags = Selection::new(&[], &tagged).unwrap();
        for selection in [settings, flags] {
            for (version, fine) in [
                ("2023-10-01", false),
                ("2023-10-31-preview", false),
                ("2023-11-01", true),
                ("2024-09-01", true),
            ] {
                let checked = check_api_version(version, &selection);
                assert_eq!(checked.is_ok(), fine, "{version}");
                let said = checked.err().map_or_else(String::new, |e| e.to_string());
                let named = said.contains("tag()") && said.contains("api_version()");
                assert_eq!(named, !fine, "{said}");
            }
        }
    }
}
