//! How large and how long answers and loads may be.

use std::time::Duration;

use super::AppConfigurationBuilder;
use crate::error::{Error, Result};

/// Bounds of one answer of the store, and of one load: bytes after decompression, settings, and time.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) page: usize,
    pub(super) load: usize,
    pub(super) settings: usize,
    pub(super) answer_time: Duration,
    pub(super) load_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            page: 16 << 20,
            load: 64 << 20,
            settings: 100_000,
            answer_time: Duration::from_secs(15),
            load_time: Duration::from_secs(100),
        }
    }
}

impl Bounds {
    /// Nothing fits into nothing.
    pub(super) fn check(self) -> Result<()> {
        if self.page == 0 || self.load == 0 {
            return Err(Error::option(
                "limits(): a bound of no bytes lets nothing in",
            ));
        }
        if self.settings == 0 {
            return Err(Error::option(
                "setting_limit(): a bound of no settings lets nothing in",
            ));
        }
        if self.answer_time.is_zero() || self.load_time.is_zero() {
            return Err(Error::option("timeouts(): no time at all is too little"));
        }
        Ok(())
    }
}

impl AppConfigurationBuilder {
    /// The most bytes of one page and of one whole load, after decompression. Default 16 MiB and 64 MiB.
    ///
    /// Beyond them a load or check fails with [`TooLarge`](crate::ErrorKind::TooLarge) and the last good values stay. A page
    /// of more than 50,000 settings, each of their tags counted like one more, is refused whatever its bytes; the service
    /// sends 100. For the settings of a whole load see [`setting_limit`](Self::setting_limit).
    pub fn limits(mut self, page: usize, load: usize) -> Self {
        self.limits.page = page;
        self.limits.load = load;
        self
    }

    /// The most settings of one whole load, feature flags and those of snapshots included. Default 100,000.
    ///
    /// One list may have as many pages as they fill, and 1,000 at least; all settings together may become as many values
    /// (every value in a JSON setting is one), and 100,000 at least. With more than that a load or check fails with
    /// [`TooLarge`](crate::ErrorKind::TooLarge), and the last good values stay. Zero is refused in `build()`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use config_azure::ErrorKind;
    ///
    /// let (builder, store) = config_azure::in_memory();
    /// store.set("a", "1");
    /// store.set("b", "2");
    ///
    /// let error = builder.clone().setting_limit(1).load().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TooLarge);
    /// assert!(builder.setting_limit(2).load().await.is_ok());
    /// # }
    /// ```
    pub fn setting_limit(mut self, most: usize) -> Self {
        self.limits.settings = most;
        self
    }

    /// The most time for one answer of the store, and for one whole load or check on all its endpoints together.
    /// Default 15 s and 100 s.
    ///
    /// With several endpoints, configured or discovered, each that others come after gets half of the time that is left, and
    /// the last one all of it: a store that takes longer than half of `load` to read needs a larger one.
    ///
    /// The first load is bounded by [`StartupOptions::deadline`](crate::StartupOptions::deadline) as well, which covers the
    /// vaults too. For answers of a vault see [`KeyVaultOptions::timeout`](crate::KeyVaultOptions::timeout).
    pub fn timeouts(mut self, answer: Duration, load: Duration) -> Self {
        self.limits.answer_time = answer;
        self.limits.load_time = load;
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::{ErrorKind, in_memory};

    #[test]
    fn a_bound_of_nothing_is_refused() {
        let (builder, _store) = in_memory();
        let error = builder.setting_limit(0).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().contains("setting_limit()"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn t04_more_than_a_hundred_thousand_if_told_so() {
        let most = 100_000;
        let (builder, store) = in_memory();
        for at in 0..=most {
            store.set(&format!("k{at:06}"), "");
        }
        let builder = builder.startup(crate::StartupOptions::new().fail_fast());
        let error = builder.clone().load().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let azure = builder.setting_limit(most + 1).load().await.unwrap();
        assert_eq!(azure.loaded().unwrap().len(), most + 1);
    }
}
