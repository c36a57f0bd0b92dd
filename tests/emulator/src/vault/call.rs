//! One request, taken apart: which collection, which object, which operation.

use bytes::Bytes;
use http::{Method, Request, Uri};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::reply::Problem;

/// A request in the terms of the service.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    /// Scheme and authority that the client used; identifiers in the answer start with it.
    pub(super) base: String,
    pub(super) target: Target<'a>,
    pub(super) now: OffsetDateTime,
    query: Option<&'a str>,
    body: &'a Bytes,
}

/// What the path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Collection(Collection),
    /// An object, its version if the path holds one, and the operation if it holds one.
    Object {
        collection: Collection,
        name: &'a str,
        version: Option<&'a str>,
        operation: Option<Operation>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collection {
    Secrets,
    DeletedSecrets,
    Keys,
    DeletedKeys,
}

/// The last word of a path, where it is a verb or a sub-resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Versions,
    Recover,
    Backup,
    /// Its path names no object: the name is in the blob.
    Restore,
    Create,
    Rotate,
    RotationPolicy,
    Encrypt,
    Decrypt,
    WrapKey,
    UnwrapKey,
    Sign,
    Verify,
}

impl<'a> Call<'a> {
    /// Reads the request, in the order in which the service checks: api-version, path, name.
    pub(super) fn parse(request: &'a Request<Bytes>, now: OffsetDateTime) -> Result<Self, Problem> {
        let uri = request.uri();
        check_api_version(parameter(uri.query(), "api-version"))?;
        Ok(Self {
            method: request.method(),
            base: origin(uri),
            target: Target::parse(uri.path())?.for_method(request.method()),
            now,
            query: uri.query(),
            body: request.body(),
        })
    }

    /// The value of a query parameter, percent-decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        parameter(self.query, name)
    }

    /// The JSON body.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(self.body).map_err(|error| {
            Problem::bad_parameter(format!("The request body is invalid: {error}"))
        })
    }
}

impl<'a> Target<'a> {
    /// A POST to `/secrets/restore` is no object of that name.
    fn for_method(self, method: &Method) -> Self {
        match self {
            Self::Object {
                collection,
                name: name @ "restore",
                version: None,
                operation: None,
            } if method == Method::POST => Self::Object {
                collection,
                name,
                version: None,
                operation: Some(Operation::Restore),
            },
            other => other,
        }
    }

    fn parse(path: &'a str) -> Result<Self, Problem> {
        // Vault URLs end in a slash in many configurations; the service takes `//secrets/name` as well.
        let mut segments = path.trim_start_matches('/').split('/');
        let collection = Collection::parse(segments.next().unwrap_or_default())?;
        let rest: Vec<&str> = segments.collect();
        match *rest.as_slice() {
            [] | [""] => Ok(Self::Collection(collection)),
            [name] | [name, ""] => Self::object(collection, name, None, None),
            [name, last] => match Operation::parse(last) {
                Some(operation) => Self::object(collection, name, None, Some(operation)),
                None => Self::object(collection, name, Some(last), None),
            },
            [name, version, last] => {
                let operation = Operation::parse(last).ok_or_else(|| unknown_path(last))?;
                let version = Some(version).filter(|version| !version.is_empty());
                Self::object(collection, name, version, Some(operation))
            }
            _ => Err(unknown_path(path)),
        }
    }

    fn object(
        collection: Collection,
        name: &'a str,
        version: Option<&'a str>,
        operation: Option<Operation>,
    ) -> Result<Self, Problem> {
        if name.is_empty() {
            return Err(Problem::bad_parameter("Operation not specified"));
        }
        if !is_object_name(name) {
            return Err(Problem::bad_parameter(format!(
                "The request URI contains an invalid name: {name}"
            )));
        }
        if let Some(word) = version
            .or(Some(name))
            .filter(|word| UNSUPPORTED.contains(word))
        {
            return Err(Problem::not_emulated(word));
        }
        if let Some(version) = version.filter(|version| !is_object_name(version)) {
            return Err(Problem::bad_parameter(format!(
                "The request URI contains an invalid version: {version}"
            )));
        }
        Ok(Self::Object {
            collection,
            name,
            version,
            operation,
        })
    }
}

/// Words that the real service understands after a collection or a name.
const UNSUPPORTED: [&str; 2] = ["release", "attestation"];

impl Collection {
    fn parse(segment: &str) -> Result<Self, Problem> {
        match segment.to_ascii_lowercase().as_str() {
            "secrets" => Ok(Self::Secrets),
            "deletedsecrets" => Ok(Self::DeletedSecrets),
            "keys" => Ok(Self::Keys),
            "deletedkeys" => Ok(Self::DeletedKeys),
            "certificates" | "deletedcertificates" | "storage" | "rng" => {
                Err(Problem::not_emulated(segment))
            }
            _ => Err(unknown_path(segment)),
        }
    }
}

impl Operation {
    fn parse(segment: &str) -> Option<Self> {
        Some(match segment.to_ascii_lowercase().as_str() {
            "versions" => Self::Versions,
            "recover" => Self::Recover,
            "backup" => Self::Backup,
            "create" => Self::Create,
            "rotate" => Self::Rotate,
            "rotationpolicy" => Self::RotationPolicy,
            "encrypt" => Self::Encrypt,
            "decrypt" => Self::Decrypt,
            "wrapkey" => Self::WrapKey,
            "unwrapkey" => Self::UnwrapKey,
            "sign" => Self::Sign,
            "verify" => Self::Verify,
            _ => return None,
        })
    }
}

fn unknown_path(path: &str) -> Problem {
    Problem::bad_parameter(format!("The request URI is invalid: {path}"))
}

/// 1 to 127 letters, digits and dashes.
fn is_object_name(name: &str) -> bool {
    (1..=127).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let authority = authority.strip_suffix(":443").unwrap_or(authority);
    format!("https://{authority}")
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
}

fn check_api_version(version: Option<String>) -> Result<(), Problem> {
    let version = version.filter(|version| !version.is_empty());
    let Some(version) = version else {
        return Err(Problem::bad_parameter("api-version must be specified"));
    };
    if is_api_version(&version) {
        return Ok(());
    }
    Err(Problem::bad_parameter(format!(
        "The specified version ({version}) is not recognized. Consider using the latest supported version (2025-07-01)."
    )))
}

/// `7.0` to `7.6` and dated versions, with or without a preview suffix.
fn is_api_version(version: &str) -> bool {
    let stable = match version.split_once("-preview") {
        Some((stable, rest)) if rest.is_empty() || rest.starts_with('.') => stable,
        Some(_) => return false,
        None => version,
    };
    let minor = stable.strip_prefix("7.").map(str::as_bytes);
    matches!(minor, Some([b'0'..=b'6'])) || is_date(stable)
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_collections_objects_and_operations() {
        use Collection::{DeletedSecrets, Keys, Secrets};
        let object = |collection, version, operation| Target::Object {
            collection,
            name: "n",
            version,
            operation,
        };
        let cases = [
            ("/secrets", Target::Collection(Secrets)),
            ("/keys/", Target::Collection(Keys)),
            ("/secrets/n", object(Secrets, None, None)),
            ("//SECRETS/n/", object(Secrets, None, None)),
            ("/secrets/n/0a", object(Secrets, Some("0a"), None)),
            (
                "/secrets/n/versions",
                object(Secrets, None, Some(Operation::Versions)),
            ),
            (
                "/deletedsecrets/n/recover",
                object(DeletedSecrets, None, Some(Operation::Recover)),
            ),
            (
                "/keys/n/create",
                object(Keys, None, Some(Operation::Create)),
            ),
            (
                "/keys/n/0a/wrapkey",
                object(Keys, Some("0a"), Some(Operation::WrapKey)),
            ),
            ("/keys/n//sign", object(Keys, None, Some(Operation::Sign))),
            (
                "/keys/n/unwrapKey",
                object(Keys, None, Some(Operation::UnwrapKey)),
            ),
        ];
        for (path, expected) in cases {
            assert_eq!(Target::parse(path).expect(path), expected, "{path}");
        }
        for path in [
            "/",
            "/other/n",
            "/secrets/a_b",
            "/secrets/n/v/x",
            "/keys//create",
            "/secrets/n/%2e",
        ] {
            assert!(Target::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn api_versions_are_taken_by_their_form() {
        for version in [
            "7.0",
            "7.4-preview.1",
            "7.6",
            "2016-10-01",
            "2025-07-01",
            "2025-06-01-preview",
        ] {
            assert!(is_api_version(version), "{version}");
        }
        for version in ["", "7", "7.9", "8.0", "latest", "2025-07", "7.1-previewx"] {
            assert!(!is_api_version(version), "{version}");
        }
    }
}
