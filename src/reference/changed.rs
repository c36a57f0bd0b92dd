//! The object that an event says has changed.

use super::ReferenceId;
use super::identifier::{Collection, Flaw, ObjectId};

/// A secret, key or certificate, taken apart as strictly as a reference is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ChangedObject {
    collection: Collection,
    id: ObjectId,
}

impl ChangedObject {
    pub(crate) fn parse(text: &str) -> Result<Self, Flaw> {
        ObjectId::parse(text).map(|(collection, id)| Self { collection, id })
    }

    /// True for `Secret`, `Key` or `Certificate`, as events call what they are about.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        name == match self.collection {
            Collection::Secrets => "Secret",
            Collection::Keys => "Key",
            Collection::Certificates => "Certificate",
        }
    }

    /// The vault's host in lower case, with the port if there is one.
    pub(crate) fn vault_host(&self) -> &str {
        self.id.vault_host()
    }

    pub(crate) fn name(&self) -> &str {
        self.id.name()
    }

    pub(super) fn id(&self) -> &ObjectId {
        &self.id
    }

    /// Where it is read: a certificate's text stands in the secret of the same name.
    pub(super) fn collection(&self) -> Collection {
        match self.collection {
            Collection::Certificates => Collection::Secrets,
            other => other,
        }
    }

    /// True if the reference means the newest version of this object, so that it may have a new value.
    pub(crate) fn concerns(&self, reference: &ReferenceId) -> bool {
        !reference.is_versioned()
            && reference.collection() == self.collection()
            && reference.vault_host() == self.vault_host()
            && reference.name().eq_ignore_ascii_case(self.name())
    }
}
