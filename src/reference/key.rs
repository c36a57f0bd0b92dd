//! Answers about keys: the public half as a JSON Web Key (provider-spec 3.2), and content keys that were unwrapped.

use azure_core::base64::decode_url_safe;
use bytes::Bytes;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::json::Object;
use crate::secret::Secret;

use super::ReferenceId;
use super::answer::{Attributes, Tags, checked, pairs, parse};
use super::encrypted::ContentKey;
use super::failure::{Trouble, undecryptable};
use super::resolved::{Resolved, ResolvedKey};

/// A key bundle.
#[derive(Deserialize)]
struct KeyBundle {
    key: Option<Map<String, Value>>,
    attributes: Option<Object<Attributes>>,
    tags: Option<Tags>,
}

/// What of a JSON Web Key is public. Whatever else an answer holds stays behind.
const PUBLIC: [&str; 8] = ["kid", "kty", "key_ops", "n", "e", "crv", "x", "y"];

pub(super) fn read(body: Bytes, asked: &ReferenceId, exact: bool) -> Result<Resolved, Trouble> {
    let bundle = parse::<KeyBundle>(body)?;
    let mut key = bundle
        .key
        .ok_or_else(|| Trouble::answer("the vault's answer has no key"))?;
    let id = checked(key.get("kid").and_then(Value::as_str), asked, exact)?;
    key.retain(|name, value| PUBLIC.contains(&name.as_str()) && !value.is_null());
    Ok(Resolved::Key(ResolvedKey {
        jwk: Value::Object(key),
        version: id.version().map(Into::into),
        life: bundle.attributes.unwrap_or_default().0.into(),
        tags: pairs(bundle.tags).collect(),
    }))
}

/// The answer to `unwrapKey`.
#[derive(Deserialize)]
struct Operation {
    kid: Option<Box<str>>,
    value: Option<Secret>,
}

pub(super) fn unwrapped(
    body: Bytes,
    asked: &ReferenceId,
    exact: bool,
) -> Result<Resolved, Trouble> {
    let operation = parse::<Operation>(body)?;
    checked(operation.kid.as_deref(), asked, exact)?;
    let value = operation
        .value
        .ok_or_else(|| Trouble::answer("the vault's answer has no value"))?;
    let bytes = decode_url_safe(value.expose_secret())
        .map(Zeroizing::new)
        .ok();
    bytes
        .and_then(|bytes| ContentKey::new(&bytes))
        .map(Resolved::ContentKey)
        .ok_or_else(|| undecryptable("what was unwrapped is not an AES-256 key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::KeyIdentifier;

    #[test]
    fn the_tags_of_a_key_are_read() {
        let id = "https://kv-orders.vault.azure.net/keys/signing";
        let body = serde_json::json!({
            "key": { "kid": format!("{id}/1a2b"), "kty": "RSA", "n": "AQAB", "e": "AQAB" },
            "tags": { "owner": "orders", "empty": null },
        });
        let id = ReferenceId::Key(KeyIdentifier::parse(id).unwrap());
        let read = read(Bytes::from(body.to_string()), &id, false).unwrap();
        let tags: Vec<_> = read.tags().collect();
        assert_eq!(tags, [("empty", ""), ("owner", "orders")]);
    }
}
