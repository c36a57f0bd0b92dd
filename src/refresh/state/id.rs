//! What the machine knows a secret by: numbers. The driver knows the names.

/// A secret or key of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SecretId {
    vault: u32,
    number: u32,
    versioned: bool,
}

impl SecretId {
    /// `number` is unique over all vaults.
    pub(crate) fn new(vault: u32, number: u32, versioned: bool) -> Self {
        Self {
            vault,
            number,
            versioned,
        }
    }

    /// The vault, which throttles and fails as a whole.
    pub(crate) fn vault(self) -> u32 {
        self.vault
    }

    /// True if it names a version: read once, it never changes.
    pub(crate) fn is_versioned(self) -> bool {
        self.versioned
    }

    #[cfg(test)]
    pub(crate) fn number(self) -> u32 {
        self.number
    }
}
