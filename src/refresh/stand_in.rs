//! Stands in for `crate::reference::ReferenceId` until that room lands.

use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ReferenceId {
    vault: Arc<str>,
    name: Arc<str>,
    version: Option<Arc<str>>,
}

impl ReferenceId {
    pub(crate) fn new(vault: &str, name: &str, version: Option<&str>) -> Self {
        Self {
            vault: vault.into(),
            name: name.into(),
            version: version.map(Into::into),
        }
    }

    pub(crate) fn vault_host(&self) -> &str {
        &self.vault
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    pub(crate) fn is_versioned(&self) -> bool {
        self.version.is_some()
    }
}
