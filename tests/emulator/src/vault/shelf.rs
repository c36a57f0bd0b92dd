//! Named objects with versions and soft delete: what secrets and keys have in common.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

/// How long a deleted object can be recovered (`recoverableDays`).
pub(super) const RETENTION_DAYS: i64 = 90;

/// Names and values of the tags of an object version.
pub(super) type Tags = BTreeMap<String, String>;

/// The objects of one kind in one vault. Names are compared ignoring case.
pub(super) struct Shelf<T> {
    /// What version identifiers are derived from, so that a rerun mints the same ones.
    seed: String,
    minted: u64,
    live: BTreeMap<String, Object<T>>,
    deleted: BTreeMap<String, Deleted<T>>,
}

pub(super) struct Object<T> {
    /// As it was spelled when it was created.
    pub(super) name: String,
    /// In order of creation; never empty.
    versions: Vec<Version<T>>,
}

pub(super) struct Version<T> {
    /// 32 hexadecimal digits.
    pub(super) id: String,
    pub(super) attributes: Attributes,
    pub(super) tags: Option<Tags>,
    pub(super) item: T,
}

pub(super) struct Deleted<T> {
    pub(super) object: Object<T>,
    pub(super) at: OffsetDateTime,
}

/// The `attributes` of a version.
#[derive(Clone, Debug)]
pub(super) struct Attributes {
    pub(super) enabled: bool,
    pub(super) not_before: Option<OffsetDateTime>,
    pub(super) expires: Option<OffsetDateTime>,
    pub(super) created: OffsetDateTime,
    pub(super) updated: OffsetDateTime,
}

/// The `attributes` that a client sends; absent ones stay as they are.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct AttributesInput {
    enabled: Option<bool>,
    nbf: Option<i64>,
    exp: Option<i64>,
}

/// Where an instant lies in relation to `nbf` and `exp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    NotYet,
    InForce,
    Expired,
}

impl<T> Shelf<T> {
    pub(super) fn new(seed: impl Into<String>) -> Self {
        Self {
            seed: seed.into(),
            minted: 0,
            live: BTreeMap::new(),
            deleted: BTreeMap::new(),
        }
    }

    /// Adds a version, the newest of its object, and returns its identifier.
    pub(super) fn add(
        &mut self,
        name: &str,
        attributes: Attributes,
        tags: Option<Tags>,
        item: T,
    ) -> String {
        let id = self.mint(name);
        let version = Version {
            id: id.clone(),
            attributes,
            tags,
            item,
        };
        self.live
            .entry(name.to_ascii_lowercase())
            .or_insert_with(|| Object {
                name: name.to_owned(),
                versions: Vec::new(),
            })
            .versions
            .push(version);
        id
    }

    /// Puts back an object that was made elsewhere, under its name.
    pub(super) fn insert(&mut self, object: Object<T>) {
        self.live.insert(object.name.to_ascii_lowercase(), object);
    }

    /// The object with this name.
    pub(super) fn object(&self, name: &str) -> Option<&Object<T>> {
        self.live.get(&name.to_ascii_lowercase())
    }

    /// A version, the newest if none is named.
    pub(super) fn version(&self, name: &str, version: Option<&str>) -> Option<&Version<T>> {
        let object = self.object(name)?;
        match version {
            None => Some(object.newest()),
            Some(id) => object.versions.iter().find(|version| version.matches(id)),
        }
    }

    pub(super) fn version_mut(
        &mut self,
        name: &str,
        version: Option<&str>,
    ) -> Option<&mut Version<T>> {
        let object = self.live.get_mut(&name.to_ascii_lowercase())?;
        match version {
            None => object.versions.last_mut(),
            Some(id) => object
                .versions
                .iter_mut()
                .find(|version| version.matches(id)),
        }
    }

    /// All objects, ordered by name.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Object<T>> {
        self.live.values()
    }

    pub(super) fn delete(&mut self, name: &str, now: OffsetDateTime) -> Option<&Deleted<T>> {
        let key = name.to_ascii_lowercase();
        let object = self.live.remove(&key)?;
        let deleted = Deleted { object, at: now };
        self.deleted.insert(key.clone(), deleted);
        self.deleted.get(&key)
    }

    pub(super) fn deleted(&self, name: &str) -> Option<&Deleted<T>> {
        self.deleted.get(&name.to_ascii_lowercase())
    }

    /// All deleted objects, ordered by name.
    pub(super) fn all_deleted(&self) -> impl Iterator<Item = &Deleted<T>> {
        self.deleted.values()
    }

    pub(super) fn recover(&mut self, name: &str) -> Option<&Object<T>> {
        let key = name.to_ascii_lowercase();
        let object = self.deleted.remove(&key)?.object;
        self.live.insert(key.clone(), object);
        self.live.get(&key)
    }

    /// Whether there was anything to purge.
    pub(super) fn purge(&mut self, name: &str) -> bool {
        self.deleted.remove(&name.to_ascii_lowercase()).is_some()
    }

    /// Purges what has been deleted for longer than the retention period.
    pub(super) fn sweep(&mut self, now: OffsetDateTime) {
        self.deleted.retain(|_, deleted| now < deleted.purge_at());
    }

    fn mint(&mut self, name: &str) -> String {
        self.minted += 1;
        let text = format!(
            "{}/{}/{}",
            self.seed,
            name.to_ascii_lowercase(),
            self.minted
        );
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        hash.as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl<T> Object<T> {
    /// Nothing without a version.
    pub(super) fn new(name: String, versions: Option<Vec<Version<T>>>) -> Option<Self> {
        let versions = versions.filter(|versions| !versions.is_empty())?;
        Some(Self { name, versions })
    }

    pub(super) fn newest(&self) -> &Version<T> {
        self.versions.last().expect("an object has a version")
    }

    /// In order of creation.
    pub(super) fn versions(&self) -> &[Version<T>] {
        &self.versions
    }
}

impl<T> Version<T> {
    fn matches(&self, id: &str) -> bool {
        self.id.eq_ignore_ascii_case(id)
    }
}

impl<T> Deleted<T> {
    pub(super) fn purge_at(&self) -> OffsetDateTime {
        self.at + Duration::days(RETENTION_DAYS)
    }
}

impl Attributes {
    pub(super) fn new(now: OffsetDateTime) -> Self {
        Self {
            enabled: true,
            not_before: None,
            expires: None,
            created: now,
            updated: now,
        }
    }

    /// Takes over what the client sent.
    pub(super) fn apply(
        &mut self,
        input: &AttributesInput,
    ) -> Result<(), time::error::ComponentRange> {
        if let Some(enabled) = input.enabled {
            self.enabled = enabled;
        }
        if let Some(nbf) = input.nbf {
            self.not_before = Some(OffsetDateTime::from_unix_timestamp(nbf)?);
        }
        if let Some(exp) = input.exp {
            self.expires = Some(OffsetDateTime::from_unix_timestamp(exp)?);
        }
        Ok(())
    }

    pub(super) fn validity(&self, now: OffsetDateTime) -> Validity {
        if self.expires.is_some_and(|expires| now >= expires) {
            Validity::Expired
        } else if self.not_before.is_some_and(|start| now < start) {
            Validity::NotYet
        } else {
            Validity::InForce
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut json = json!({
            "enabled": self.enabled,
            "created": self.created.unix_timestamp(),
            "updated": self.updated.unix_timestamp(),
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": RETENTION_DAYS,
        });
        if let Some(not_before) = self.not_before {
            json["nbf"] = not_before.unix_timestamp().into();
        }
        if let Some(expires) = self.expires {
            json["exp"] = expires.unix_timestamp().into();
        }
        json
    }
}
