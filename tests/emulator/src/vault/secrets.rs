//! Secrets as the service serves them.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Outcome;
use super::backup::{self, Portable};
use super::call::{Call, Operation, Target};
use super::collection::{self, Item, Kind, View};
use super::reply::{Problem, Reply};
use super::shelf::{Attributes, AttributesInput, Shelf, Tags, Validity};

/// The most bytes of a secret's value.
const MAX_VALUE: usize = 25 * 1024;
const MAX_CONTENT_TYPE: usize = 255;
const MAX_TAGS: usize = 15;

/// What one version of a secret holds.
pub(super) struct Secret {
    pub(super) value: String,
    pub(super) content_type: Option<String>,
    /// Backed by a certificate: the service manages it, and names its key as `kid`.
    pub(super) managed: bool,
}

impl Item for Secret {
    const KIND: &'static Kind = &Kind {
        path: "secrets",
        noun: "Secret",
        word: "secret",
        not_found: "SecretNotFound",
    };

    fn describe(&self, id: &str, view: View, body: &mut Map<String, Value>) {
        if view == View::Full {
            body.insert("value".to_owned(), self.value.clone().into());
        }
        if let Some(content_type) = &self.content_type {
            body.insert("contentType".to_owned(), content_type.clone().into());
        }
        body.insert("id".to_owned(), id.into());
        if self.managed {
            body.insert("managed".to_owned(), true.into());
            if view != View::Listed {
                // The key of a certificate has the name and the version of its secret.
                body.insert(
                    "kid".to_owned(),
                    id.replacen("/secrets/", "/keys/", 1).into(),
                );
            }
        }
    }
}

impl Portable for Secret {
    type Packed = PackedSecret;

    fn pack(&self) -> PackedSecret {
        PackedSecret {
            value: self.value.clone(),
            content_type: self.content_type.clone(),
            managed: self.managed,
        }
    }

    fn unpack(packed: PackedSecret) -> Option<Self> {
        Some(Self {
            value: packed.value,
            content_type: packed.content_type,
            managed: packed.managed,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct PackedSecret {
    value: String,
    content_type: Option<String>,
    managed: bool,
}

#[derive(Deserialize)]
struct SetBody {
    value: Option<String>,
    #[serde(rename = "contentType")]
    content_type: Option<String>,
    attributes: Option<AttributesInput>,
    tags: Option<Tags>,
}

#[derive(Deserialize)]
struct UpdateBody {
    #[serde(rename = "contentType")]
    content_type: Option<String>,
    attributes: Option<AttributesInput>,
    tags: Option<Tags>,
}

/// Answers a request on one secret.
///
/// With `enforce_validity`, a value outside `nbf` and `exp` is refused like a disabled one.
pub(super) fn answer(
    shelf: &mut Shelf<Secret>,
    enforce_validity: bool,
    call: &Call<'_>,
) -> Result<Outcome, Problem> {
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
        (&Method::GET, _, None) => get(shelf, name, version, enforce_validity, call),
        (&Method::GET, None, Some(Operation::Versions)) => collection::versions(shelf, name, call),
        (&Method::PUT, None, None) => return set(shelf, name, call),
        (&Method::PATCH, _, None) => update(shelf, name, version, call),
        (&Method::DELETE, None, None) => collection::delete(shelf, name, call),
        (&Method::POST, None, Some(Operation::Backup)) => backup::backup(shelf, name),
        (&Method::POST, None, Some(Operation::Restore)) => backup::restore(shelf, call),
        _ => Err(Problem::method_not_allowed(call.method)),
    }
    .map(Outcome::reply)
}

/// `GET /secrets/{name}[/{version}]`.
fn get(
    shelf: &Shelf<Secret>,
    name: &str,
    version: Option<&str>,
    enforce_validity: bool,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let missing = || collection::not_found::<Secret>(name, version);
    let object = shelf.object(name).ok_or_else(missing)?;
    let found = shelf.version(name, version).ok_or_else(missing)?;
    if !found.attributes.enabled {
        return Err(Problem::forbidden(
            "SecretDisabled",
            "Operation get is not allowed on a disabled secret.",
        ));
    }
    match found.attributes.validity(call.now) {
        Validity::Expired if enforce_validity => Err(Problem::forbidden(
            "SecretExpired",
            "Operation get is not allowed on an expired secret.",
        )),
        Validity::NotYet if enforce_validity => Err(Problem::forbidden(
            "SecretNotYetValid",
            "Operation get is not allowed on a secret that is not yet valid.",
        )),
        _ => {
            check_form(&found.item, call)?;
            let body = collection::bundle(object, found, View::Full, call);
            Ok(Reply::Json(body))
        }
    }
}

/// `outContentType` asks for the other form of a certificate, which the emulator cannot make.
fn check_form(secret: &Secret, call: &Call<'_>) -> Result<(), Problem> {
    let wanted = call.parameter("outContentType");
    let other = wanted.is_some() && wanted != secret.content_type;
    if other && secret.managed {
        return Err(Problem::not_emulated("outContentType"));
    }
    Ok(())
}

/// `PUT /secrets/{name}`: a new version.
fn set(shelf: &mut Shelf<Secret>, name: &str, call: &Call<'_>) -> Result<Outcome, Problem> {
    let body: SetBody = call.json()?;
    collection::check_name_is_free(shelf, name)?;
    let value = body.value.ok_or_else(|| {
        Problem::bad_parameter("The request body must specify the property 'value'.")
    })?;
    if value.len() > MAX_VALUE {
        return Err(Problem::bad_parameter(format!(
            "The secret value is too long: at most {MAX_VALUE} bytes are allowed."
        )));
    }
    check_limits(body.content_type.as_deref(), body.tags.as_ref())?;
    let mut attributes = Attributes::new(call.now);
    apply(&mut attributes, body.attributes.as_ref())?;
    let secret = Secret {
        value,
        content_type: body.content_type,
        managed: false,
    };
    let created = shelf.add(name, attributes, body.tags, secret);
    let missing = || collection::not_found::<Secret>(name, None);
    let object = shelf.object(name).ok_or_else(missing)?;
    let reply = Reply::Json(collection::bundle(
        object,
        object.newest(),
        View::Full,
        call,
    ));
    Ok(Outcome {
        reply,
        created: Some(created),
    })
}

/// `PATCH /secrets/{name}/[{version}]`: tags are replaced as a whole, attributes one by one.
fn update(
    shelf: &mut Shelf<Secret>,
    name: &str,
    version: Option<&str>,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let body: UpdateBody = call.json()?;
    check_limits(body.content_type.as_deref(), body.tags.as_ref())?;
    let missing = || collection::not_found::<Secret>(name, version);
    let found = shelf.version_mut(name, version).ok_or_else(missing)?;
    apply(&mut found.attributes, body.attributes.as_ref())?;
    found.attributes.updated = call.now;
    if body.content_type.is_some() {
        found.item.content_type = body.content_type;
    }
    if body.tags.is_some() {
        found.tags = body.tags;
    }
    let object = shelf.object(name).ok_or_else(missing)?;
    let found = shelf.version(name, version).ok_or_else(missing)?;
    Ok(Reply::Json(collection::bundle(
        object,
        found,
        View::Properties,
        call,
    )))
}

/// Takes over the attributes of a request; a time beyond what a calendar holds is refused.
pub(super) fn apply(
    attributes: &mut Attributes,
    input: Option<&AttributesInput>,
) -> Result<(), Problem> {
    let Some(input) = input else { return Ok(()) };
    attributes
        .apply(input)
        .map_err(|_| Problem::bad_parameter("An attribute holds an invalid time."))
}

/// Limits that keys share.
pub(super) fn check_limits(content_type: Option<&str>, tags: Option<&Tags>) -> Result<(), Problem> {
    if content_type.is_some_and(|text| text.len() > MAX_CONTENT_TYPE) {
        return Err(Problem::bad_parameter(format!(
            "The content type is too long: at most {MAX_CONTENT_TYPE} characters are allowed."
        )));
    }
    if tags.is_some_and(|tags| tags.len() > MAX_TAGS) {
        return Err(Problem::bad_parameter(format!(
            "Too many tags: at most {MAX_TAGS} are allowed."
        )));
    }
    Ok(())
}
