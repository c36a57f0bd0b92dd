//! The compact form of an encrypted value, taken apart strictly.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use azure_core::base64::{decode_url_safe, encode_url_safe};
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::reference::identifier::{Collection, Flaw, KeyIdentifier, ObjectId};
use crate::reference::resolved::ResolvedSecret;

use super::{ContentKey, ContentKeyId};

pub(super) const ALGORITHM: &str = "RSA-OAEP-256";
pub(super) const ENCRYPTION: &str = "A256GCM";
const IV: usize = 12;
const TAG: usize = 16;

/// The protected header. A field that is not listed here but must be understood would stand in `crit`.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) enc: String,
    pub(super) kid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cty: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zip: Option<serde_json::Value>,
}

impl Header {
    pub(super) fn new(kid: String) -> Self {
        Self {
            alg: ALGORITHM.to_owned(),
            enc: ENCRYPTION.to_owned(),
            kid,
            cty: None,
            crit: None,
            zip: None,
        }
    }
}

/// An encrypted value and the key that opens it.
pub(in crate::reference) struct Jwe {
    pub(in crate::reference) key: ContentKeyId,
    pub(in crate::reference) sealed: Sealed,
}

/// An encrypted value without its key. Nothing of it is secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealed(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    header: Box<str>,
    iv: [u8; IV],
    /// With the tag at its end.
    ciphertext: Box<[u8]>,
    content_type: Option<Box<str>>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.ciphertext.len())
    }
}

#[cfg(test)]
impl Sealed {
    /// Out of base64url parts.
    pub(in crate::reference) fn from_parts(
        header: &str,
        iv: &str,
        ciphertext: &str,
        tag: &str,
    ) -> Self {
        let decode = |text: &str| decode_url_safe(text).unwrap();
        Self(Arc::new(Parts {
            header: header.into(),
            iv: decode(iv).try_into().unwrap(),
            ciphertext: [decode(ciphertext), decode(tag)].concat().into(),
            content_type: None,
        }))
    }
}

impl Jwe {
    /// Takes a compact JWE apart. Its key's vault has not been looked at yet.
    pub(in crate::reference) fn parse(text: &str) -> Result<Self, Flaw> {
        const SHAPE: Flaw = "not a compact JWE: five parts of base64url, with dots between them";
        let parts: Vec<&str> = text.trim().split('.').collect();
        let &[header_text, wrapped, iv, ciphertext, tag] = parts.as_slice() else {
            return Err(SHAPE);
        };
        let decode = |part: &str| match part.ends_with('=') {
            true => Err(SHAPE),
            false => decode_url_safe(part).map_err(|_| SHAPE),
        };
        let header: Header = json::object(&decode(header_text)?)
            .map_err(|_| "the header has no `alg`, `enc` and `kid`")?;
        let key = header.key()?;
        let iv = decode(iv)?;
        let iv = iv.try_into().map_err(|_| "the IV is not 12 bytes long")?;
        let (mut ciphertext, tag) = (decode(ciphertext)?, decode(tag)?);
        if tag.len() != TAG {
            return Err("the tag is not 16 bytes long");
        }
        ciphertext.extend(tag);
        let wrapped = decode(wrapped)?;
        if wrapped.is_empty() {
            return Err("there is no encrypted key");
        }
        Ok(Self {
            key: ContentKeyId {
                key,
                wrapped: wrapped.into(),
            },
            sealed: Sealed(Arc::new(Parts {
                header: header_text.into(),
                iv,
                ciphertext: ciphertext.into(),
                content_type: header.cty.map(Into::into),
            })),
        })
    }
}

impl Header {
    /// Checks the algorithms and reads the key's identifier.
    fn key(&self) -> Result<KeyIdentifier, Flaw> {
        if self.alg != ALGORITHM || self.enc != ENCRYPTION {
            return Err("only `alg` RSA-OAEP-256 with `enc` A256GCM is understood");
        }
        if self.crit.is_some() || self.zip.is_some() {
            return Err("the header asks for an extension or a compression that is not understood");
        }
        match ObjectId::parse(&self.kid) {
            Ok((Collection::Keys, id)) if id.version().is_some() => {
                Ok(KeyIdentifier::from_parts(id))
            }
            Ok((Collection::Keys, _)) => Err("the `kid` names no version of the key"),
            _ => Err("the `kid` is not the identifier of a key"),
        }
    }
}

const WRONG_KEY: Flaw = "the text was changed, or the key is another one";

/// Opens a value with its content key.
pub(in crate::reference) fn unseal(
    sealed: &Sealed,
    key: &ContentKey,
) -> Result<ResolvedSecret, Flaw> {
    let parts = &*sealed.0;
    let cipher = cipher(key)?;
    let mut text = Zeroizing::new(parts.ciphertext.to_vec());
    let opened = cipher
        .open_in_place(
            Nonce::assume_unique_for_key(parts.iv),
            Aad::from(parts.header.as_bytes()),
            &mut text,
        )
        .map_err(|_| WRONG_KEY)?;
    let text = std::str::from_utf8(opened).map_err(|_| "the opened value is not text")?;
    let secret = ResolvedSecret::new(text);
    Ok(match &parts.content_type {
        Some(content_type) => secret.with_content_type(content_type.clone()),
        None => secret,
    })
}

/// Closes a value: the compact JWE.
pub(super) fn seal(
    value: &str,
    header: &str,
    wrapped: &str,
    key: &ContentKey,
    iv: [u8; IV],
) -> Result<String, Flaw> {
    let mut text = Zeroizing::new(value.as_bytes().to_vec());
    let tag = cipher(key)?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(iv),
            Aad::from(header.as_bytes()),
            &mut text,
        )
        .map_err(|_| "the value could not be encrypted")?;
    let parts = [iv.as_slice(), text.as_slice(), tag.as_ref()].map(encode_url_safe);
    Ok(format!("{header}.{wrapped}.{}", parts.join(".")))
}

fn cipher(key: &ContentKey) -> Result<LessSafeKey, Flaw> {
    let key = UnboundKey::new(&AES_256_GCM, key.bytes());
    key.map(LessSafeKey::new).map_err(|_| WRONG_KEY)
}
