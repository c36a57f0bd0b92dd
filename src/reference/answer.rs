//! Reading a vault's answer.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use secrecy::zeroize::Zeroize;
use serde::Deserialize;

use crate::json::{self, Object};
use crate::secret::Secret;

use super::ReferenceId;
use super::failure::Trouble;
use super::identifier::ObjectId;
use super::resolved::{Life, Resolved, ResolvedSecret};

/// A secret bundle (provider-spec 3.1).
#[derive(Deserialize)]
struct SecretBundle {
    id: Option<Box<str>>,
    value: Option<Secret>,
    #[serde(rename = "contentType")]
    content_type: Option<Box<str>>,
    attributes: Option<Object<Attributes>>,
    tags: Option<Tags>,
}

/// Names and values; a null counts as empty.
pub(super) type Tags = BTreeMap<Box<str>, Option<Box<str>>>;

/// State and dates of an object, in seconds since 1970.
#[derive(Deserialize, Default)]
pub(super) struct Attributes {
    enabled: Option<bool>,
    nbf: Option<u64>,
    exp: Option<u64>,
    updated: Option<u64>,
}

impl From<Attributes> for Life {
    fn from(attributes: Attributes) -> Self {
        let date = |seconds: u64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        Self {
            enabled: attributes.enabled,
            not_before: attributes.nbf.and_then(date),
            expires_on: attributes.exp.and_then(date),
            updated_on: attributes.updated.and_then(date),
        }
    }
}

/// Reads the answer to a request for `asked`. `exact`: the vault may name itself by another host.
pub(super) fn read(body: Bytes, asked: &ReferenceId, exact: bool) -> Result<Resolved, Trouble> {
    match asked {
        ReferenceId::Secret(_) => secret(body, asked, exact),
        #[cfg(feature = "keys")]
        ReferenceId::Key(_) => super::key::read(body, asked, exact),
        #[cfg(feature = "keys")]
        ReferenceId::ContentKey(_) => super::key::unwrapped(body, asked, exact),
        #[cfg(not(feature = "keys"))]
        ReferenceId::Key(_) => Err(Trouble::answer("keys need the feature `keys`")),
    }
}

fn secret(body: Bytes, asked: &ReferenceId, exact: bool) -> Result<Resolved, Trouble> {
    let bundle = parse::<SecretBundle>(body)?;
    let id = checked(bundle.id.as_deref(), asked, exact)?;
    let value = bundle
        .value
        .ok_or_else(|| Trouble::answer("the vault's answer has no value"))?;
    let mut secret =
        ResolvedSecret::new(value).with_life(bundle.attributes.unwrap_or_default().0.into());
    if let Some(version) = id.version() {
        secret = secret.with_version(version);
    }
    if let Some(content_type) = bundle.content_type {
        secret = secret.with_content_type(content_type);
    }
    for (name, value) in pairs(bundle.tags) {
        secret = secret.with_tag(name, value);
    }
    Ok(Resolved::Secret(secret))
}

pub(super) fn pairs(tags: Option<Tags>) -> impl Iterator<Item = (Box<str>, Box<str>)> {
    let tags = tags.into_iter().flatten();
    tags.map(|(name, value)| (name, value.unwrap_or_default()))
}

/// Parses a body and wipes it.
pub(super) fn parse<T: for<'de> Deserialize<'de>>(body: Bytes) -> Result<T, Trouble> {
    let read = json::object(&body)
        .map_err(|_| Trouble::answer("the vault's answer is not the JSON of the object asked for"));
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
    read
}

/// The identifier in an answer, if it names the object that was asked for.
pub(super) fn checked(
    id: Option<&str>,
    asked: &ReferenceId,
    exact: bool,
) -> Result<ObjectId, Trouble> {
    let collection = asked.collection();
    let asked = asked.parts();
    let id = id.and_then(|id| ObjectId::parse(id).ok());
    id.filter(|(of, id)| {
        *of == collection
            && (exact || id.vault_host() == asked.vault_host())
            && id.name().eq_ignore_ascii_case(asked.name())
            && asked.version().is_none_or(|version| {
                id.version()
                    .is_some_and(|got| got.eq_ignore_ascii_case(version))
            })
    })
    .map(|(_, id)| id)
    .ok_or_else(|| Trouble::answer("the vault's answer is for another object"))
}
