//! Backup and restore: one object with all its versions, as a blob that another vault takes.
//!
//! The blob starts as the service's does, with a length byte and the name of its format. What follows is opaque to
//! clients: the service encrypts it for the geography of the vault, the emulator writes plain JSON.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use http::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use time::OffsetDateTime;

use super::call::Call;
use super::collection::{self, Item, View};
use super::reply::{Problem, Reply};
use super::shelf::{Attributes, Object, Shelf, Tags, Version};

/// An item that can leave its vault.
pub(super) trait Portable: Item + Sized {
    type Packed: Serialize + DeserializeOwned;

    fn pack(&self) -> Self::Packed;

    /// Nothing if the blob was made by hand.
    fn unpack(packed: Self::Packed) -> Option<Self>;
}

#[derive(Serialize, Deserialize)]
struct PackedObject<P> {
    name: String,
    versions: Vec<PackedVersion<P>>,
}

#[derive(Serialize, Deserialize)]
struct PackedVersion<P> {
    id: String,
    enabled: bool,
    nbf: Option<i64>,
    exp: Option<i64>,
    created: i64,
    updated: i64,
    tags: Option<Tags>,
    item: P,
}

#[derive(Deserialize)]
struct RestoreBody {
    value: Option<String>,
}

/// `POST /secrets/{name}/backup`: every version, disabled ones too.
pub(super) fn backup<T: Portable>(shelf: &Shelf<T>, name: &str) -> Result<Reply, Problem> {
    let object = shelf
        .object(name)
        .ok_or_else(|| collection::not_found::<T>(name, None))?;
    Ok(Reply::Json(json!({"value": seal(object)?})))
}

/// `POST /secrets/restore`: under its old name and version identifiers, which must be free.
pub(super) fn restore<T: Portable>(
    shelf: &mut Shelf<T>,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let body: RestoreBody = call.json()?;
    let blob = body.value.ok_or_else(|| {
        Problem::bad_parameter("The request body must specify the property 'value'.")
    })?;
    let object = open::<T>(&blob).ok_or_else(corrupt)?;
    collection::check_name_is_free(shelf, &object.name)?;
    if shelf.object(&object.name).is_some() {
        return Err(taken::<T>(&object.name));
    }
    let reply = collection::bundle(&object, object.newest(), View::Properties, call);
    shelf.insert(object);
    Ok(Reply::Json(reply))
}

fn seal<T: Portable>(object: &Object<T>) -> Result<String, Problem> {
    let packed = PackedObject {
        name: object.name.clone(),
        versions: object.versions().iter().map(pack).collect(),
    };
    let mut blob = header::<T>();
    serde_json::to_writer(&mut blob, &packed).map_err(|_| corrupt())?;
    Ok(BASE64URL.encode(blob))
}

fn open<T: Portable>(blob: &str) -> Option<Object<T>> {
    let blob = BASE64URL.decode(blob.trim_end_matches('=')).ok()?;
    let packed: PackedObject<T::Packed> =
        serde_json::from_slice(blob.strip_prefix(header::<T>().as_slice())?).ok()?;
    let versions = packed.versions.into_iter().map(unpack).collect();
    Object::new(packed.name, versions)
}

fn header<T: Item>() -> Vec<u8> {
    let format = format!("AzureKeyVault{}BackupV1.microsoft.com", T::KIND.noun);
    let length = u8::try_from(format.len()).unwrap_or_default();
    [&[length], format.as_bytes()].concat()
}

fn pack<T: Portable>(version: &Version<T>) -> PackedVersion<T::Packed> {
    let attributes = &version.attributes;
    let seconds = |at: Option<OffsetDateTime>| at.map(OffsetDateTime::unix_timestamp);
    PackedVersion {
        id: version.id.clone(),
        enabled: attributes.enabled,
        nbf: seconds(attributes.not_before),
        exp: seconds(attributes.expires),
        created: attributes.created.unix_timestamp(),
        updated: attributes.updated.unix_timestamp(),
        tags: version.tags.clone(),
        item: version.item.pack(),
    }
}

fn unpack<T: Portable>(packed: PackedVersion<T::Packed>) -> Option<Version<T>> {
    let date = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok();
    let optional = |seconds: Option<i64>| seconds.map_or(Some(None), |at| date(at).map(Some));
    Some(Version {
        id: packed.id,
        attributes: Attributes {
            enabled: packed.enabled,
            not_before: optional(packed.nbf)?,
            expires: optional(packed.exp)?,
            created: date(packed.created)?,
            updated: date(packed.updated)?,
        },
        tags: packed.tags,
        item: T::unpack(packed.item)?,
    })
}

/// As recorded.
fn corrupt() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "Malformed backup blob",
        "Backup blob is corrupt.",
    )
}

/// Documented as a conflict; the wording is not recorded.
fn taken<T: Item>(name: &str) -> Problem {
    let message = format!("{} {name} already exists in this key vault.", T::KIND.noun);
    Problem::new(StatusCode::CONFLICT, "Conflict", message)
}
