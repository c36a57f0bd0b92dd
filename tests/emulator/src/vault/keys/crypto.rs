//! `encrypt`, `decrypt`, `wrapKey`, `unwrapKey`, `sign` and `verify`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::Deserialize;
use serde_json::json;

use super::algorithm::{Encryption, Signature, SignaturePadding};
use super::{Key, Material};
use crate::vault::call::{Call, Operation};
use crate::vault::collection;
use crate::vault::reply::{Problem, Reply};
use crate::vault::shelf::{Shelf, Validity, Version};

#[derive(Deserialize)]
struct Body {
    alg: Option<String>,
    /// The data, or the signature of a verification.
    value: Option<String>,
    /// The digest of a verification.
    digest: Option<String>,
}

/// `POST /keys/{name}/[{version}/]{operation}`.
pub(super) fn run(
    shelf: &Shelf<Key>,
    name: &str,
    version: Option<&str>,
    operation: Operation,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    let word = word(operation).ok_or_else(|| Problem::method_not_allowed(call.method))?;
    let body: Body = call.json()?;
    let missing = || collection::not_found::<Key>(name, version);
    let object = shelf.object(name).ok_or_else(missing)?;
    let found = shelf.version(name, version).ok_or_else(missing)?;
    check(found, operation, word, call)?;
    let kid = format!("{}/keys/{}/{}", call.base, object.name, found.id);
    let result = match operation {
        Operation::Sign => sign(&found.item, &kid, &body)?,
        Operation::Verify => return verify(&found.item, &kid, &body),
        _ => convert(&found.item, operation, word, &body)?,
    };
    Ok(Reply::Json(
        json!({"kid": kid, "value": BASE64URL.encode(result)}),
    ))
}

/// Enabled, in force, and made for this operation.
///
/// Outside `nbf` and `exp` a key still opens what it closed: decrypt, unwrap and verify work.
fn check(
    found: &Version<Key>,
    operation: Operation,
    word: &str,
    call: &Call<'_>,
) -> Result<(), Problem> {
    let refuse = |code, state| {
        Err(Problem::forbidden(
            code,
            format!("Operation {word} is not allowed on {state} key."),
        ))
    };
    if !found.attributes.enabled {
        return refuse("KeyDisabled", "a disabled");
    }
    let opens = matches!(
        operation,
        Operation::Decrypt | Operation::UnwrapKey | Operation::Verify
    );
    match found.attributes.validity(call.now) {
        Validity::Expired if !opens => return refuse("KeyExpired", "an expired"),
        Validity::NotYet if !opens => return refuse("KeyNotYetValid", "a not yet valid"),
        _ => {}
    }
    if found.item.operations.iter().any(|allowed| allowed == word) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "KeyOperationForbidden",
        format!("Operation {word} is not permitted on this key."),
    ))
}

fn convert(key: &Key, operation: Operation, word: &str, body: &Body) -> Result<Vec<u8>, Problem> {
    let name = required(body.alg.as_deref(), "alg")?;
    let algorithm = Encryption::parse(name).ok_or_else(|| unsupported(name))?;
    if matches!(&*key.material, Material::Ec(..)) {
        return Err(Problem::bad_parameter(format!(
            "Key and encryption algorithm are incompatible. Operation {word} with algorithm '{name}' can only be \
             used with an RSA key."
        )));
    }
    let value = bytes(body.value.as_deref(), "value")?;
    let result = match operation {
        Operation::Encrypt | Operation::WrapKey => key.material.encrypt(algorithm, &value),
        _ => key.material.decrypt(algorithm, &value),
    };
    result.map_err(|_| Problem::bad_parameter("The parameter is incorrect.\r\n"))
}

fn sign(key: &Key, kid: &str, body: &Body) -> Result<Vec<u8>, Problem> {
    let (name, algorithm) = signature(key, kid, body)?;
    let digest = digest(body.value.as_deref(), "value", name, algorithm)?;
    key.material
        .sign(algorithm, &digest)
        .map_err(|_| Problem::bad_parameter("The parameter is incorrect.\r\n"))
}

fn verify(key: &Key, kid: &str, body: &Body) -> Result<Reply, Problem> {
    let (name, algorithm) = signature(key, kid, body)?;
    let digest = digest(body.digest.as_deref(), "digest", name, algorithm)?;
    let presented = bytes(body.value.as_deref(), "value")?;
    let verdict = key
        .material
        .verify(algorithm, &digest, &presented)
        .map_err(|_| Problem::bad_parameter("The parameter is incorrect.\r\n"))?;
    Ok(Reply::Json(json!({"value": verdict})))
}

/// The algorithm, if it goes with the key.
fn signature<'a>(key: &Key, kid: &str, body: &'a Body) -> Result<(&'a str, Signature), Problem> {
    let name = required(body.alg.as_deref(), "alg")?;
    let algorithm = Signature::parse(name).ok_or_else(|| unsupported(name))?;
    let why = match (&*key.material, algorithm.padding()) {
        (Material::Rsa(_), SignaturePadding::Rsa(..)) => return Ok((name, algorithm)),
        (Material::Ec(curve, _), SignaturePadding::Ecdsa(wanted)) if *curve == wanted => {
            return Ok((name, algorithm));
        }
        (Material::Ec(curve, _), SignaturePadding::Ecdsa(wanted)) => format!(
            "uses curve '{}', and algorithm '{name}' can only be used with curve '{}'",
            curve.name(),
            wanted.name()
        ),
        (Material::Ec(..), SignaturePadding::Rsa(..)) => {
            format!("is an EC key, and algorithm '{name}' can only be used with an RSA key")
        }
        (Material::Rsa(_), SignaturePadding::Ecdsa(_)) => {
            format!("is an RSA key, and algorithm '{name}' can only be used with an EC key")
        }
    };
    Err(Problem::bad_parameter(format!(
        "Key and signing algorithm are incompatible. Key {kid} {why}."
    )))
}

fn digest(
    text: Option<&str>,
    field: &str,
    name: &str,
    algorithm: Signature,
) -> Result<Vec<u8>, Problem> {
    let digest = bytes(text, field)?;
    let wanted = algorithm.digest().output_len();
    if digest.len() == wanted {
        return Ok(digest);
    }
    Err(Problem::bad_parameter(format!(
        "Invalid length of '{field}': {} bytes. {name} requires {wanted} bytes, encoded with base64url.",
        digest.len()
    )))
}

fn bytes(text: Option<&str>, field: &str) -> Result<Vec<u8>, Problem> {
    let text = required(text, field)?;
    BASE64URL.decode(text.trim_end_matches('=')).map_err(|_| {
        Problem::bad_parameter(format!("Invalid value of '{field}': it is not base64url."))
    })
}

fn required<'a>(value: Option<&'a str>, field: &str) -> Result<&'a str, Problem> {
    value.ok_or_else(|| {
        Problem::bad_parameter(format!(
            "The request body must specify the property '{field}'."
        ))
    })
}

fn unsupported(name: &str) -> Problem {
    Problem::bad_parameter(format!("Unsupported algorithm: {name}."))
}

/// The operation as `key_ops` spells it.
fn word(operation: Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::Encrypt => "encrypt",
        Operation::Decrypt => "decrypt",
        Operation::WrapKey => "wrapKey",
        Operation::UnwrapKey => "unwrapKey",
        Operation::Sign => "sign",
        Operation::Verify => "verify",
        _ => return None,
    })
}
