//! Selectors, checked and taken apart into single queries.

use std::time::SystemTime;

use super::filter::{
    check_key_filter, check_label, check_snapshot_name, check_text, prefixed, tag_filter,
};
use super::selector::{Filter, SelectorTarget, SettingSelector};
use crate::error::{Error, Result};
use crate::setting::Label;

const MOST_TAGS: usize = 5;
/// Every feature flag's key starts so (provider-spec 6.1).
pub(crate) const FLAG_PREFIX: &str = ".appconfig.featureflag/";

/// Whether a query is for settings or for feature flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryKind {
    Settings,
    Flags,
}

/// One list to walk: one key filter under one label, or one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// Which of the selectors of its kind it came from.
    pub(crate) selector: usize,
    pub(crate) kind: QueryKind,
    pub(crate) target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Filter {
        key: Box<str>,
        label: Label,
        /// In the service's tag grammar, sorted.
        tags: Vec<Box<str>>,
        as_of: Option<SystemTime>,
    },
    Snapshot {
        name: Box<str>,
        required: bool,
    },
}

/// All queries of a store, in order: a later one wins.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    queries: Vec<Query>,
}

impl Selection {
    /// Checks the selectors. Without any, all settings without a label are selected. Of equal queries only the
    /// last stays.
    pub(crate) fn new(settings: &[SettingSelector], flags: &[SettingSelector]) -> Result<Self> {
        let all = [SettingSelector::all()];
        let settings = if settings.is_empty() { &all } else { settings };
        let mut queries = Vec::new();
        for (kind, selectors) in [(QueryKind::Settings, settings), (QueryKind::Flags, flags)] {
            for (selector, given) in selectors.iter().enumerate() {
                for target in targets(given, kind)? {
                    queries.retain(|query: &Query| query.kind != kind || query.target != target);
                    queries.push(Query {
                        selector,
                        kind,
                        target,
                    });
                }
            }
        }
        Ok(Self { queries })
    }

    pub(crate) fn queries(&self) -> &[Query] {
        &self.queries
    }
}

fn targets(selector: &SettingSelector, kind: QueryKind) -> Result<Vec<Target>> {
    match &selector.target {
        SelectorTarget::Mixed(why) => Err(Error::option(*why)),
        SelectorTarget::Snapshot { name, required } => {
            check_snapshot_name(name)?;
            Ok(vec![Target::Snapshot {
                name: name.as_str().into(),
                required: *required,
            }])
        }
        SelectorTarget::Filter(filter) => filter_targets(filter, kind),
    }
}

fn filter_targets(filter: &Filter, kind: QueryKind) -> Result<Vec<Target>> {
    check_key_filter(&filter.key)?;
    let key = match kind {
        QueryKind::Settings => filter.key.clone(),
        QueryKind::Flags => prefixed(FLAG_PREFIX, &filter.key),
    };
    let tags = tags(filter)?;
    let none = [String::new()];
    let labels = if filter.labels.is_empty() {
        &none
    } else {
        filter.labels.as_slice()
    };
    labels
        .iter()
        .map(|label| {
            check_label(label)?;
            Ok(Target::Filter {
                key: key.as_str().into(),
                label: Label::from(label.as_str()),
                tags: tags.clone(),
                as_of: filter.as_of,
            })
        })
        .collect()
}

fn tags(filter: &Filter) -> Result<Vec<Box<str>>> {
    if filter.tags.len() > MOST_TAGS {
        return Err(Error::option("a selector names more than five tags"));
    }
    let mut tags = Vec::with_capacity(filter.tags.len());
    for (name, value) in &filter.tags {
        check_text("tag name", name)?;
        check_text("tag value", value.as_deref().unwrap_or_default())?;
        if name.trim().is_empty() {
            return Err(Error::option("a tag of a selector has no name"));
        }
        tags.push(tag_filter(name, value.as_deref()).into_boxed_str());
    }
    tags.sort();
    tags.dedup();
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(selection: &Selection) -> Vec<String> {
        selection
            .queries()
            .iter()
            .map(|query| match &query.target {
                Target::Filter { key, label, .. } => format!("{:?} {key} {label}", query.kind),
                Target::Snapshot { name, .. } => format!("{:?} snapshot {name}", query.kind),
            })
            .collect()
    }

    #[test]
    fn nothing_selected_means_all_without_label() {
        let selection = Selection::new(&[], &[SettingSelector::keys("Beta")]).unwrap();
        assert_eq!(
            names(&selection),
            [
                "Settings * (no label)",
                "Flags .appconfig.featureflag/Beta (no label)"
            ]
        );
    }

    #[test]
    fn one_query_per_label_and_equal_ones_keep_the_last_position() {
        let selection = Selection::new(
            &[
                SettingSelector::keys("a*").labels(["", "prod"]),
                SettingSelector::keys("b"),
                SettingSelector::keys("a*"),
                SettingSelector::keys("a*").tag("x", "y"),
            ],
            &[],
        )
        .unwrap();
        assert_eq!(
            names(&selection),
            [
                "Settings a* prod",
                "Settings b (no label)",
                "Settings a* (no label)",
                "Settings a* (no label)"
            ]
        );
        assert_eq!(selection.queries()[2].selector, 2);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for selector in [
            SettingSelector::snapshot("a").label("x"),
            SettingSelector::snapshot("a").tag("x", "y"),
            SettingSelector::snapshot(""),
            SettingSelector::snapshot("100%"),
            SettingSelector::snapshot(".."),
            SettingSelector::all().required(),
            SettingSelector::all().label("*"),
            SettingSelector::keys("a*b"),
            SettingSelector::all().tag("", "x"),
            (0..6).fold(SettingSelector::all(), |s, i| s.tag(i.to_string(), "")),
        ] {
            assert!(
                Selection::new(std::slice::from_ref(&selector), &[]).is_err(),
                "{selector:?}"
            );
            assert!(Selection::new(&[], &[selector]).is_err());
        }
    }
}
