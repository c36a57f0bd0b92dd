//! The api-versions of the service and what each of them has.

use super::problem::Problem;
use super::query::Query;

/// An api-version, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ApiVersion {
    V1_0,
    V2023_10,
    V2023_11,
    V2024_09,
    V2026_04,
}

const NAMES: [(&str, ApiVersion); 5] = [
    ("1.0", ApiVersion::V1_0),
    ("2023-10-01", ApiVersion::V2023_10),
    ("2023-11-01", ApiVersion::V2023_11),
    ("2024-09-01", ApiVersion::V2024_09),
    ("2026-04-01", ApiVersion::V2026_04),
];

impl ApiVersion {
    pub(crate) const NEWEST: Self = Self::V2026_04;

    /// The version with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, version)| *version)
    }

    /// The version that a request asks for: 1.0 if it does not say, and nothing above `newest`.
    pub(crate) fn of(query: &Query, path: &str, newest: Self) -> Result<Self, Problem> {
        let mut asked: Vec<_> = query.all("api-version").collect();
        asked.dedup();
        let name = match asked[..] {
            [] => return Ok(Self::V1_0),
            [name] => name,
            _ => {
                let detail = format!(
                    "The following API versions were requested: {}. At most, only a single API version may be \
                     specified. Please update the intended API version and retry the request.",
                    asked.join(", ")
                );
                return Err(Problem::api_version("Ambiguous API version", &detail));
            }
        };
        let known = Self::named(name).filter(|version| *version <= newest);
        known.ok_or_else(|| unsupported(name, path))
    }

    /// The version, if it is at least `first`; else the same refusal as for an unknown one.
    pub(crate) fn at_least(self, first: Self, path: &str) -> Result<Self, Problem> {
        if self >= first {
            Ok(self)
        } else {
            Err(unsupported(self.name(), path))
        }
    }

    pub(crate) fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(_, version)| *version == self);
        found.map_or("", |(name, _)| name)
    }

    pub(crate) fn has_page_etags(self) -> bool {
        self >= Self::V2023_10
    }

    pub(crate) fn has_snapshots(self) -> bool {
        self >= Self::V2023_10
    }

    pub(crate) fn has_tags_on_lists(self) -> bool {
        self >= Self::V2023_11
    }

    pub(crate) fn has_tags_on_items(self) -> bool {
        self >= Self::V2024_09
    }

    pub(crate) fn has_description(self) -> bool {
        self >= Self::V2026_04
    }
}

fn unsupported(name: &str, path: &str) -> Problem {
    let detail = format!(
        "The HTTP resource that matches the request URI '{path}' does not support the API version '{name}'."
    );
    Problem::api_version("Unsupported API version", &detail)
}
