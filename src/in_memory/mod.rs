//! A store and a vault in memory, for the unit tests of applications.
//!
//! It answers on the transport, so everything above it is the real library: the same handle, the same paging,
//! references, tree and refresh. Unlike the emulator of this project's own tests it knows only what a test of an
//! application needs, and it is no server.

mod filter;
mod state;
#[cfg(test)]
mod tests;
mod transport;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::builder::AppConfigurationBuilder;
use crate::error::SecretErrorKind;
use crate::secret::Secret;

use state::{Place, State};
use transport::{Token, wire};

const STORE: &str = "https://in-memory.azconfig.io";
const STORE_HOST: &str = "in-memory.azconfig.io";
const VAULT: &str = "https://in-memory.vault.azure.net/";

/// A builder whose store is in memory, and that store.
///
/// There is no network and no credential, and it works with a paused clock, so that a test of minutes takes
/// milliseconds. All options of the builder but the endpoint, the credential and the transport are free.
///
/// A complete unit test of a service:
///
/// ```
/// use config::Config;
/// use config_azure::{Live, Secret};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     greeting: String,
///     token: Secret,
/// }
///
/// /// What is to be tested.
/// fn greet(settings: &Live<Settings>, name: &str) -> String {
///     let now = settings.load();
///     format!("{}, {name}{}", now.greeting, ".".repeat(now.token.expose_secret().len()))
/// }
///
/// // In a test module: #[tokio::test(start_paused = true)]
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (builder, store) = config_azure::in_memory();
///     store.set("shop:greeting", "Hello");
///     store.set_secret("shop:token", "abc");
///
///     let azure = builder.trim_key_prefix("shop:").load().await?;
///     let mut settings: Live<Settings> = azure.live(Config::builder().add_source(azure.clone())).await?;
///     assert_eq!(greet(&settings, "Ada"), "Hello, Ada...");
///
///     // A change arrives by itself, within the refresh interval of the paused clock.
///     store.set("shop:greeting", "Welcome");
///     settings.changed().await?;
///     assert_eq!(greet(&settings, "Ada"), "Welcome, Ada...");
///
///     // So does a rotated secret, though no setting changed.
///     store.rotate("shop:token", "abcde");
///     settings.changed().await?;
///     assert_eq!(greet(&settings, "Ada"), "Welcome, Ada.....");
///     Ok(())
/// }
/// ```
pub fn in_memory() -> (AppConfigurationBuilder, InMemoryStore) {
    let store = InMemoryStore::default();
    let builder = crate::AppConfiguration::builder()
        .endpoint(STORE)
        .credential(Arc::new(Token))
        .transport(wire(&store));
    (builder, store)
}

/// The store behind a builder made by [`in_memory`]. Clones are the same store.
///
/// What is written here is seen by the handle at its next check, as with a real store. `Debug` shows no values.
#[derive(Clone, Default)]
pub struct InMemoryStore(Arc<Mutex<State>>);

impl InMemoryStore {
    /// Writes a text setting without a label.
    pub fn set(&self, key: &str, value: &str) {
        self.put(key, None, None, value);
    }

    /// Writes a text setting with a label.
    pub fn set_labeled(&self, key: &str, label: &str, value: &str) {
        self.put(key, Some(label), None, value);
    }

    /// Writes a setting with the content type `application/json`, whose value becomes typed values.
    pub fn set_json(&self, key: &str, json: &serde_json::Value) {
        self.put(key, None, Some("application/json"), &json.to_string());
    }

    /// Writes a setting of any kind.
    pub fn put(&self, key: &str, label: Option<&str>, content_type: Option<&str>, value: &str) {
        self.with(|state| state.put(Place::new(key, label), content_type, value));
    }

    /// Removes a setting. One that is not there is none the less.
    pub fn remove(&self, key: &str, label: Option<&str>) {
        self.with(|state| state.remove(&Place::new(key, label)));
    }

    /// Puts a secret into the vault, and a reference to its newest version at `key`.
    pub fn set_secret(&self, key: &str, value: impl Into<Secret>) {
        self.with(|state| state.keep(key, value.into(), VAULT));
    }

    /// Gives the secret behind `key` a new version. The setting does not change: only a read of the vault
    /// shows it. It also ends what [`fail_secret`](Self::fail_secret) began.
    pub fn rotate(&self, key: &str, value: impl Into<Secret>) {
        self.set_secret(key, value);
    }

    /// Lets every read of the secret behind `key` fail in this way, until [`rotate`](Self::rotate) or
    /// [`mend_secret`](Self::mend_secret). Kinds that no vault answers with become
    /// [`InvalidAnswer`](SecretErrorKind::InvalidAnswer).
    pub fn fail_secret(&self, key: &str, kind: SecretErrorKind) {
        self.with(|state| state.fail(key, Some(kind)));
    }

    /// Ends what [`fail_secret`](Self::fail_secret) began; the secret has its old value.
    pub fn mend_secret(&self, key: &str) {
        self.with(|state| state.fail(key, None));
    }

    /// Lets the store, not the vault, answer every request with this HTTP status, such as 503 or 429.
    pub fn fail(&self, status: u16) {
        self.with(|state| state.failing = Some(status));
    }

    /// Lets the store, not the vault, answer no further request at all.
    pub fn hang(&self) {
        self.with(|state| state.hanging = true);
    }

    /// Ends what [`fail`](Self::fail) and [`hang`](Self::hang) began. Requests that hang already go on doing so,
    /// until the library gives them up.
    pub fn mend(&self) {
        self.with(|state| {
            state.failing = None;
            state.hanging = false;
        });
    }

    fn with<R>(&self, run: impl FnOnce(&mut State) -> R) -> R {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for InMemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InMemoryStore")
    }
}
