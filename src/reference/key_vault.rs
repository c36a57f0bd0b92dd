//! One kind of object in one vault: its client, its gate and its bounds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::http::HttpClient;
use tokio::sync::Semaphore;

use crate::credential::{CachedCredential, CredentialFailure};
use crate::error::SecretErrorKind;
use crate::time::WallClock;
use crate::transport::Permit;

use super::ReferenceId;
use super::answer;
use super::client::{Client, Setup};
use super::failure::{Reach, ReadFailure, Trouble, no_token};
use super::gate::Gate;
use super::identifier::Collection;
use super::limiter::ReadLimiter;
use super::policy::Admitted;
use super::resolved::Resolved;
use super::vault_credential::VaultCredential;

/// What a vault is asked with.
pub(super) struct Parts {
    pub(super) credential: Arc<CachedCredential>,
    pub(super) transport: Arc<dyn HttpClient>,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) api_version: Option<Box<str>>,
    pub(super) places: Arc<Semaphore>,
    pub(super) gate: Arc<Gate>,
    pub(super) timeout: Duration,
    pub(super) permit: Permit,
}

pub(super) struct Vault {
    setup: Setup,
    collection: Collection,
    client: Mutex<Arc<Client>>,
    credential: Arc<VaultCredential>,
    exact: bool,
    gate: Arc<Gate>,
    introduction: Introduction,
    places: Arc<Semaphore>,
    timeout: Duration,
    clock: Arc<dyn WallClock>,
    /// Its host may be asked as long as it is here, or read.
    _permit: Permit,
}

impl Vault {
    /// Makes the client, without any I/O. The identifier has passed the vault policy.
    pub(super) fn new(
        id: &ReferenceId,
        admitted: &Admitted,
        parts: Parts,
    ) -> azure_core::Result<Self> {
        let credential = VaultCredential::new(parts.credential, &admitted.audience);
        let setup = Setup {
            vault_url: id.parts().vault_url().into(),
            credential: credential.clone(),
            transport: parts.transport,
            api_version: parts.api_version,
            verify: !admitted.exact,
        };
        let collection = id.collection();
        Ok(Self {
            client: Mutex::new(Arc::new(Client::new(collection, &setup)?)),
            setup,
            collection,
            credential,
            exact: admitted.exact,
            gate: parts.gate,
            introduction: Introduction::default(),
            places: parts.places,
            timeout: parts.timeout,
            clock: parts.clock,
            _permit: parts.permit,
        })
    }

    pub(super) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// True while the vault wants no requests.
    pub(super) fn is_closed(&self) -> bool {
        self.gate.refusal().is_some()
    }

    #[cfg(test)]
    /// Until when the vault wants no requests.
    pub(super) fn closed_until(&self) -> Option<crate::time::Instant> {
        self.gate.closed_until()
    }

    /// Reads one object: at most the bound in flight, never while the gate is closed, in bounded time.
    pub(super) async fn read(
        &self,
        id: &ReferenceId,
        limiter: &ReadLimiter,
    ) -> Result<Resolved, ReadFailure> {
        let since = self.gate.since();
        self.gate.refusal().map_or(Ok(()), Err)?;
        // The token comes before the request, so that a slow credential is bounded by its own deadline.
        self.token().await?;
        let _alone = self.introduction.begin().await;
        // The semaphore is never closed, so that a place always comes.
        let _place = self.places.acquire().await;
        let pass = self.gate.enter(since).await?;
        let _in_all = limiter.place().await;
        match self.ask(id).await {
            Err(trouble) if trouble.reach != Reach::Secret => {
                Err(pass.failed(trouble.reach, trouble.failure))
            }
            answer => {
                self.introduction.done();
                pass.answered();
                answer.map_err(|trouble| trouble.failure)
            }
        }
    }

    async fn token(&self) -> Result<(), ReadFailure> {
        match self.credential.token().await {
            Ok(_) => Ok(()),
            Err(error) => Err(CredentialFailure::in_error(&error)
                .map_or_else(|| ReadFailure::new(SecretErrorKind::Credential), no_token)),
        }
    }

    /// Sends the request, and once more if the connection broke without an answer or the token was refused.
    async fn ask(&self, id: &ReferenceId) -> Result<Resolved, Trouble> {
        let token = self.credential.token().await.ok();
        let trouble = match self.send(id).await {
            Ok(resolved) => return Ok(resolved),
            Err(trouble) => trouble,
        };
        let again = match trouble.reach {
            Reach::NoAnswer => true,
            Reach::Token => token.is_some_and(|token| self.credential.refuse(&token)),
            _ => false,
        };
        if again {
            self.send(id).await
        } else {
            Err(trouble)
        }
    }

    /// The client; a new one if that before was misled by a challenge, so that one wrong answer is not the last.
    fn client(&self) -> azure_core::Result<Arc<Client>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if self.credential.take_misled() {
            *client = Arc::new(Client::new(self.collection, &self.setup)?);
        }
        Ok(Arc::clone(&client))
    }

    async fn send(&self, id: &ReferenceId) -> Result<Resolved, Trouble> {
        let exchange = async {
            let client = self
                .client()
                .map_err(|_| Trouble::answer("no client for this vault"))?;
            let body = client.get(id).await;
            let body = body.map_err(|error| Trouble::of(error, id, self.clock.now()))?;
            answer::read(body, id, self.exact)
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Trouble::timeout()),
        }
    }
}

/// The first request of a client draws the vault's challenge. It goes alone, so that the others know the answer.
#[derive(Default)]
struct Introduction {
    done: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

impl Introduction {
    /// Nothing to wait for once it is done; until then, one at a time.
    async fn begin(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.done.load(Ordering::Acquire) {
            return None;
        }
        let turn = self.turn.lock().await;
        (!self.done.load(Ordering::Acquire)).then_some(turn)
    }

    fn done(&self) {
        self.done.store(true, Ordering::Release);
    }
}
