//! The cache in front of a credential.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;

use crate::time::{SystemClock, WallClock};

use super::slot::Slot;

/// Keeps the tokens of another credential, one per scope.
///
/// - A token that is at hand costs no lock and no wait.
/// - Any number of callers without a token cause one call of the credential; if it fails, all of them get that
///   failure, and so does everybody else until the next attempt is due (after 10, 20, 40, then 60 seconds).
/// - A token is refreshed when a fifth of its life is left (at most 5 minutes ahead). The old one is handed out
///   until it truly ends, however long the refresh takes or how often it fails.
/// - At least 10 seconds lie between two calls for one scope, whatever a token's date says; no token is kept
///   longer than 24 hours; a call that takes 30 seconds or panics is a failure.
/// - A scope that is being refreshed never delays another.
///
/// Builders put every credential behind one of these; wrapping one again gives the same one. Use it directly to
/// share one cache between this crate and the clients of the Azure SDK.
///
/// ```
/// use std::sync::Arc;
/// use azure_core::credentials::TokenCredential;
/// use config_azure::credential::CachedCredential;
///
/// # fn example(az: Arc<dyn TokenCredential>) {
/// let cached = CachedCredential::new(az);
/// let same = CachedCredential::new(cached.clone());
/// assert!(Arc::ptr_eq(&cached, &same));
/// # }
/// ```
pub struct CachedCredential {
    inner: Arc<dyn TokenCredential>,
    clock: Arc<dyn WallClock>,
    slots: ArcSwap<BTreeMap<Box<str>, Arc<Slot>>>,
}

/// Every cache alive in this process, so that one behind a `dyn TokenCredential` is known again.
static ALIVE: Mutex<Vec<Weak<CachedCredential>>> = Mutex::new(Vec::new());

impl CachedCredential {
    /// Puts a cache in front of a credential. One that is such a cache already is returned as it is.
    #[must_use]
    pub fn new(credential: Arc<dyn TokenCredential>) -> Arc<Self> {
        Self::with_clock(credential, Arc::new(SystemClock))
    }

    /// As [`new`](Self::new), with the wall clock by which a token's date is read. One credential with one clock has one
    /// cache, whoever asks for it.
    pub(crate) fn with_clock(
        credential: Arc<dyn TokenCredential>,
        clock: Arc<dyn WallClock>,
    ) -> Arc<Self> {
        let mut alive = ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
        alive.retain(|cache| cache.strong_count() > 0);
        let address = Arc::as_ptr(&credential).cast::<()>();
        let is_it = |cache: &Arc<Self>| {
            let behind = Arc::as_ptr(&cache.inner).cast::<()>();
            Arc::as_ptr(cache).cast::<()>() == address
                || (behind == address && Arc::ptr_eq(&cache.clock, &clock))
        };
        let mut caches = alive.iter().filter_map(Weak::upgrade);
        let known = caches.find(is_it);
        known.unwrap_or_else(|| {
            let made = Arc::new(Self {
                inner: credential,
                clock,
                slots: ArcSwap::default(),
            });
            alive.push(Arc::downgrade(&made));
            made
        })
    }

    /// Says that a service refused this token although its end is not near (a revoked session, a changed key).
    /// The next call fetches a new one; if that is refused too, the gap between fetches widens.
    ///
    /// True if the next call is allowed to fetch one, so that trying again makes sense.
    pub(crate) fn refuse(&self, scope: &str, token: &str) -> bool {
        match self.slots.load().get(scope) {
            Some(slot) => slot.refuse(token),
            None => false,
        }
    }

    fn slot(&self, scopes: &[&str]) -> Arc<Slot> {
        let key: Cow<'_, str> = match scopes {
            [one] => Cow::Borrowed(one),
            many => Cow::Owned(many.join(" ")),
        };
        if let Some(slot) = self.slots.load().get(&*key) {
            return slot.clone();
        }
        let fresh = Slot::new(scopes);
        self.slots.rcu(|slots| {
            let mut slots = BTreeMap::clone(slots);
            slots.entry(key.as_ref().into()).or_insert(fresh.clone());
            slots
        });
        self.slots.load().get(&*key).cloned().unwrap_or(fresh)
    }
}

#[async_trait]
impl TokenCredential for CachedCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if scopes.is_empty() {
            return Err(azure_core::Error::with_message(
                ErrorKind::Credential,
                "a token needs at least one scope",
            ));
        }
        let slot = self.slot(scopes);
        if let Some(token) = slot.hit() {
            return Ok(token);
        }
        Ok(slot.get(&self.inner, &self.clock).await?)
    }
}

impl fmt::Debug for CachedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedCredential")
            .field(
                "scopes",
                &self.slots.load().keys().cloned().collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}
