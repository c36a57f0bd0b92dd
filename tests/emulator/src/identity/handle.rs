//! The handle by which tests and the standalone tool arrange a tenant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Identity;
use super::failure::{Script, TokenFailure};
use crate::token::TokenIssuer;

/// The application that exists from the start.
pub(super) const CLIENT_ID: &str = "00000000-0000-0000-0000-0000000000a1";
/// Its secret: a fixed one, so that documentation and scripts can name it. It opens nothing but the emulator.
pub(super) const CLIENT_SECRET: &str = "emulator-client-secret";

/// Arranges the token endpoints from Rust, without requests. Clones share the tenant.
///
/// ```
/// use std::time::Duration;
///
/// use config_azure_emulator::Emulator;
/// use config_azure_emulator::identity::TokenFailure;
///
/// let emulator = Emulator::builder().in_memory();
/// let identity = emulator.identity();
/// identity.token_lifetime(Duration::from_secs(90));
/// identity.fail(TokenFailure::aadsts(7_000_215), 1); // the next request is told that its secret is wrong
/// identity.fail_managed(TokenFailure::status(503).retry_after(5), None); // until succeed()
/// ```
#[derive(Clone)]
pub struct IdentityHandle {
    identity: Arc<Identity>,
}

impl IdentityHandle {
    /// A handle on `identity`.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self { identity }
    }

    /// The service behind the handle.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// What signs and verifies the tokens.
    pub fn tokens(&self) -> &Arc<TokenIssuer> {
        &self.identity.tokens
    }

    /// The id of the tenant (`AZURE_TENANT_ID`).
    pub fn tenant_id(&self) -> &str {
        self.identity.tokens.tenant_id()
    }

    /// The id of the application that exists from the start (`AZURE_CLIENT_ID`).
    pub fn client_id(&self) -> &str {
        CLIENT_ID
    }

    /// The secret of that application (`AZURE_CLIENT_SECRET`).
    pub fn client_secret(&self) -> &str {
        CLIENT_SECRET
    }

    /// `https://login.microsoftonline.com` (`AZURE_AUTHORITY_HOST`).
    pub fn authority(&self) -> &str {
        "https://login.microsoftonline.com"
    }

    /// `https://localhost:PORT`, if the authority has a port of its own.
    pub fn local_url(&self) -> Option<String> {
        self.identity.lock().local_url.clone()
    }

    /// The value that the App Service endpoint wants as `X-IDENTITY-HEADER` (`IDENTITY_HEADER`).
    pub fn identity_header(&self) -> String {
        self.identity.lock().identity_header.clone()
    }

    /// How long tokens are good from now on; an hour at the start. Whole seconds count.
    pub fn token_lifetime(&self, lifetime: Duration) {
        self.identity.lock().lifetime = lifetime;
    }

    /// Registers a further application.
    pub fn add_application(&self, client_id: impl Into<String>, secret: impl Into<String>) {
        let mut state = self.identity.lock();
        state.applications.insert(client_id.into(), secret.into());
    }

    /// Accepts client assertions of this application only if their `sub` is `subject`.
    pub fn federate(&self, client_id: impl Into<String>, subject: impl Into<String>) {
        let mut state = self.identity.lock();
        state.subjects.insert(client_id.into(), subject.into());
    }

    /// Makes tokens for a further resource available.
    pub fn add_resource(&self, resource: &str) {
        let resource = resource.strip_suffix('/').unwrap_or(resource);
        self.identity
            .lock()
            .resources
            .insert(resource.to_ascii_lowercase());
    }

    /// Makes a resource unknown: AADSTS500011.
    pub fn remove_resource(&self, resource: &str) {
        let resource = resource.strip_suffix('/').unwrap_or(resource);
        self.identity
            .lock()
            .resources
            .remove(&resource.to_ascii_lowercase());
    }

    /// Whether the machine has a system-assigned identity; it has at the start.
    pub fn system_assigned(&self, present: bool) {
        self.identity.lock().system_assigned = present;
    }

    /// Gives the machine a user-assigned identity with this client, object or resource id.
    pub fn add_user_assigned(&self, id: impl Into<String>) {
        self.identity.lock().user_assigned.insert(id.into());
    }

    /// Lets the next `times` token requests to the authority fail, or all of them for `None`.
    pub fn fail(&self, failure: TokenFailure, times: impl Into<Option<usize>>) {
        self.identity.lock().authority_failures = Script::new(failure, times.into());
    }

    /// The same for the managed identity endpoints.
    pub fn fail_managed(&self, failure: TokenFailure, times: impl Into<Option<usize>>) {
        self.identity.lock().managed_failures = Script::new(failure, times.into());
    }

    /// Ends what [`fail`](Self::fail) and [`fail_managed`](Self::fail_managed) began.
    pub fn succeed(&self) {
        let mut state = self.identity.lock();
        state.authority_failures = Script::default();
        state.managed_failures = Script::default();
    }

    /// Refuses all tokens issued so far, as when sessions are revoked.
    pub fn revoke_tokens(&self) {
        self.identity.tokens.revoke_all();
    }

    /// The client assertions that were presented, accepted or not, newest last.
    pub fn assertions(&self) -> Vec<String> {
        self.identity.lock().assertions.clone()
    }
}

impl fmt::Debug for IdentityHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.identity.fmt(f)
    }
}
