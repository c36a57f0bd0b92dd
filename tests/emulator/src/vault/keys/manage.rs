//! Making, importing, reading, changing and rotating keys.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::Deserialize;
use time::OffsetDateTime;

use super::material::{RsaNumbers, Unfit};
use super::{Curve, Key, Keys, Material};
use crate::vault::Outcome;
use crate::vault::call::Call;
use crate::vault::collection::{self, View};
use crate::vault::reply::{Problem, Reply};
use crate::vault::secrets::{apply, check_limits};
use crate::vault::shelf::{Attributes, AttributesInput, Tags};

const OPERATIONS: [&str; 8] = [
    "encrypt",
    "decrypt",
    "sign",
    "verify",
    "wrapKey",
    "unwrapKey",
    "import",
    "export",
];
const RSA_OPERATIONS: [&str; 6] = [
    "encrypt",
    "decrypt",
    "sign",
    "verify",
    "wrapKey",
    "unwrapKey",
];
const EC_OPERATIONS: [&str; 2] = ["sign", "verify"];

#[derive(Deserialize)]
struct CreateBody {
    kty: Option<String>,
    key_size: Option<u32>,
    crv: Option<String>,
    key_ops: Option<Vec<String>>,
    attributes: Option<AttributesInput>,
    tags: Option<Tags>,
}

#[derive(Deserialize)]
struct UpdateBody {
    key_ops: Option<Vec<String>>,
    attributes: Option<AttributesInput>,
    tags: Option<Tags>,
}

#[derive(Deserialize)]
struct ImportBody {
    key: Jwk,
    #[serde(rename = "Hsm")]
    hsm: Option<bool>,
    attributes: Option<AttributesInput>,
    tags: Option<Tags>,
}

/// A private JSON Web Key as clients send it.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// `GET /keys/{name}[/{version}]`: public numbers; a disabled key is shown, as recorded.
pub(super) fn get(
    keys: &Keys,
    name: &str,
    version: Option<&str>,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    show(keys, name, version, call)
}

/// `POST /keys/{name}/create`.
pub(super) fn create(keys: &mut Keys, name: &str, call: &Call<'_>) -> Result<Outcome, Problem> {
    let body: CreateBody = call.json()?;
    collection::check_name_is_free(&keys.shelf, name)?;
    check_limits(None, body.tags.as_ref())?;
    let kty = body.kty.ok_or_else(|| {
        Problem::bad_parameter("The request body must specify the property 'kty'.")
    })?;
    let (kind, hsm) = split_kty(&kty);
    let operations = operations(kind, body.key_ops)?;
    let mut attributes = Attributes::new(call.now);
    apply(&mut attributes, body.attributes.as_ref())?;
    let material = generate(kind, &kty, body.key_size, body.crv.as_deref())?;
    let key = Key {
        material: Arc::new(material),
        hsm,
        operations,
    };
    made(keys, name, attributes, body.tags, key, call)
}

/// `PUT /keys/{name}`.
pub(super) fn import(keys: &mut Keys, name: &str, call: &Call<'_>) -> Result<Outcome, Problem> {
    let body: ImportBody = call.json()?;
    collection::check_name_is_free(&keys.shelf, name)?;
    check_limits(None, body.tags.as_ref())?;
    let (kind, hsm) = split_kty(&body.key.kty);
    let operations = operations(kind, body.key.key_ops.clone())?;
    let mut attributes = Attributes::new(call.now);
    apply(&mut attributes, body.attributes.as_ref())?;
    let material = body
        .key
        .material(kind)
        .ok_or_else(|| Problem::bad_parameter("The JSON web key is invalid or incomplete."))?;
    let key = Key {
        material: Arc::new(material),
        hsm: hsm || body.hsm.unwrap_or_default(),
        operations,
    };
    made(keys, name, attributes, body.tags, key, call)
}

/// `PATCH /keys/{name}/[{version}]`: tags and operations are replaced, attributes merged.
pub(super) fn update(
    keys: &mut Keys,
    name: &str,
    version: Option<&str>,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let body: UpdateBody = call.json()?;
    check_limits(None, body.tags.as_ref())?;
    let missing = || collection::not_found::<Key>(name, version);
    let found = keys.shelf.version_mut(name, version).ok_or_else(missing)?;
    if let Some(wanted) = body.key_ops {
        let kind = split_kty(found.item.kty()).0;
        found.item.operations = operations(kind, Some(wanted))?;
    }
    apply(&mut found.attributes, body.attributes.as_ref())?;
    found.attributes.updated = call.now;
    if body.tags.is_some() {
        found.tags = body.tags;
    }
    show(keys, name, version, call)
}

/// `POST /keys/{name}/rotate`: a new version like the newest, expiring as the rotation policy says.
pub(super) fn rotate(keys: &mut Keys, name: &str, call: &Call<'_>) -> Result<Outcome, Problem> {
    let created =
        rotate_key(keys, name, call.now).ok_or_else(|| collection::not_found::<Key>(name, None))?;
    Ok(Outcome {
        reply: show(keys, name, None, call)?,
        created: Some(created),
    })
}

/// Adds a version of a key that was just made; nothing if there is no such kind of key.
pub(in crate::vault) fn add_key(
    keys: &mut Keys,
    name: &str,
    kty: &str,
    size: Option<u32>,
    curve: Option<&str>,
    attributes: Attributes,
) -> Option<String> {
    let (kind, hsm) = split_kty(kty);
    let key = Key {
        material: Arc::new(generate(kind, kty, size, curve).ok()?),
        hsm,
        operations: operations(kind, None).ok()?,
    };
    Some(keys.shelf.add(name, attributes, None, key))
}

/// Adds a version like the newest one, with new numbers, and returns its identifier.
pub(in crate::vault) fn rotate_key(
    keys: &mut Keys,
    name: &str,
    now: OffsetDateTime,
) -> Option<String> {
    let newest = keys.shelf.version(name, None)?;
    let key = Key {
        material: Arc::new(newest.item.material.regenerate()),
        hsm: newest.item.hsm,
        operations: newest.item.operations.clone(),
    };
    let tags = newest.tags.clone();
    let mut attributes = Attributes::new(now);
    attributes.expires = keys
        .policies
        .get(&name.to_ascii_lowercase())
        .and_then(|policy| policy.expiry(now));
    Some(keys.shelf.add(name, attributes, tags, key))
}

fn made(
    keys: &mut Keys,
    name: &str,
    attributes: Attributes,
    tags: Option<Tags>,
    key: Key,
    call: &Call<'_>,
) -> Result<Outcome, Problem> {
    let created = keys.shelf.add(name, attributes, tags, key);
    Ok(Outcome {
        reply: show(keys, name, None, call)?,
        created: Some(created),
    })
}

fn show(keys: &Keys, name: &str, version: Option<&str>, call: &Call<'_>) -> Result<Reply, Problem> {
    let missing = || collection::not_found::<Key>(name, version);
    let object = keys.shelf.object(name).ok_or_else(missing)?;
    let found = keys.shelf.version(name, version).ok_or_else(missing)?;
    Ok(Reply::Json(collection::bundle(
        object,
        found,
        View::Full,
        call,
    )))
}

/// The kind of a key, and whether it is in a hardware module.
fn split_kty(kty: &str) -> (&str, bool) {
    match kty.strip_suffix("-HSM") {
        Some(kind) => (kind, true),
        None => (kty, false),
    }
}

fn generate(
    kind: &str,
    kty: &str,
    size: Option<u32>,
    curve: Option<&str>,
) -> Result<Material, Problem> {
    match kind {
        "RSA" => {
            let size = size.unwrap_or(2048);
            Material::generate_rsa(size).ok_or_else(|| {
                Problem::bad_parameter(format!(
                    "Unsupported key size ({size}). Supported sizes are [2048, 3072, 4096]."
                ))
            })
        }
        "EC" => {
            let name = curve.unwrap_or("P-256");
            let curve = Curve::parse(name)
                .ok_or_else(|| Problem::bad_parameter(format!("Unsupported curve: {name}.")))?;
            Ok(Material::generate_ec(curve))
        }
        _ => Err(Problem::bad_parameter(format!(
            "Unsupported key type: {kty}."
        ))),
    }
}

fn operations(kind: &str, wanted: Option<Vec<String>>) -> Result<Vec<String>, Problem> {
    let all: &[&str] = if kind == "RSA" {
        &RSA_OPERATIONS
    } else {
        &EC_OPERATIONS
    };
    let Some(wanted) = wanted else {
        return Ok(all.iter().map(|&operation| operation.to_owned()).collect());
    };
    match wanted
        .iter()
        .find(|name| !OPERATIONS.contains(&name.as_str()))
    {
        Some(unknown) => Err(Problem::bad_parameter(format!(
            "Unsupported key operation: {unknown}."
        ))),
        None => Ok(wanted),
    }
}

impl Jwk {
    fn material(&self, kind: &str) -> Option<Material> {
        let outcome: Result<Material, Unfit> = match kind {
            "RSA" => Material::import_rsa(&RsaNumbers {
                n: number(&self.n)?,
                e: number(&self.e)?,
                d: number(&self.d)?,
                p: number(&self.p)?,
                q: number(&self.q)?,
                dp: number(&self.dp)?,
                dq: number(&self.dq)?,
                qi: number(&self.qi)?,
            }),
            "EC" => {
                let curve = Curve::parse(self.crv.as_deref()?)?;
                Material::import_ec(
                    curve,
                    &number(&self.d)?,
                    &number(&self.x)?,
                    &number(&self.y)?,
                )
            }
            _ => return None,
        };
        outcome.ok()
    }
}

/// Clients send base64url with or without padding.
fn number(text: &Option<String>) -> Option<Vec<u8>> {
    BASE64URL
        .decode(text.as_deref()?.trim_end_matches('='))
        .ok()
}
