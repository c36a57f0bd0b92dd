//! Encrypted settings: a value sealed with a content key, which a Key Vault key has wrapped (feature `keys`).
//!
//! The value is a compact JWE (RFC 7516): `alg` RSA-OAEP-256, `enc` A256GCM, `kid` the identifier of the key with its
//! version. Many settings share one content key, so that one call of the vault opens them all.

mod encryptor;
mod jwe;

use std::fmt;
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

pub use encryptor::SettingEncryptor;
pub(crate) use jwe::Sealed;
pub(super) use jwe::{Jwe, unseal};

use super::identifier::KeyIdentifier;

/// Names a content key: the vault key that wrapped it, and its wrapped form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ContentKeyId {
    pub(super) key: KeyIdentifier,
    pub(super) wrapped: Arc<[u8]>,
}

/// A content key as the vault unwrapped it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ContentKey(Arc<Zeroizing<[u8; 32]>>);

impl ContentKey {
    /// `None` unless it has the length of an AES-256 key.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let key: [u8; 32] = bytes.try_into().ok()?;
        Some(Self(Arc::new(Zeroizing::new(key))))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey([redacted])")
    }
}
