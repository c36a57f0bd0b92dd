//! Making encrypted settings.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use azure_core::base64::{decode_url_safe, encode_url_safe};
use azure_core::http::HttpClient;
use secrecy::zeroize::Zeroizing;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result, SecretError, SecretErrorKind};
use crate::reference::ReferenceId;
use crate::reference::failure::ReadFailure;
use crate::reference::identifier::KeyIdentifier;
use crate::reference::options::KeyVaultOptions;
use crate::reference::references::References;
use crate::reference::resolved::{Resolved, ResolvedKey};
use crate::time::SystemClock;
use crate::transport::{Guard, HostKind, HostPolicy, HttpHook, Limits, reqwest_transport};

use super::ContentKey;
use super::jwe::{Header, seal};

/// A content key is replaced after so many values.
const USES: u32 = 10_000;
/// The service takes settings up to 10 KB, and their key and label count too.
const MOST_BYTES: usize = 10 * 1024;

/// Encrypts values for settings with a key in Key Vault, so that nobody reads them in App Configuration.
///
/// The result is stored as the value of a setting with the content type
/// [`CONTENT_TYPE`](Self::CONTENT_TYPE). A load decrypts it: the application's identity needs the permission *unwrap key*
/// (role Key Vault Crypto User) on the key, and whoever encrypts needs *get* alone. All values of one encryptor share a
/// content key, so that a load asks the vault once for all of them; every value has an IV of its own, and the content
/// key is replaced after 10,000 values.
///
/// ```no_run
/// # async fn example(credential: std::sync::Arc<dyn azure_core::credentials::TokenCredential>) -> config_azure::Result<()> {
/// use config_azure::{KeyIdentifier, KeyVaultOptions, SettingEncryptor};
///
/// let key = KeyIdentifier::parse("https://kv-orders.vault.azure.net/keys/settings")?;
/// let encryptor = SettingEncryptor::new(&key, KeyVaultOptions::new().credential(credential)).await?;
/// let value = encryptor.encrypt("hunter2")?;
/// // ... az appconfig kv set --key orders:db:password --content-type application/jose --value "$value"
/// # Ok(()) }
/// ```
pub struct SettingEncryptor {
    key: KeyIdentifier,
    public: OaepPublicEncryptingKey,
    header: String,
    uses: u32,
    current: Mutex<Current>,
}

/// The content key in use.
struct Current {
    key: ContentKey,
    wrapped: String,
    used: u32,
}

impl SettingEncryptor {
    /// The content type of an encrypted setting.
    pub const CONTENT_TYPE: &'static str = "application/jose";

    /// Reads the public half of an RSA key. Without a version in the identifier, the newest is used from now on.
    ///
    /// `options` give the credential and admit the vault; an HTTP client of its own is made.
    ///
    /// # Errors
    ///
    /// [`Reference`](ErrorKind::Reference) if the key cannot be read or is disabled, with the reason as its source;
    /// [`InvalidOption`](ErrorKind::InvalidOption) if the options are not valid, or if it is not an RSA key that
    /// permits the operation *unwrapKey*: nobody could open what it closes.
    pub async fn new(key: &KeyIdentifier, options: KeyVaultOptions) -> Result<Self> {
        Self::with_transport(key, options, reqwest_transport(None)?).await
    }

    /// As [`new`](Self::new), with a function on the client's builder, as in the builder of a configuration.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn with_http_client(
        key: &KeyIdentifier,
        options: KeyVaultOptions,
        hook: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Result<Self> {
        let hook: HttpHook = Arc::new(hook);
        Self::with_transport(key, options, reqwest_transport(Some(&hook))?).await
    }

    /// As [`new`](Self::new), with an HTTP client of `azure_core`, for tests.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn with_transport(
        key: &KeyIdentifier,
        options: KeyVaultOptions,
        transport: Arc<dyn HttpClient>,
    ) -> Result<Self> {
        let hosts = HostPolicy::new();
        let guard = Guard::new(transport, hosts.clone(), Limits::default());
        let permit = move |origin| hosts.permit(origin, HostKind::Vault);
        let references = References::new(options, None, guard, permit, Arc::new(SystemClock))?;
        let id = ReferenceId::Key(key.clone());
        let unusable = |failure: ReadFailure| {
            let cause = failure.about(&id, SecretError::new(failure.kind));
            Error::new(ErrorKind::Reference, "the key cannot be used").with_source(cause)
        };
        let read = references.read(&id).await.map_err(unusable)?;
        match &*read {
            Resolved::Key(resolved) if resolved.life.enabled == Some(false) => {
                Err(unusable(ReadFailure::new(SecretErrorKind::Disabled)))
            }
            Resolved::Key(resolved) => Self::of(key, resolved),
            _ => Err(not_rsa()),
        }
    }

    fn of(key: &KeyIdentifier, resolved: &ResolvedKey) -> Result<Self> {
        let key = KeyIdentifier::new(key.vault_url(), key.name(), resolved.version.as_deref())?;
        let public = public_key(resolved).ok_or_else(not_rsa)?;
        let header = serde_json::to_string(&Header::new(key.to_string()))
            .map_err(|_| Error::option("the key's identifier cannot be written down"))?;
        let current = Current::new(&public)?;
        Ok(Self {
            key,
            public,
            header: encode_url_safe(header),
            uses: USES,
            current: Mutex::new(current),
        })
    }

    /// Replaces the content key after so many values instead of 10,000; at least 1.
    #[must_use]
    pub fn replace_after(mut self, values: u32) -> Self {
        self.uses = values.max(1);
        self
    }

    /// The key, with the version in use.
    #[must_use]
    pub fn key(&self) -> &KeyIdentifier {
        &self.key
    }

    /// Encrypts one value: a compact JWE. Makes no request.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](ErrorKind::TooLarge) if the result is longer than the 10 KB that the service takes.
    pub fn encrypt(&self, value: &str) -> Result<String> {
        let (key, wrapped) = self.content_key()?;
        let mut iv = [0; 12];
        random(&mut iv)?;
        let sealed = seal(value, &self.header, &wrapped, &key, iv);
        let sealed = sealed.map_err(|flaw| Error::new(ErrorKind::InvalidValue, flaw))?;
        if sealed.len() > MOST_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the encrypted value has {} bytes, and the service takes {MOST_BYTES}",
                    sealed.len()
                ),
            ));
        }
        Ok(sealed)
    }

    fn content_key(&self) -> Result<(ContentKey, String)> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.used >= self.uses {
            *current = Current::new(&self.public)?;
        }
        current.used += 1;
        Ok((current.key.clone(), current.wrapped.clone()))
    }
}

impl Current {
    /// A fresh content key, wrapped for the vault key.
    fn new(public: &OaepPublicEncryptingKey) -> Result<Self> {
        let failed = || Error::new(ErrorKind::InvalidValue, "no content key could be made");
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut_slice())?;
        let key = ContentKey::new(bytes.as_slice()).ok_or_else(failed)?;
        let mut room = vec![0; public.ciphertext_size()];
        let wrapped = public
            .encrypt(&OAEP_SHA256_MGF1SHA256, key.bytes(), &mut room, None)
            .map_err(|_| failed())?;
        Ok(Self {
            key,
            wrapped: encode_url_safe(&*wrapped),
            used: 0,
        })
    }
}

fn random(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| Error::new(ErrorKind::Runtime, "the system has no random numbers"))
}

fn public_key(key: &ResolvedKey) -> Option<OaepPublicEncryptingKey> {
    let number = |name: &str| decode_url_safe(key.jwk.get(name)?.as_str()?).ok();
    let kind = key.jwk.get("kty")?.as_str()?;
    let operations = key.jwk.get("key_ops").and_then(Value::as_array);
    let may_open = operations.is_none_or(|names| names.iter().any(|name| name == "unwrapKey"));
    if !matches!(kind, "RSA" | "RSA-HSM") || !may_open {
        return None;
    }
    let components = PublicKeyComponents {
        n: number("n")?,
        e: number("e")?,
    };
    let key: PublicEncryptingKey = components.try_into().ok()?;
    OaepPublicEncryptingKey::new(key).ok()
}

fn not_rsa() -> Error {
    Error::option("a SettingEncryptor needs an RSA key that permits unwrapKey")
}

impl fmt::Debug for SettingEncryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingEncryptor")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
