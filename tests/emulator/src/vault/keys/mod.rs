//! Keys as the service serves them.

mod algorithm;
mod crypto;
mod manage;
mod material;
mod policy;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Outcome;
use super::backup::{self, Portable};
use super::call::{Call, Operation, Target};
use super::collection::{self, Item, Kind, View};
use super::reply::Problem;
use super::shelf::Shelf;
use material::PackedMaterial;
use policy::RotationPolicy;

pub(super) use algorithm::Curve;
pub(super) use manage::{add_key, rotate_key};
pub(super) use material::Material;

/// The keys of a vault.
pub(super) struct Keys {
    pub(super) shelf: Shelf<Key>,
    /// By lower-case name.
    policies: BTreeMap<String, RotationPolicy>,
}

/// What one version of a key holds.
pub(super) struct Key {
    pub(super) material: Arc<Material>,
    /// In a hardware module, as far as `kty` tells.
    pub(super) hsm: bool,
    /// `key_ops`.
    pub(super) operations: Vec<String>,
}

impl Keys {
    pub(super) fn new(seed: String) -> Self {
        Self {
            shelf: Shelf::new(seed),
            policies: BTreeMap::new(),
        }
    }

    /// Answers a request on one key.
    pub(super) fn answer(&mut self, call: &Call<'_>) -> Result<Outcome, Problem> {
        let Target::Object {
            name,
            version,
            operation,
            ..
        } = call.target
        else {
            return Err(Problem::method_not_allowed(call.method));
        };
        match (call.method, version, operation) {
            (&Method::GET, _, None) => manage::get(self, name, version, call).map(Outcome::reply),
            (&Method::PUT, None, None) => manage::import(self, name, call),
            (&Method::PATCH, _, None) => {
                manage::update(self, name, version, call).map(Outcome::reply)
            }
            (&Method::DELETE, None, None) => {
                collection::delete(&mut self.shelf, name, call).map(Outcome::reply)
            }
            (&Method::GET, None, Some(Operation::Versions)) => {
                collection::versions(&self.shelf, name, call).map(Outcome::reply)
            }
            (&Method::POST, None, Some(Operation::Create)) => manage::create(self, name, call),
            (&Method::POST, None, Some(Operation::Backup)) => {
                backup::backup(&self.shelf, name).map(Outcome::reply)
            }
            (&Method::POST, None, Some(Operation::Restore)) => {
                backup::restore(&mut self.shelf, call).map(Outcome::reply)
            }
            (&Method::POST, None, Some(Operation::Rotate)) => manage::rotate(self, name, call),
            (&Method::GET, None, Some(Operation::RotationPolicy)) => {
                policy::get(self, name, call).map(Outcome::reply)
            }
            (&Method::PUT, None, Some(Operation::RotationPolicy)) => {
                policy::set(self, name, call).map(Outcome::reply)
            }
            (&Method::POST, _, Some(operation)) => {
                crypto::run(&self.shelf, name, version, operation, call).map(Outcome::reply)
            }
            _ => Err(Problem::method_not_allowed(call.method)),
        }
    }
}

impl Key {
    fn kty(&self) -> &'static str {
        match (&*self.material, self.hsm) {
            (Material::Rsa(_), false) => "RSA",
            (Material::Rsa(_), true) => "RSA-HSM",
            (Material::Ec(..), false) => "EC",
            (Material::Ec(..), true) => "EC-HSM",
        }
    }

    /// The public key with its identifier.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = json!({"kid": kid, "kty": self.kty(), "key_ops": self.operations});
        if let Material::Ec(curve, _) = &*self.material {
            jwk["crv"] = curve.name().into();
        }
        for (name, number) in self.material.public() {
            jwk[name] = BASE64URL.encode(number).into();
        }
        jwk
    }
}

impl Item for Key {
    const KIND: &'static Kind = &Kind {
        path: "keys",
        noun: "Key",
        word: "key",
        not_found: "KeyNotFound",
    };

    fn describe(&self, id: &str, view: View, body: &mut Map<String, Value>) {
        match view {
            View::Full | View::Properties => body.insert("key".to_owned(), self.jwk(id)),
            View::Listed => body.insert("kid".to_owned(), id.into()),
        };
    }

    fn extend_attributes(&self, attributes: &mut Value) {
        attributes["exportable"] = false.into();
        attributes["hsmPlatform"] = if self.hsm { "2" } else { "0" }.into();
    }
}

impl Portable for Key {
    type Packed = PackedKey;

    fn pack(&self) -> PackedKey {
        PackedKey {
            material: self.material.pack(),
            hsm: self.hsm,
            operations: self.operations.clone(),
        }
    }

    fn unpack(packed: PackedKey) -> Option<Self> {
        Some(Self {
            material: Arc::new(Material::unpack(&packed.material)?),
            hsm: packed.hsm,
            operations: packed.operations,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct PackedKey {
    material: PackedMaterial,
    hsm: bool,
    operations: Vec<String>,
}
