//! One whole walk over everything that is selected, and what it remembers for the next check.

use std::sync::Arc;

use super::client::EndpointClient;
use super::flag::{FeatureFlag, feature_flag};
use super::page::{Budget, Page, read_pages};
use super::selection::{Query, QueryKind, Selection, Target};
use super::sentinel::SentinelMarks;
use super::snapshot::{Contents, read_referenced, read_snapshot, snapshot_name};
use super::usage::Usage;
use super::{Observe, Progress};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::setting::{
    ConfigurationSetting, ContentKind, Selected, SettingSet, Warning, WarningKind,
};

/// Everything that is selected, as one endpoint showed it. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Walk(Arc<State>);

#[derive(Debug)]
struct State {
    endpoint: Box<str>,
    lists: Vec<Arc<List>>,
    sentinels: SentinelMarks,
    content: Arc<Content>,
}

/// What the lists come to.
#[derive(Debug)]
struct Content {
    settings: SettingSet,
    flags: Vec<FeatureFlag>,
    warnings: Vec<Warning>,
    usage: Usage,
    /// When the newest of the settings was written, in the service's own text.
    newest: Box<str>,
}

/// What one query gave.
#[derive(Debug, PartialEq)]
pub(super) struct List {
    pub(super) pages: Vec<Arc<Page>>,
    /// The snapshots that its settings refer to.
    pub(super) snapshots: Contents,
    /// True if the query is for a snapshot that does not exist.
    pub(super) missing: bool,
}

impl Walk {
    /// Merges the lists, which stand in the order of the queries. `primary` is the store's first endpoint, and
    /// `endpoint` the one that answered.
    pub(super) fn new(
        selection: &Selection,
        primary: &str,
        endpoint: &str,
        lists: Vec<Arc<List>>,
        sentinels: SentinelMarks,
    ) -> Result<Self> {
        let mut merge = Merge::default();
        for (query, list) in selection.queries().iter().zip(&lists) {
            merge.add(query, list)?;
        }
        Ok(Self(Arc::new(State {
            endpoint: endpoint.into(),
            lists,
            sentinels,
            content: Arc::new(merge.into_content(primary)),
        })))
    }

    /// The settings that were selected, merged.
    pub(crate) fn settings(&self) -> &SettingSet {
        &self.0.content.settings
    }

    /// The feature flags that were selected and are valid, in the order in which they were first seen.
    pub(crate) fn flags(&self) -> &[FeatureFlag] {
        &self.0.content.flags
    }

    /// The endpoint that answered, as an origin.
    pub(crate) fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// What was passed over.
    pub(crate) fn warnings(&self) -> &[Warning] {
        &self.0.content.warnings
    }

    /// The state of the sentinels, read before the settings were.
    pub(crate) fn sentinels(&self) -> &SentinelMarks {
        &self.0.sentinels
    }

    /// The same settings with newer sentinels.
    pub(crate) fn with_sentinels(&self, sentinels: SentinelMarks) -> Self {
        Self(Arc::new(State {
            endpoint: self.0.endpoint.clone(),
            lists: self.0.lists.clone(),
            sentinels,
            content: Arc::clone(&self.0.content),
        }))
    }

    /// When the newest of the settings was written.
    pub(super) fn newest(&self) -> &str {
        &self.0.content.newest
    }

    pub(super) fn usage(&self) -> Usage {
        self.0.content.usage
    }

    pub(super) fn lists(&self) -> &[Arc<List>] {
        &self.0.lists
    }
}

/// Settings and flags in the order in which they were selected.
#[derive(Default)]
struct Merge {
    settings: Vec<Selected>,
    flags: Vec<Selected>,
    warnings: Vec<Warning>,
    usage: Usage,
    newest: Box<str>,
}

impl Merge {
    fn add(&mut self, query: &Query, list: &List) -> Result<()> {
        let snapshot: Option<Arc<str>> = match &query.target {
            Target::Snapshot { name, .. } => Some((&**name).into()),
            Target::Filter { .. } => None,
        };
        if let (true, Some(name)) = (list.missing, &snapshot) {
            self.warnings.push(missing(name));
        }
        for setting in list.pages.iter().flat_map(|page| &page.items) {
            self.see(setting);
            // A reference inside a snapshot is not followed.
            if snapshot.is_none() && setting.kind() == ContentKind::SnapshotReference {
                let name = snapshot_name(setting)?;
                match list.snapshots.get(&name) {
                    Some(Some(pages)) => self.expand(query, &name, pages),
                    _ => self
                        .warnings
                        .push(missing(&name).with_setting(setting.key(), setting.label().as_str())),
                }
            } else {
                self.push(query, Arc::clone(setting), snapshot.clone());
            }
        }
        Ok(())
    }

    /// Puts a snapshot's settings in the place of the reference, so that whatever comes later still wins.
    fn expand(&mut self, query: &Query, name: &str, pages: &[Arc<Page>]) {
        let snapshot: Arc<str> = name.into();
        for setting in pages.iter().flat_map(|page| &page.items) {
            self.push(query, Arc::clone(setting), Some(Arc::clone(&snapshot)));
        }
    }

    fn see(&mut self, setting: &ConfigurationSetting) {
        self.usage.see_setting(setting);
        let written = setting.last_modified().unwrap_or_default();
        if *written > *self.newest {
            self.newest = written.into();
        }
    }

    fn into_content(mut self, primary: &str) -> Content {
        let settings = SettingSet::merge(self.settings, self.flags);
        let mut flags = Vec::with_capacity(settings.flags().len());
        for selected in settings.flags() {
            match feature_flag(selected, primary) {
                Ok(flag) => {
                    self.usage.see_flag(&flag.json);
                    flags.push(flag);
                }
                Err(warning) => self.warnings.push(warning),
            }
        }
        Content {
            settings,
            flags,
            warnings: self.warnings,
            usage: self.usage,
            newest: self.newest,
        }
    }

    fn push(
        &mut self,
        query: &Query,
        setting: Arc<ConfigurationSetting>,
        snapshot: Option<Arc<str>>,
    ) {
        let into = match query.kind {
            QueryKind::Settings => &mut self.settings,
            QueryKind::Flags => &mut self.flags,
        };
        into.push(Selected {
            setting,
            selector: query.selector,
            snapshot,
        });
    }
}

fn missing(name: &str) -> Warning {
    Warning::new(
        WarningKind::MissingSnapshot,
        format!(
            "the snapshot '{}' does not exist or is not ready",
            printable(name)
        ),
    )
}

/// Reads one list from the start.
pub(super) async fn read_list(
    client: &EndpointClient,
    index: usize,
    query: &Query,
    budget: &Budget,
    observe: Observe<'_>,
) -> Result<List> {
    let arrived = |page: &Page| {
        if query.kind == QueryKind::Settings {
            observe(Progress::Page {
                query: index,
                settings: &page.items,
            });
        }
    };
    let list = match &query.target {
        Target::Filter { .. } => {
            let pages = read_pages(client, &query.target, budget, &arrived).await?;
            let none = Contents::new();
            let snapshots = read_referenced(client, &pages, &none, budget, &arrived).await?;
            List {
                pages,
                snapshots,
                missing: false,
            }
        }
        Target::Snapshot { name, required } => {
            let content = read_snapshot(client, name, budget, &arrived).await?;
            if content.is_none() && *required {
                return Err(required_snapshot(client, name));
            }
            List {
                missing: content.is_none(),
                pages: content.map(|pages| pages.to_vec()).unwrap_or_default(),
                snapshots: Contents::new(),
            }
        }
    };
    observe(Progress::QueryDone { query: index });
    Ok(list)
}

fn required_snapshot(client: &EndpointClient, name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!(
            "the required snapshot '{}' does not exist or is not ready",
            printable(name)
        ),
    )
    .with_endpoint(client.endpoint().as_str())
}
