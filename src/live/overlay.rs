//! Which layer gave a value, where it was not the store: what a merged tree says by its origins, kept without
//! the values.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use config::{Value, ValueKind};

use crate::loaded::Loaded;
use crate::publication::pin::Pin;

/// What the primary store gave, to tell it from what other layers gave.
pub(super) struct Own<'a> {
    primary: &'a Arc<Loaded>,
    /// What all its origins begin with.
    prefix: String,
    /// Stores of the same name, itself among them: of one path, the last one gives the value.
    namesakes: Vec<&'a Arc<Loaded>>,
}

impl<'a> Own<'a> {
    /// `read` is what the build read, in that order.
    pub(super) fn of(primary: &'a Arc<Loaded>, read: &'a [Pin]) -> Self {
        let prefix = primary.tree().origin_prefix();
        let loaded = read.iter().map(|pin| &pin.loaded);
        Self {
            primary,
            namesakes: loaded
                .filter(|one| one.tree().origin_prefix() == prefix)
                .collect(),
            prefix,
        }
    }

    fn gave(&self, origin: &str, path: impl FnOnce() -> Box<str>) -> bool {
        if !origin.starts_with(&self.prefix) || self.namesakes.len() < 2 {
            return origin.starts_with(&self.prefix);
        }
        let path = path();
        let givers = self.namesakes.iter().rev();
        let giver = givers.copied().find(|one| one.tree().gives(&path, origin));
        giver.is_none_or(|giver| Arc::ptr_eq(giver, self.primary))
    }
}

/// What a value without an origin came from.
const UNNAMED: &str = "a layer without a name (a default or override)";

/// Every path whose value came from elsewhere than the primary store, with the name of its layer. Sorted.
#[derive(Default)]
pub(super) struct Overlay(Box<[(Box<str>, Arc<str>)]>);

impl Overlay {
    /// Reads the origins of a merged tree.
    pub(super) fn of(merged: &Value, own: Own<'_>) -> Self {
        let mut walk = Walk {
            own,
            trail: Vec::new(),
            layers: BTreeSet::new(),
            found: Vec::new(),
        };
        walk.visit(merged);
        walk.found.sort();
        Self(walk.found.into())
    }

    /// The layer that gave the value at `path` or, where that is a table or a list, something below it that
    /// `counts`.
    pub(super) fn layer(&self, path: &str, counts: impl Fn(&str) -> bool) -> Option<&str> {
        let after = self.0.partition_point(|(own, _)| **own < *path);
        let below = self.0[after..]
            .iter()
            .take_while(|(own, _)| own.starts_with(path));
        let below = below
            .filter(|(own, _)| is_at_or_below(own, path))
            .find(|(own, _)| **own == *path || counts(own));
        let above = || {
            self.0[..after]
                .iter()
                .find(|(own, _)| is_at_or_below(path, own))
        };
        below.or_else(above).map(|(_, layer)| &**layer)
    }
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A walk over a merged tree. Paths are only written out for what is kept, which is little of it.
struct Walk<'a> {
    own: Own<'a>,
    trail: Vec<Step<'a>>,
    layers: BTreeSet<Arc<str>>,
    found: Vec<(Box<str>, Arc<str>)>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Walk<'a> {
    fn visit(&mut self, value: &'a Value) {
        match &value.kind {
            ValueKind::Table(table) => {
                for (name, value) in table {
                    self.step(Step::Name(name), value);
                }
            }
            ValueKind::Array(list) if !list.is_empty() => {
                for (index, value) in list.iter().enumerate() {
                    self.step(Step::Index(index), value);
                }
            }
            _ => self.leaf(value.origin()),
        }
    }

    fn step(&mut self, step: Step<'a>, value: &'a Value) {
        self.trail.push(step);
        self.visit(value);
        self.trail.pop();
    }

    fn leaf(&mut self, origin: Option<&str>) {
        if origin.is_some_and(|origin| self.own.gave(origin, || self.path())) {
            return;
        }
        let name = origin.unwrap_or(UNNAMED);
        let layer = self.layers.get(name).cloned().unwrap_or_else(|| {
            let layer: Arc<str> = name.into();
            self.layers.insert(Arc::clone(&layer));
            layer
        });
        self.found.push((self.path(), layer));
    }

    fn path(&self) -> Box<str> {
        let mut path = String::new();
        for step in &self.trail {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Name(name) if path.is_empty() => path.write_str(name),
                Step::Name(name) => write!(path, ".{name}"),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{Config, File, FileFormat};

    fn overlay() -> Overlay {
        let own = "azappconfig://contoso/db".to_owned();
        let store = |value: &str| Value::new(Some(&own), value);
        let config = Config::builder()
            .set_default("db.host", store("h"))
            .unwrap()
            .set_default("db.port", store("1"))
            .unwrap()
            .add_source(File::from_str(
                r#"{"db": {"port": 2, "extra": true}, "hosts": ["a"], "none": []}"#,
                FileFormat::Json,
            ))
            .set_override("db_name", "x")
            .unwrap();
        let primary = Arc::new(crate::testing::loaded(&[]));
        Overlay::of(&config.build().unwrap().cache, Own::of(&primary, &[]))
    }

    #[test]
    fn what_the_store_gave_is_not_in_it() {
        let overlay = overlay();
        let paths: Vec<&str> = overlay.0.iter().map(|(path, _)| &**path).collect();
        assert_eq!(
            paths,
            ["db.extra", "db.port", "db_name", "hosts[0]", "none"]
        );
    }

    #[test]
    fn a_path_finds_its_layer() {
        let overlay = overlay();
        let all = |path| overlay.layer(path, |_| true);
        assert!(all("db.port").is_some());
        assert!(all("db.host").is_none());
        assert!(all("db").is_some());
        assert!(overlay.layer("db", |below| below == "db.host").is_none());
        assert!(all("hosts").is_some() && all("hosts[0]").is_some());
        assert!(all("hosts[0].name").is_some(), "hidden by what is above it");
        assert!(all("hos").is_none() && all("d").is_none());
        assert_eq!(all("db_name"), Some(UNNAMED));
        assert!(Overlay::default().layer("db", |_| true).is_none());
    }
}
