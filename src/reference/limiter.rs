//! How many reads of vaults are in flight at once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, Result};

/// Bounds the reads in flight, per vault and in all, of every handle that it is given to.
///
/// Each handle has a bound of its own by [`KeyVaultOptions::concurrency`](crate::KeyVaultOptions::concurrency). A process
/// with many handles, for instance one for each tenant, which all use the same vaults, gives them one limiter instead, so
/// that a start or a mass rotation does not become a burst of all of them. A cheap handle: clones are the same limiter.
///
/// It bounds and does not join: each handle reads with its own credential, and learns by its own requests that a vault
/// refuses them; while it then asks with few requests at a time, the reads that wait for their turn keep their places. A
/// place is given back by whoever drives the handle: its background task, or, during the first load and without an
/// interval, the caller of `load()` or `refresh()`, who should drop a future that is not awaited any more.
///
/// ```
/// use config_azure::{AppConfiguration, KeyVaultOptions, ReadLimiter};
///
/// let limiter = ReadLimiter::new(8, 16); // at once: 8 reads of any one vault, 16 in all
/// let handle_of = |tenant: &str| {
///     AppConfiguration::builder()
///         .endpoint(format!("https://{tenant}.azconfig.io"))
///         .default_credential()
///         .key_vault(KeyVaultOptions::new().read_limiter(limiter.clone()))
///         .build()
/// };
/// let (contoso, fabrikam) = (handle_of("contoso")?, handle_of("fabrikam")?);
/// # Ok::<(), config_azure::Error>(())
/// ```
#[derive(Clone)]
pub struct ReadLimiter(Arc<Bounds>);

struct Bounds {
    per_vault: usize,
    in_all: usize,
    all: Semaphore,
    /// By host, for as long as a handle asks it.
    vaults: Mutex<HashMap<Box<str>, Weak<Semaphore>>>,
}

impl ReadLimiter {
    /// At most so many reads at once of any one vault, and in all. Zero is refused in `build()`.
    #[must_use]
    pub fn new(per_vault: usize, in_all: usize) -> Self {
        Self(Arc::new(Bounds {
            per_vault,
            in_all,
            all: semaphore(in_all),
            vaults: Mutex::default(),
        }))
    }

    /// The most reads of one vault at a time.
    pub(crate) fn per_vault(&self) -> usize {
        self.0.per_vault
    }

    /// The places of one vault.
    pub(super) fn of_vault(&self, host: &str) -> Arc<Semaphore> {
        let mut vaults = self.0.vaults.lock().unwrap_or_else(PoisonError::into_inner);
        vaults.retain(|_, places| places.strong_count() > 0);
        vaults.get(host).and_then(Weak::upgrade).unwrap_or_else(|| {
            let places = Arc::new(semaphore(self.0.per_vault));
            vaults.insert(host.into(), Arc::downgrade(&places));
            places
        })
    }

    /// Waits for one of the places in all. The semaphore is never closed, so that it always comes.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.0.all.acquire().await.ok()
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.0.per_vault == 0 || self.0.in_all == 0 {
            return Err(Error::option(
                "KeyVaultOptions::concurrency, and the numbers of a ReadLimiter, must be above zero",
            ));
        }
        Ok(())
    }
}

fn semaphore(places: usize) -> Semaphore {
    Semaphore::new(places.min(Semaphore::MAX_PERMITS))
}

impl fmt::Debug for ReadLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadLimiter")
            .field("per_vault", &self.0.per_vault)
            .field("in_all", &self.0.in_all)
            .finish_non_exhaustive()
    }
}
