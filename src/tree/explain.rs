//! Where one value came from.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::printable;
use crate::setting::{ETag, Label};

use super::settle::origin;
use super::{Node, Origin, Tree};
use crate::setting::Selected;

/// A setting that had a say in a value: the one that gave it, or one that lost.
#[derive(Clone)]
pub struct Contender {
    selected: Selected,
    selectors: Arc<[Box<str>]>,
}

impl Contender {
    /// The key, as it stands in the store.
    #[must_use]
    pub fn key(&self) -> &str {
        self.selected.setting.key()
    }

    /// The label.
    #[must_use]
    pub fn label(&self) -> &Label {
        self.selected.setting.label()
    }

    /// The ETag it had when it was read.
    #[must_use]
    pub fn etag(&self) -> &ETag {
        self.selected.setting.etag()
    }

    /// The snapshot it was read from.
    #[must_use]
    pub fn snapshot(&self) -> Option<&str> {
        self.selected.snapshot.as_deref()
    }

    /// The selector that yielded it, in words.
    #[must_use]
    pub fn selector(&self) -> Option<&str> {
        self.selectors
            .get(self.selected.selector)
            .map(|selector| &**selector)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key '{}'", printable(self.key()))?;
        match self.label().as_str() {
            Some(label) => write!(f, ", label '{}'", printable(label))?,
            None => f.write_str(", no label")?,
        }
        if !self.etag().as_str().is_empty() {
            write!(f, ", etag {}", printable(self.etag().as_str()))?;
        }
        if let Some(snapshot) = self.snapshot() {
            write!(f, ", snapshot '{}'", printable(snapshot))?;
        }
        if let Some(selector) = self.selector() {
            write!(f, ", by selector {}", printable(selector))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contender({self})")
    }
}

/// Where one value came from. Its `Display` is a few lines for a person; neither shows the value.
#[derive(Debug, Clone)]
pub struct Explanation {
    path: Box<str>,
    store: Arc<str>,
    winner: Contender,
    losers: Vec<Contender>,
    secret: Option<Arc<str>>,
    secret_version: Option<Arc<str>>,
    secret_content_type: Option<Arc<str>>,
    loaded_at: Option<SystemTime>,
    layer: Option<Box<str>>,
}

impl Explanation {
    /// The path that was asked for, such as `db.password`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of the store.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.store
    }

    /// The setting that the store gave for this path.
    #[must_use]
    pub fn setting(&self) -> &Contender {
        &self.winner
    }

    /// The settings of the same key that a later label or selector hid, in the order of selection.
    #[must_use]
    pub fn losers(&self) -> &[Contender] {
        &self.losers
    }

    /// The Key Vault object that the setting refers to: `kv-orders.vault.azure.net/secrets/db-password`.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// The version of that object.
    #[must_use]
    pub fn secret_version(&self) -> Option<&str> {
        self.secret_version.as_deref()
    }

    /// What that version says its text is: `application/x-pkcs12` or `application/x-pem-file` for the secret of a
    /// certificate. `None` if it does not say.
    #[must_use]
    pub fn secret_content_type(&self) -> Option<&str> {
        self.secret_content_type.as_deref()
    }

    /// When the generation that holds the value was loaded.
    #[must_use]
    pub fn loaded_at(&self) -> Option<SystemTime> {
        self.loaded_at
    }

    /// The layer above the store that overrides it, by its own name (a file, `the environment`); `None` if the
    /// store's value is the one in use, or if nobody asked the other layers.
    #[must_use]
    pub fn overridden_by(&self) -> Option<&str> {
        self.layer.as_deref()
    }

    pub(crate) fn with_loaded_at(mut self, at: SystemTime) -> Self {
        self.loaded_at = Some(at);
        self
    }

    pub(crate) fn with_layer(mut self, layer: impl Into<Box<str>>) -> Self {
        self.layer = Some(layer.into());
        self
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: from {}", printable(&self.path), self.winner)?;
        write!(f, ", in {}", printable(&self.store))?;
        if let Some(secret) = &self.secret {
            write!(f, "\n  refers to {}", printable(secret))?;
            if let Some(version) = &self.secret_version {
                write!(f, ", version {}", printable(version))?;
            }
            if let Some(content_type) = &self.secret_content_type {
                write!(f, ", content type {}", printable(content_type))?;
            }
        }
        for loser in &self.losers {
            write!(f, "\n  hides {loser}")?;
        }
        if let Some(layer) = &self.layer {
            write!(f, "\n  overridden by {}", printable(layer))?;
        }
        Ok(())
    }
}

impl Tree {
    /// Where the value at `path` came from. `None` if the store gives none, or if it is a table of several settings.
    pub(crate) fn explain(&self, path: &str) -> Option<Explanation> {
        let origin = sole_origin(self.find(path)?)?;
        let contender = |selected: &Selected| Contender {
            selected: selected.clone(),
            selectors: Arc::clone(&self.selectors),
        };
        let secret = origin.secret.as_ref();
        Some(Explanation {
            path: path.into(),
            store: Arc::clone(&self.store),
            winner: contender(&origin.selected),
            losers: origin.losers.iter().map(contender).collect(),
            secret: secret.map(|secret| Arc::clone(&secret.identifier)),
            secret_version: secret.and_then(|secret| secret.version.clone()),
            secret_content_type: secret.and_then(|secret| secret.content_type.clone()),
            loaded_at: None,
            layer: None,
        })
    }
}

/// The setting behind everything at or below a node, if it is only one.
fn sole_origin(node: &Node) -> Option<&Arc<Origin>> {
    let first = origin(node)?;
    let same = |other: &Node| sole_origin(other).is_some_and(|other| Arc::ptr_eq(first, other));
    let sole = match node {
        Node::Leaf(_) => true,
        // The list of flags has its first flag's origin, for want of one of its own.
        Node::List(list) if list.is_flags() => list.items.iter().all(same),
        Node::List(list) => list.origin.is_some() || list.items.iter().all(same),
        Node::Table(table) => table.members.iter().all(|(_, node)| same(node)),
    };
    sole.then_some(first)
}
