//! The public choices: when to look for changes.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::setting::Label;
use crate::store::Sentinel;

/// When to look for changes of the store, and when to call what is served stale.
///
/// How often *secrets* are read again is an option of the vaults:
/// [`KeyVaultOptions::refresh_interval`](crate::KeyVaultOptions::refresh_interval).
///
/// ```
/// use std::time::Duration;
/// use config_azure::RefreshOptions;
///
/// // Look every ten seconds, and publish a change set only after it has rested for two:
/// let often = RefreshOptions::new().every(Duration::from_secs(10)).settle(Duration::from_secs(2));
/// // Reload when the setting `sentinel` of the label `prod` moves, whatever else changes:
/// let on_signal = RefreshOptions::new().sentinel("sentinel", "prod");
/// // Settings once an hour and feature flags every ten seconds, give or take one; stale is what no check has confirmed for two hours:
/// let apart = RefreshOptions::new()
///     .every(Duration::from_secs(3_600))
///     .flags_every(Duration::from_secs(10))
///     .jitter(0.1)
///     .stale_after(Duration::from_secs(7_200));
/// # let _ = (often, on_signal, apart);
/// ```
#[derive(Debug, Clone)]
pub struct RefreshOptions {
    every: Option<Duration>,
    flags_every: Option<Duration>,
    jitter: f64,
    settle: Duration,
    stale_after: Option<Duration>,
    push_delay: Duration,
    sentinels: Vec<Sentinel>,
    refuse_emptied: bool,
}

const EVERY: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);
const JITTER: f64 = 0.2;
const PUSH_DELAY: Duration = Duration::from_secs(30);
const LONGEST_PUSH_DELAY: Duration = Duration::from_secs(3_600);
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

impl Default for RefreshOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RefreshOptions {
    /// The defaults: everything selected is checked every 30 s, with one conditional request per page and label.
    #[must_use]
    pub fn new() -> Self {
        Self {
            every: Some(EVERY),
            flags_every: None,
            jitter: JITTER,
            settle: Duration::ZERO,
            stale_after: None,
            push_delay: PUSH_DELAY,
            sentinels: Vec::new(),
            refuse_emptied: false,
        }
    }

    /// Checks the store this often, at least one second apart.
    ///
    /// The first check comes at a random moment within the interval and its [`jitter`](Self::jitter), so that a fleet that
    /// starts together does not check together.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = Some(interval);
        self
    }

    /// No refresh runs in the background: neither the store nor the secrets are looked at again, unless the application
    /// calls [`refresh`](crate::AppConfiguration::refresh), which then does the requests itself. Events given to
    /// [`notify`](crate::AppConfiguration::notify) cause none.
    ///
    /// The search for replicas still runs if the builder asks for it, and so does the task of every
    /// [`Live`](crate::Live), which repeats what it refused.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.every = None;
        self
    }

    /// Checks feature flags this often, apart from the settings. By default they are checked together.
    #[must_use]
    pub fn flags_every(mut self, interval: Duration) -> Self {
        self.flags_every = Some(interval);
        self
    }

    /// Watches one setting as a signal, instead of everything that is selected. Repeatable.
    ///
    /// The settings are then checked only if a sentinel changed, appeared or disappeared. It is read before them, and need
    /// not be selected itself. An empty label means no label. Feature flags do not wait for sentinels.
    ///
    /// Write the sentinel last: what is written after it waits for its next change.
    #[must_use]
    pub fn sentinel(mut self, key: impl Into<Box<str>>, label: impl Into<Label>) -> Self {
        let key = key.into();
        let label = label.into();
        self.sentinels.push(Sentinel { key, label });
        self
    }

    /// How far checks stray from their interval, as a part of it: 0 to 0.5, default 0.2. The mean stays the interval.
    #[must_use]
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// A change is published only when a second check, this much later, finds the same. Default zero: at once.
    ///
    /// For change sets that are written setting by setting. A store that does not come to rest is published after ten
    /// such windows all the same.
    #[must_use]
    pub fn settle(mut self, window: Duration) -> Self {
        self.settle = window;
        self
    }

    /// After this long without a successful check, [`Status`](crate::Status) calls the values stale. Default: 5 minutes, or
    /// three intervals if that is more.
    #[must_use]
    pub fn stale_after(mut self, grace: Duration) -> Self {
        self.stale_after = Some(grace);
        self
    }

    /// An event given to [`notify`](crate::AppConfiguration::notify) is followed by a check of the store at a random
    /// moment within this time. Default 30 s; zero checks at once; at most one hour.
    ///
    /// It spreads the checks of a fleet that learns of a change at one moment; choose it so that instances divided by seconds
    /// is a rate that the store bears. Secrets are read without it: an event names one of them, and a vault bears far more.
    #[must_use]
    pub fn push_delay(mut self, most: Duration) -> Self {
        self.push_delay = most;
        self
    }

    /// Checks every option.
    pub(crate) fn validate(&self) -> Result<()> {
        let intervals = [self.every, self.flags_every];
        if intervals
            .into_iter()
            .flatten()
            .any(|every| every < SHORTEST)
        {
            return Err(Error::option(
                "the intervals of RefreshOptions are at least 1 second",
            ));
        }
        if !(0.0..=0.5).contains(&self.jitter) {
            return Err(Error::option("RefreshOptions::jitter is between 0 and 0.5"));
        }
        if self
            .sentinels
            .iter()
            .any(|sentinel| sentinel.key.is_empty())
        {
            return Err(Error::option("RefreshOptions::sentinel has an empty key"));
        }
        if self.push_delay > LONGEST_PUSH_DELAY {
            return Err(Error::option(
                "RefreshOptions::push_delay is at most one hour",
            ));
        }
        if let Some(every) = self.every
            && self.settle > every.saturating_mul(10)
        {
            return Err(Error::option(
                "RefreshOptions::settle is longer than ten intervals",
            ));
        }
        Ok(())
    }

    pub(crate) fn sentinels(&self) -> Vec<Sentinel> {
        self.sentinels.clone()
    }

    /// How often the store is checked; the default while it is not checked at all.
    pub(crate) fn interval(&self) -> Duration {
        self.every.unwrap_or(EVERY)
    }

    /// A check that an event asks for begins within this time.
    pub(crate) fn most_push_delay(&self) -> Duration {
        self.push_delay
    }

    /// The interval of the store, if it is checked at all.
    pub(super) fn period(&self) -> Option<Duration> {
        self.every
    }

    pub(super) fn flags_period(&self) -> Option<Duration> {
        self.flags_every
    }

    pub(super) fn jitter_part(&self) -> f64 {
        self.jitter
    }

    /// Refuses to take over that every selected setting is gone, as long as that lasts: the last good generation stays, and
    /// [`Status::refused`](crate::Status::refused) says why with [`ErrorKind::Emptied`](crate::ErrorKind::Emptied).
    ///
    /// Default: it is taken over as any other change, with the warning `config_azure.emptied`. A start takes an empty
    /// store for what it is in either case, as there is nothing to compare it with.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use config_azure::{ErrorKind, RefreshOptions};
    ///
    /// let (builder, store) = config_azure::in_memory();
    /// store.set("title", "Hello");
    /// let azure = builder.refresh(RefreshOptions::new().refuse_emptied()).load().await?;
    ///
    /// store.remove("title", None); // the only one
    /// assert_eq!(azure.refresh().await.unwrap_err().kind(), ErrorKind::Emptied);
    /// assert!(azure.explain("title").is_some());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn refuse_emptied(mut self) -> Self {
        self.refuse_emptied = true;
        self
    }

    pub(super) fn refuses_emptied(&self) -> bool {
        self.refuse_emptied
    }

    pub(super) fn settle_window(&self) -> Duration {
        self.settle
    }

    pub(super) fn grace(&self) -> Duration {
        let three = self.interval().saturating_mul(3);
        self.stale_after.unwrap_or_else(|| STALE_AFTER.max(three))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let refused = [
            RefreshOptions::new().every(Duration::from_millis(999)),
            RefreshOptions::new().flags_every(Duration::ZERO),
            RefreshOptions::new().jitter(0.6),
            RefreshOptions::new().jitter(f64::NAN),
            RefreshOptions::new().sentinel("", ""),
            RefreshOptions::new().settle(Duration::from_secs(301)),
            RefreshOptions::new().push_delay(Duration::from_secs(3_601)),
        ];
        for options in refused {
            let error = options.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{options:?}");
        }
        for fine in [RefreshOptions::new(), RefreshOptions::new().disabled()] {
            fine.validate().unwrap();
        }
    }

    #[test]
    fn staleness_waits_for_three_intervals() {
        assert_eq!(RefreshOptions::new().grace(), Duration::from_secs(300));
        let slow = RefreshOptions::new().every(Duration::from_secs(3_600));
        assert_eq!(slow.grace(), Duration::from_secs(3 * 3_600));
        let grace = Duration::from_secs(7);
        assert_eq!(slow.stale_after(grace).grace(), grace);
    }
}
