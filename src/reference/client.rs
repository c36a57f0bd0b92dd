//! The Azure SDK's client for one vault and one kind of object.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, HttpClient, RetryOptions, Transport};
#[cfg(feature = "keys")]
use azure_security_keyvault_keys::models::{
    EncryptionAlgorithm, KeyClientGetKeyOptions, KeyOperationParameters,
};
#[cfg(feature = "keys")]
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use azure_security_keyvault_secrets::models::SecretClientGetSecretOptions;
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use bytes::Bytes;

use super::ReferenceId;
#[cfg(feature = "keys")]
use super::encrypted::ContentKeyId;
use super::identifier::Collection;
use super::tap::{Tap, tapped};

/// A client. It is made without any I/O, and its first request draws the vault's challenge.
pub(super) enum Client {
    Secrets(SecretClient),
    #[cfg(feature = "keys")]
    Keys(KeyClient),
}

/// What a client is made of.
pub(super) struct Setup {
    pub(super) vault_url: Box<str>,
    pub(super) credential: Arc<dyn TokenCredential>,
    pub(super) transport: Arc<dyn HttpClient>,
    pub(super) api_version: Option<Box<str>>,
    /// Whether the challenge must fit the host. Off only where the credential pins the audience by itself.
    pub(super) verify: bool,
}

impl Client {
    pub(super) fn new(collection: Collection, setup: &Setup) -> azure_core::Result<Self> {
        match collection {
            #[cfg(feature = "keys")]
            Collection::Keys => setup.keys().map(Self::Keys),
            _ => setup.secrets().map(Self::Secrets),
        }
    }

    /// Reads one object, or has one unwrapped. The answer's body is not looked at yet.
    pub(super) async fn get(&self, id: &ReferenceId) -> azure_core::Result<Bytes> {
        let (sent, body) = tapped(self.send(id)).await;
        sent.map(|()| body.unwrap_or_default())
    }

    async fn send(&self, id: &ReferenceId) -> azure_core::Result<()> {
        #[cfg(feature = "keys")]
        if let (Self::Keys(client), ReferenceId::ContentKey(id)) = (self, id) {
            return unwrap(client, id).await;
        }
        let id = id.parts();
        let version = id.version().map(str::to_owned);
        match self {
            Self::Secrets(client) => {
                let options = SecretClientGetSecretOptions {
                    secret_version: version,
                    ..SecretClientGetSecretOptions::default()
                };
                client.get_secret(id.name(), Some(options)).await.map(drop)
            }
            #[cfg(feature = "keys")]
            Self::Keys(client) => {
                let options = KeyClientGetKeyOptions {
                    key_version: version,
                    ..KeyClientGetKeyOptions::default()
                };
                client.get_key(id.name(), Some(options)).await.map(drop)
            }
        }
    }
}

#[cfg(feature = "keys")]
async fn unwrap(client: &KeyClient, id: &ContentKeyId) -> azure_core::Result<()> {
    let parameters = KeyOperationParameters {
        algorithm: Some(EncryptionAlgorithm::RsaOaep256),
        value: Some(id.wrapped.to_vec()),
        ..KeyOperationParameters::default()
    };
    let version = id.key.version().unwrap_or_default();
    let response = client.unwrap_key(id.key.name(), version, parameters.try_into()?, None);
    response.await.map(drop)
}

impl Setup {
    /// Retries are ours, and so is the transport.
    fn options(&self) -> ClientOptions {
        ClientOptions {
            transport: Some(Transport::new(Arc::new(Tap(self.transport.clone())))),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        }
    }

    fn secrets(&self) -> azure_core::Result<SecretClient> {
        let mut options = SecretClientOptions {
            client_options: self.options(),
            verify_challenge_resource: Some(self.verify),
            ..SecretClientOptions::default()
        };
        if let Some(version) = self.api_version.as_deref() {
            options.api_version = version.to_owned();
        }
        SecretClient::new(&self.vault_url, self.credential.clone(), Some(options))
    }

    #[cfg(feature = "keys")]
    fn keys(&self) -> azure_core::Result<KeyClient> {
        let mut options = KeyClientOptions {
            client_options: self.options(),
            verify_challenge_resource: Some(self.verify),
            ..KeyClientOptions::default()
        };
        if let Some(version) = self.api_version.as_deref() {
            options.api_version = version.to_owned();
        }
        KeyClient::new(&self.vault_url, self.credential.clone(), Some(options))
    }
}
