//! A credential that does what it is told, and counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::time::OffsetDateTime;
use tokio::time::Instant;

use super::super::CachedCredential;
use crate::time::{FollowingClock, WallClock};

/// What the scripted credential does at its next calls; the last entry counts for all further ones.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// A token that is good for so many seconds, perhaps negative ones.
    Token(i64),
    Fail,
    Panic,
    Hang,
}

#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) clock: FollowingClock,
    takes: Duration,
    acts: Mutex<Vec<Act>>,
    calls: AtomicUsize,
    pub(super) starts: Mutex<Vec<Instant>>,
}

impl Scripted {
    pub(super) fn new(takes: Duration, acts: impl Into<Vec<Act>>) -> Arc<Self> {
        Arc::new(Self {
            clock: FollowingClock::new(),
            takes,
            acts: Mutex::new(acts.into()),
            calls: AtomicUsize::new(0),
            starts: Mutex::default(),
        })
    }

    pub(super) fn cached(self: &Arc<Self>) -> Arc<CachedCredential> {
        CachedCredential::with_clock(self.clone(), Arc::new(self.clock))
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn act(&self, acts: impl Into<Vec<Act>>) {
        *self.acts.lock().unwrap() = acts.into();
    }

    pub(super) fn closest(&self) -> Duration {
        let starts = self.starts.lock().unwrap();
        starts
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .min()
            .unwrap()
    }
}

#[async_trait]
impl TokenCredential for Scripted {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.starts.lock().unwrap().push(Instant::now());
        tokio::time::sleep(self.takes).await;
        let act = {
            let mut acts = self.acts.lock().unwrap();
            if acts.len() > 1 {
                acts.remove(0)
            } else {
                acts[0].clone()
            }
        };
        match act {
            Act::Token(seconds) => {
                let end = OffsetDateTime::from(self.clock.now())
                    + azure_core::time::Duration::seconds(seconds);
                Ok(AccessToken::new(
                    format!("token-{number} for {}", scopes.join(" ")),
                    end,
                ))
            }
            Act::Fail => Err(Error::with_message(
                ErrorKind::Credential,
                "AADSTS7000215: Invalid client secret provided.",
            )),
            Act::Panic => panic!("a credential that was not thought through"),
            Act::Hang => std::future::pending().await,
        }
    }
}
