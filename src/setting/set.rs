//! All settings of a store after the selectors were merged.

use std::sync::Arc;

use super::{ConfigurationSetting, ContentKind};

/// A setting and how it was selected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selected {
    pub(crate) setting: Arc<ConfigurationSetting>,
    /// The position of its selector among those of its kind (settings or flags).
    pub(crate) selector: usize,
    /// The snapshot that it came from, if it came from one.
    pub(crate) snapshot: Option<Arc<str>>,
}

/// One value per key: of several settings with one key, the one that was selected last.
///
/// Winners are in the order of their keys, so that the same content gives the same set whatever the pages looked
/// like. Feature flags stand apart, in the order in which their keys were first seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingSet {
    winners: Vec<Selected>,
    losers: Vec<Selected>,
    flags: Vec<Selected>,
}

impl SettingSet {
    /// Merges what was selected, in order: a later entry wins over an earlier one with the same key. Feature
    /// flags among the settings and settings among the flags are dropped, and so are snapshot references, whose
    /// content stands in their place already.
    pub(crate) fn merge(
        settings: impl IntoIterator<Item = Selected>,
        flags: impl IntoIterator<Item = Selected>,
    ) -> Self {
        let settings = settings.into_iter().filter(|selected| {
            !matches!(
                selected.setting.kind(),
                ContentKind::FeatureFlag | ContentKind::SnapshotReference
            )
        });
        let (winners, losers) = last_wins(settings.collect());
        let flags = flags
            .into_iter()
            .filter(|selected| selected.setting.kind() == ContentKind::FeatureFlag);
        Self {
            winners,
            losers,
            flags: first_seen(flags.collect()),
        }
    }

    /// The winning settings, in the order of their keys.
    pub(crate) fn winners(&self) -> &[Selected] {
        &self.winners
    }

    /// The settings that lost against the winner of the same key, in the order in which they were selected.
    pub(crate) fn losers_of(&self, key: &str) -> &[Selected] {
        let key_of = |selected: &Selected| selected.setting.key().cmp(key);
        let start = self.losers.partition_point(|loser| key_of(loser).is_lt());
        let length = self.losers[start..].partition_point(|loser| key_of(loser).is_eq());
        &self.losers[start..start + length]
    }

    /// The winning feature flags, in the order in which their keys were first seen.
    pub(crate) fn flags(&self) -> &[Selected] {
        &self.flags
    }
}

/// Splits into winners and losers, both in the order of their keys. The sort is stable, and the usual input (one
/// selector, in the service's own order) is sorted already.
fn last_wins(mut all: Vec<Selected>) -> (Vec<Selected>, Vec<Selected>) {
    all.sort_by(|a, b| a.setting.key().cmp(b.setting.key()));
    let mut winners: Vec<Selected> = Vec::with_capacity(all.len());
    let mut losers = Vec::new();
    for selected in all {
        match winners.last_mut() {
            Some(last) if last.setting.key() == selected.setting.key() => {
                losers.push(std::mem::replace(last, selected));
            }
            _ => winners.push(selected),
        }
    }
    winners.shrink_to_fit();
    (winners, losers)
}

/// The last entry of each key, in the place of the first.
fn first_seen(all: Vec<Selected>) -> Vec<Selected> {
    let mut places = std::collections::HashMap::new();
    let mut flags: Vec<Selected> = Vec::new();
    for selected in all {
        let key: Box<str> = selected.setting.key().into();
        match places.get(&key) {
            Some(&place) => flags[place] = selected,
            None => {
                places.insert(key, flags.len());
                flags.push(selected);
            }
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn selected(key: &str, value: &str, selector: usize) -> Selected {
        Selected {
            setting: Arc::new(ConfigurationSetting::new(key, value)),
            selector,
            snapshot: None,
        }
    }

    fn flag(key: &str, value: &str) -> Selected {
        let setting = ConfigurationSetting::new(key, value)
            .with_content_type("application/vnd.microsoft.appconfig.ff+json;charset=utf-8");
        Selected {
            setting: Arc::new(setting),
            selector: 0,
            snapshot: None,
        }
    }

    fn shown(all: &[Selected]) -> Vec<(&str, &str)> {
        all.iter()
            .map(|one| (one.setting.key(), one.setting.value().unwrap()))
            .collect()
    }

    #[test]
    fn the_later_selector_wins_and_losers_are_kept() {
        let set = SettingSet::merge(
            [
                selected("b", "1", 0),
                selected("a", "1", 0),
                selected("b", "2", 1),
                selected("c", "2", 1),
                selected("b", "3", 2),
            ],
            [],
        );
        assert_eq!(shown(set.winners()), [("a", "1"), ("b", "3"), ("c", "2")]);
        assert_eq!(shown(set.losers_of("b")), [("b", "1"), ("b", "2")]);
        assert!(set.losers_of("a").is_empty());
        assert!(set.losers_of("zzz").is_empty());
    }

    #[test]
    fn flags_stand_apart_in_first_seen_order() {
        let set = SettingSet::merge(
            [flag("f", "setting"), selected("a", "1", 0)],
            [
                flag("z", "1"),
                flag("y", "1"),
                selected("plain", "1", 0),
                flag("z", "2"),
            ],
        );
        assert_eq!(shown(set.winners()), [("a", "1")]);
        assert_eq!(shown(set.flags()), [("z", "2"), ("y", "1")]);
    }

    proptest! {
        /// The winner of each key is the last one given, and nothing is lost.
        #[test]
        fn merge_agrees_with_a_map(entries in prop::collection::vec(("[a-e]", 0usize..4), 0..40)) {
            let all: Vec<Selected> = entries
                .iter()
                .enumerate()
                .map(|(at, (key, selector))| selected(key, &at.to_string(), *selector))
                .collect();
            let mut model = std::collections::BTreeMap::new();
            for one in &all {
                model.insert(one.setting.key().to_owned(), one.clone());
            }
            let set = SettingSet::merge(all.clone(), []);
            let expected: Vec<Selected> = model.into_values().collect();
            prop_assert_eq!(set.winners(), expected.as_slice());
            let lost: usize = ["a", "b", "c", "d", "e"].iter().map(|key| set.losers_of(key).len()).sum();
            prop_assert_eq!(lost + set.winners().len(), all.len());
        }
    }
}
