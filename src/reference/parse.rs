//! Recognising a reference in a setting (provider-spec 4.1, 4.2).

use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{SecretError, SecretErrorKind};
use crate::setting::{ConfigurationSetting, ContentKind};

use super::identifier::{Collection, Flaw, ObjectId, SecretIdentifier};

const NOT_JSON: &str = "the value is not JSON with a `uri`; if it is the secret itself, replace it and rotate the secret";
const NOT_OBJECT: &str = "the value is JSON, but not an object with a `uri`";
const NO_URI: &str = "the object has no `uri`";
const TWO_URIS: &str = "the object has two `uri` fields";
const URI_NOT_TEXT: &str = "the `uri` is not a text";
const NO_VALUE: &str = "the setting has no value";
pub(super) const CERTIFICATE: &str =
    "a certificate, not a secret; its text is in the secret of the same name: /secrets/{name}";
pub(super) const KEY: &str = "a key, not a secret";
pub(super) const POLICY_TAG: &str =
    "the tag `config-azure.policy` is `fail`, `keep-last` or `omit`";

/// A setting whose content type says that its value is a reference to a Key Vault secret.
///
/// ```
/// use config_azure::{ConfigurationSetting, SecretReference};
///
/// let setting = ConfigurationSetting::new("orders:db:password", r#"{"uri":"https://kv-orders.vault.azure.net/secrets/db-password"}"#)
///     .with_content_type("application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8");
/// let reference = SecretReference::try_from(&setting)?;
/// assert_eq!(reference.identifier().name(), "db-password");
/// # Ok::<(), config_azure::SecretError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretReference {
    identifier: SecretIdentifier,
}

impl SecretReference {
    /// The secret that the setting refers to.
    #[must_use]
    pub fn identifier(&self) -> &SecretIdentifier {
        &self.identifier
    }
}

impl TryFrom<&ConfigurationSetting> for SecretReference {
    type Error = SecretError;

    /// # Errors
    ///
    /// [`SecretErrorKind::InvalidReference`] if the content type is another one, if the value is not an object
    /// with one `uri`, or if that is not the identifier of a secret. The error never repeats the value. Whether
    /// the vault may be asked is not looked at.
    fn try_from(setting: &ConfigurationSetting) -> Result<Self, SecretError> {
        let invalid = |flaw| {
            SecretError::new(SecretErrorKind::InvalidReference)
                .with_setting(setting.key(), setting.label().as_str())
                .with_hint(flaw)
        };
        if setting.kind() != ContentKind::SecretReference {
            return Err(invalid("the content type is not that of a reference"));
        }
        match target(setting.value()).map_err(invalid)? {
            (Collection::Secrets, id) => Ok(Self {
                identifier: SecretIdentifier::from_parts(id),
            }),
            (Collection::Keys, _) => Err(invalid(KEY)),
            (Collection::Certificates, _) => Err(invalid(CERTIFICATE)),
        }
    }
}

/// What the value of a reference points at.
pub(super) fn target(value: Option<&str>) -> Result<(Collection, ObjectId), Flaw> {
    let value = value.ok_or(NO_VALUE)?;
    let mut flaw = NOT_JSON;
    let mut json = serde_json::Deserializer::from_str(value);
    let uri = json
        .deserialize_any(Object { flaw: &mut flaw })
        .and_then(|uri| json.end().map(|()| uri));
    match uri {
        Ok(uri) => ObjectId::parse(&uri),
        Err(_) => Err(flaw),
    }
}

/// Reads the one `uri` of an object, passing over other fields. Its errors carry no text of the input.
struct Object<'a> {
    flaw: &'a mut Flaw,
}

impl Object<'_> {
    fn refuse<T, E: serde::de::Error>(self, flaw: Flaw) -> Result<T, E> {
        *self.flaw = flaw;
        Err(E::custom(flaw))
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a uri")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut uri: Option<String> = None;
        while let Some(field) = map.next_key::<String>()? {
            if field != "uri" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if uri.is_some() {
                return self.refuse(TWO_URIS);
            }
            match map.next_value::<MaybeText>()? {
                MaybeText(Some(text)) => uri = Some(text),
                MaybeText(None) => return self.refuse(URI_NOT_TEXT),
            }
        }
        match uri {
            Some(uri) => Ok(uri),
            None => self.refuse(NO_URI),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.refuse(NOT_OBJECT)
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<String, E> {
        self.refuse(NOT_OBJECT)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<String, E> {
        self.refuse(NOT_OBJECT)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<String, E> {
        self.refuse(NOT_OBJECT)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<String, E> {
        self.refuse(NOT_OBJECT)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<String, E> {
        self.refuse(NOT_OBJECT)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<String, E> {
        self.refuse(NOT_OBJECT)
    }
}

/// A text, or anything else: telling them apart without an error that shows what it was.
struct MaybeText(Option<String>);

impl<'de> serde::Deserialize<'de> for MaybeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The field's value is read as JSON first, which accepts every kind of value.
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(Some(text))),
            _ => Ok(Self(None)),
        }
    }
}
