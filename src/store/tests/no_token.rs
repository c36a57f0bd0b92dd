//! A credential that gives no token.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};

use super::over;
use super::replicas::{PRIMARY, REPLICA};
use super::scripted::Scripted;
use crate::credential::CachedCredential;
use crate::error::{Error, ErrorKind};
use crate::store::StoreCredential;

#[derive(Debug)]
struct NoToken;

#[async_trait::async_trait]
impl TokenCredential for NoToken {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let kind = azure_core::error::ErrorKind::Credential;
        Err(azure_core::Error::with_message(kind, "no token today"))
    }
}

/// A credential that never answers, and how often it was asked.
#[derive(Debug, Default)]
struct Silent(AtomicUsize);

#[async_trait::async_trait]
impl TokenCredential for Silent {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }
}

/// Loads with a credential that gives no token: no endpoint is asked, and none is held to have failed.
async fn load_without_a_token(credential: Arc<dyn TokenCredential>) -> Error {
    let transport = Scripted::new(None, |_| panic!("no request without a token"));
    let credential = StoreCredential::Token {
        credential,
        audience: None,
        rejected: None,
    };
    let endpoints = [format!("https://{PRIMARY}"), format!("https://{REPLICA}")];
    let store = over(transport, &credential, &endpoints, &[], |_| {});
    let error = store.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credential);
    assert_eq!(error.status(), None);
    assert!(!error.to_string().contains("other endpoints"), "{error}");
    let status = store.endpoint_status();
    assert!(
        status
            .iter()
            .all(|one| one.failures == 0 && one.backs_off_for.is_none())
    );
    error
}

/// Whoever has no token has none for any endpoint.
#[tokio::test(start_paused = true)]
async fn a_credential_that_fails_is_no_endpoints_fault() {
    load_without_a_token(Arc::new(NoToken)).await;
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_hangs_is_no_endpoints_fault() {
    for cached in [true, false] {
        let silent = Arc::new(Silent::default());
        let start = tokio::time::Instant::now();
        let error = match cached {
            true => load_without_a_token(CachedCredential::new(silent.clone())).await,
            false => load_without_a_token(silent.clone()).await,
        };
        assert_eq!(silent.0.load(Ordering::Relaxed), 1, "not asked again");
        assert!(start.elapsed() < Duration::from_secs(40));
        // The cache has the first word.
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let told = cause.is_some_and(|cause| cause.contains("within 30 seconds"));
        assert_eq!(told, cached, "{error}");
    }
}
