//! Real answers of Key Vault, through the library's own parser.

use std::path::PathBuf;

use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{RawResponse, StatusCode};
use serde_json::Value;

use super::super::answer;
use super::super::failure::{Reach, Trouble};
use super::super::identifier::{Collection, ObjectId};
use super::super::{KeyIdentifier, Resolved};
use super::*;
use crate::error::SecretErrorKind;

/// Request method, answer status and answer body of every exchange in the Key Vault recordings.
fn exchanges() -> Option<Vec<(String, u16, Value)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the recordings are no part of the project"
    )]
    let folder = std::env::var("CONFIG_AZURE_RECORDINGS").ok()?;
    let files = [
        "keyvault-secrets-dotnet-2020",
        "keyvault-secrets-java-2020",
        "keyvault-secrets-python-2020",
        "keyvault-keys",
    ];
    let mut all = Vec::new();
    for file in files {
        let path = PathBuf::from(&folder).join(format!("{file}.json"));
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // The recorder's stand-ins for host names are none: an underscore cannot be in one.
        let text = text
            .replace("keyvault_name.", "keyvault-name.")
            .replace("azure_managedhsm.", "azure-managedhsm.");
        let records: Vec<Value> = serde_json::from_str(&text).unwrap();
        for exchange in records
            .iter()
            .flat_map(|record| record["exchanges"].as_array().unwrap())
        {
            let method = exchange["request"]["method"].as_str().unwrap().to_owned();
            let status = exchange["response"]["status"]
                .as_u64()
                .unwrap()
                .try_into()
                .unwrap();
            all.push((method, status, exchange["response"]["body"].clone()));
        }
    }
    Some(all)
}

fn reference(id: &str) -> Option<ReferenceId> {
    match ObjectId::parse(id).ok()? {
        (Collection::Secrets, id) => Some(ReferenceId::Secret(SecretIdentifier::from_parts(id))),
        (Collection::Keys, id) => Some(ReferenceId::Key(KeyIdentifier::from_parts(id))),
        (Collection::Certificates, _) => None,
    }
}

#[test]
fn every_recorded_bundle_and_error_is_understood() {
    let Some(exchanges) = exchanges() else {
        println!("skipped: CONFIG_AZURE_RECORDINGS does not name the folder of the recordings");
        return;
    };
    let (mut secrets, mut keys, mut errors) = (0, 0, 0);
    for (method, status, body) in exchanges {
        let bytes = || bytes::Bytes::from(body.to_string());
        if status == 200 && body["value"].is_string() && body["id"].is_string() {
            let id = reference(body["id"].as_str().unwrap()).expect("an identifier");
            let Ok(Resolved::Secret(secret)) = answer::read(bytes(), &id, false) else {
                panic!("not understood: {}", body["id"]);
            };
            assert_eq!(
                secret.value().expose_secret(),
                body["value"].as_str().unwrap()
            );
            assert_eq!(secret.version(), id.version());
            assert_eq!(secret.content_type(), body["contentType"].as_str());
            assert_eq!(
                secret.expires_on().is_some(),
                body["attributes"]["exp"].is_u64()
            );
            assert_eq!(
                secret.not_before().is_some(),
                body["attributes"]["nbf"].is_u64()
            );
            assert_eq!(
                secret.tags().count(),
                body["tags"].as_object().map_or(0, serde_json::Map::len)
            );
            secrets += 1;
        } else if status == 200 && body["key"]["kid"].is_string() {
            let id = reference(body["key"]["kid"].as_str().unwrap()).expect("an identifier");
            if cfg!(feature = "keys") {
                let Ok(Resolved::Key(key)) = answer::read(bytes(), &id, false) else {
                    panic!("not understood: {}", body["key"]["kid"]);
                };
                assert_eq!(key.jwk["kty"], body["key"]["kty"]);
            }
            keys += 1;
        } else if status >= 400 && method == "GET" {
            let trouble = trouble(status, &body);
            let kind = match (status, body["error"]["innererror"]["code"].as_str()) {
                (401, _) => SecretErrorKind::Credential,
                (403, Some("SecretDisabled")) => SecretErrorKind::Disabled,
                (404, _) => SecretErrorKind::NotFound,
                other => panic!("an answer that nobody looked at: {other:?}"),
            };
            assert_eq!(trouble.failure.kind, kind, "{body}");
            errors += 1;
        }
    }
    println!("{secrets} secrets, {keys} keys and {errors} errors, all understood");
    assert!(
        secrets >= 40 && keys >= 20 && errors >= 15,
        "{secrets} {keys} {errors}"
    );
}

fn trouble(status: u16, body: &Value) -> Trouble {
    let body = body.to_string();
    let raw_response = Some(Box::new(RawResponse::from_bytes(
        StatusCode::from(status),
        Headers::new(),
        body,
    )));
    let kind = ErrorKind::HttpResponse {
        status: StatusCode::from(status),
        error_code: None,
        raw_response,
    };
    let asked = secret_id("https://kv-orders.vault.azure.net/secrets/db");
    Trouble::of(kind.into_error(), &asked, SystemTime::UNIX_EPOCH)
}

/// What the service says, in the words of its recordings and of its documentation.
#[test]
fn refusals_are_told_apart_by_code_or_by_words() {
    let table = [
        (Some("SecretDisabled"), "", SecretErrorKind::Disabled),
        (
            None,
            "Operation get is not allowed on a disabled secret.",
            SecretErrorKind::Disabled,
        ),
        (Some("SecretNotYetValid"), "", SecretErrorKind::NotYetValid),
        (
            None,
            "Operation get is not allowed on a secret that is not yet valid.",
            SecretErrorKind::NotYetValid,
        ),
        (Some("SecretExpired"), "", SecretErrorKind::Expired),
        (
            None,
            "Operation get is not allowed on an expired secret.",
            SecretErrorKind::Expired,
        ),
        (Some("KeyDisabled"), "", SecretErrorKind::Disabled),
        (
            Some("ForbiddenByRbac"),
            "Caller is not authorized to perform action on resource.\r\nAssignment: (not found)",
            SecretErrorKind::Forbidden,
        ),
        (Some("AccessDenied"), "", SecretErrorKind::Forbidden),
        (
            Some("ForbiddenByConnection"),
            "Public network access is disabled and request is not from a trusted service nor via an approved private link.",
            SecretErrorKind::Forbidden,
        ),
        (
            None,
            "Public network access is disabled and request is not from a trusted service nor via an approved private link.",
            SecretErrorKind::Forbidden,
        ),
        (None, "", SecretErrorKind::Forbidden),
    ];
    for (code, message, kind) in table {
        let inner = code.map_or(Value::Null, |code| serde_json::json!({ "code": code }));
        let body = serde_json::json!({ "error": { "code": "Forbidden", "message": message, "innererror": inner } });
        let trouble = trouble(403, &body);
        assert_eq!(
            (trouble.failure.kind, trouble.reach),
            (kind, Reach::Secret),
            "{body}"
        );
        assert_eq!(
            trouble.failure.code.as_deref(),
            Some(code.unwrap_or("Forbidden"))
        );
    }
    for body in [
        Value::Null,
        serde_json::json!("x"),
        serde_json::json!({ "error": { "code": "\r\n\u{1b}[31m" } }),
    ] {
        let trouble = trouble(403, &body);
        assert_eq!(trouble.failure.kind, SecretErrorKind::Forbidden);
        assert!(trouble.failure.code.is_none_or(|code| &*code == "31m"));
    }
}
