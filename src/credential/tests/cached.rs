//! The token cache: once for all, ahead of time, and never a good token thrown away.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use futures::future::join_all;
use tokio::time::{Instant, advance};

use super::super::{CachedCredential, CredentialFailure};
use super::scripted::{Act, Scripted};
use crate::time::WallClock;

const SCOPE: &str = "https://vault.azure.net/.default";

async fn get(credential: &CachedCredential) -> Result<String, String> {
    let token = credential.get_token(&[SCOPE], None).await;
    token
        .map(|token| token.token.secret().to_owned())
        .map_err(|error| error.to_string())
}

fn number(token: Result<String, String>) -> usize {
    let token = token.unwrap();
    let digits = token
        .strip_prefix("token-")
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    digits.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn f41_a_hundred_cold_callers_cause_one_call() {
    let inner = Scripted::new(Duration::from_secs(1), [Act::Token(3600)]);
    let cached = inner.cached();
    let all = join_all((0..100).map(|_| get(&cached))).await;
    assert!(all.into_iter().all(|token| number(token) == 1));
    assert_eq!(inner.calls(), 1);
    assert_eq!(number(get(&cached).await), 1);
    assert_eq!(inner.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn f42_twenty_callers_share_a_failure_and_its_pause() {
    let inner = Scripted::new(Duration::from_millis(50), [Act::Fail]);
    let cached = inner.cached();
    let all = join_all((0..20).map(|_| get(&cached))).await;
    assert!(
        all.iter()
            .all(|token| token.as_ref().unwrap_err().contains("AADSTS7000215")),
        "{all:?}"
    );
    assert_eq!(inner.calls(), 1);
    // The next ones hear of it without a call.
    for _ in 0..20 {
        let error = cached.get_token(&[SCOPE], None).await.unwrap_err();
        let failure = CredentialFailure::in_error(&error).unwrap();
        assert!(failure.retry_at() > Instant::now());
    }
    assert_eq!(inner.calls(), 1);
    // An hour of eager callers: 10, 20, 40 and then 60 seconds apart.
    let end = Instant::now() + Duration::from_secs(3600);
    while Instant::now() < end {
        assert!(get(&cached).await.is_err());
        advance(Duration::from_millis(500)).await;
    }
    assert!(
        (58..=64).contains(&inner.calls()),
        "{} calls",
        inner.calls()
    );
    assert!(inner.closest() >= Duration::from_secs(10));
    // And it recovers.
    inner.act([Act::Token(3600)]);
    advance(Duration::from_secs(60)).await;
    assert!(get(&cached).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn f42_a_good_token_outlives_a_failing_refresh() {
    let inner = Scripted::new(Duration::from_millis(50), [Act::Token(3600), Act::Fail]);
    let cached = inner.cached();
    assert_eq!(number(get(&cached).await), 1);
    advance(Duration::from_secs(3600 - 299)).await;
    while Instant::now() < inner.starts.lock().unwrap()[0] + Duration::from_secs(3599) {
        assert_eq!(
            number(get(&cached).await),
            1,
            "the old token is good to the end"
        );
        advance(Duration::from_secs(1)).await;
    }
    let refreshes = inner.calls() - 1;
    assert!(
        (4..=8).contains(&refreshes),
        "{refreshes} refreshes in five minutes"
    );
    advance(Duration::from_secs(2)).await;
    assert!(get(&cached).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn f41_a_slow_refresh_ahead_holds_nobody_up() {
    let inner = Scripted::new(Duration::from_secs(20), [Act::Token(3600)]);
    let cached = inner.cached();
    assert_eq!(number(get(&cached).await), 1);
    advance(Duration::from_secs(3400)).await;
    let start = Instant::now();
    let tokens = join_all((0..50).map(|_| get(&cached))).await;
    assert!(tokens.into_iter().all(|token| number(token) == 1));
    assert!(
        start.elapsed() <= Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    // The next callers drive the one fetch on, each for a moment, until it is there.
    while number(get(&cached).await) == 1 {
        assert!(start.elapsed() < Duration::from_secs(30));
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!(inner.calls(), 2);
}

/// Whoever drives the refresh leaves after a moment. What nobody looked at for long is not trusted any more: a connection
/// that was not read from has timed out by then, and its failure would be taken for the authority's.
#[tokio::test(start_paused = true)]
async fn f41_a_refresh_that_was_left_alone_is_begun_anew() {
    let inner = Scripted::new(Duration::from_secs(3), [Act::Token(3600)]);
    let cached = inner.cached();
    assert_eq!(number(get(&cached).await), 1);
    // Ahead of its end, while the old one is good: driven for two seconds, and left.
    advance(Duration::from_secs(3310)).await;
    assert_eq!(number(get(&cached).await), 1);
    // Five minutes later the old one is gone.
    advance(Duration::from_secs(300)).await;
    let began = Instant::now();
    assert_eq!(number(get(&cached).await), 3, "by a call of its own");
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(inner.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_credential_has_one_cache() {
    let inner = Scripted::new(Duration::from_secs(1), [Act::Token(3600)]);
    let clock: Arc<dyn WallClock> = Arc::new(inner.clock);
    let first = CachedCredential::with_clock(inner.clone(), clock.clone());
    let again = CachedCredential::with_clock(inner.clone(), clock);
    assert!(Arc::ptr_eq(&first, &again));
    let (a, b) = tokio::join!(get(&first), get(&again));
    assert_eq!((number(a), number(b), inner.calls()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_leader_may_be_cancelled() {
    let inner = Scripted::new(Duration::from_secs(5), [Act::Token(3600)]);
    let cached = inner.cached();
    let hasty = tokio::time::timeout(Duration::from_secs(1), get(&cached));
    let (hasty, patient) = tokio::join!(hasty, get(&cached));
    assert!(hasty.is_err());
    assert_eq!(number(patient), 1);
    assert_eq!(inner.calls(), 1);
    // When the only waiter goes, the fetch goes, and the next one begins anew.
    let other = Scripted::new(Duration::from_secs(5), [Act::Token(3600)]);
    let cached = other.cached();
    assert!(
        tokio::time::timeout(Duration::from_secs(1), get(&cached))
            .await
            .is_err()
    );
    assert_eq!(number(get(&cached).await), 2);
}

#[tokio::test(start_paused = true)]
async fn f44_dates_in_the_past_and_far_away_make_no_hot_loop() {
    for seconds in [-3600, 0, 1, 10] {
        let inner = Scripted::new(Duration::ZERO, [Act::Token(seconds)]);
        let cached = inner.cached();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(600) {
            get(&cached).await.unwrap();
            advance(Duration::from_millis(250)).await;
        }
        assert!(
            inner.closest() >= Duration::from_secs(10),
            "{seconds}: {:?}",
            inner.closest()
        );
        assert!(
            (55..=61).contains(&inner.calls()),
            "{seconds}: {} calls",
            inner.calls()
        );
    }
    let forever = Scripted::new(Duration::ZERO, [Act::Token(10 * 365 * 24 * 3600)]);
    let cached = forever.cached();
    for _ in 0..72 {
        get(&cached).await.unwrap();
        advance(Duration::from_secs(3600)).await;
    }
    assert_eq!(forever.calls(), 3, "at the start and once a day");
}

#[tokio::test(start_paused = true)]
async fn short_lives_are_refreshed_ahead_too() {
    let inner = Scripted::new(Duration::ZERO, [Act::Token(299)]);
    let cached = inner.cached();
    get(&cached).await.unwrap();
    advance(Duration::from_secs(239)).await;
    assert_eq!(number(get(&cached).await), 1);
    advance(Duration::from_secs(1)).await;
    assert_eq!(
        number(get(&cached).await),
        2,
        "a fifth of its life before the end"
    );
}

#[tokio::test(start_paused = true)]
async fn f44b_a_panic_or_silence_is_a_failure() {
    let inner = Scripted::new(Duration::ZERO, [Act::Panic]);
    let cached = inner.cached();
    let all = join_all((0..10).map(|_| get(&cached))).await;
    assert!(
        all.into_iter()
            .all(|token| token.unwrap_err().contains("panicked"))
    );
    assert_eq!(inner.calls(), 1);
    inner.act([Act::Hang]);
    advance(Duration::from_secs(10)).await;
    let start = Instant::now();
    assert!(get(&cached).await.unwrap_err().contains("30 seconds"));
    assert!(start.elapsed() <= Duration::from_secs(31));
    inner.act([Act::Token(3600)]);
    advance(Duration::from_secs(20)).await;
    assert!(get(&cached).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn t18_scopes_do_not_share_or_delay_each_other() {
    let inner = Scripted::new(Duration::from_secs(5), [Act::Token(3600)]);
    let cached = inner.cached();
    let other = "https://azconfig.io/.default";
    let get = async |scope: &'static str| {
        let token = cached.get_token(&[scope], None).await.unwrap();
        assert!(token.token.secret().ends_with(&format!("for {scope}")));
    };
    let start = Instant::now();
    join_all((0..64).map(|task| get(if task % 2 == 0 { SCOPE } else { other }))).await;
    assert_eq!(inner.calls(), 2);
    assert!(
        start.elapsed() <= Duration::from_secs(6),
        "one after another"
    );
}

#[tokio::test(start_paused = true)]
async fn f43_a_refused_token_is_replaced_but_not_over_and_over() {
    let inner = Scripted::new(Duration::ZERO, [Act::Token(3600)]);
    let cached = inner.cached();
    let first = get(&cached).await.unwrap();
    assert!(cached.refuse(SCOPE, &first));
    let second = get(&cached).await.unwrap();
    assert_ne!(first, second);
    assert!(
        cached.refuse(SCOPE, &first),
        "who comes late is told to use the new one"
    );
    assert_eq!(get(&cached).await.unwrap(), second);
    assert!(
        !cached.refuse(SCOPE, &second),
        "a second one at once is not had"
    );
    assert_eq!(get(&cached).await.unwrap(), second);
    advance(Duration::from_secs(21)).await;
    assert!(cached.refuse(SCOPE, &second));
    assert_ne!(get(&cached).await.unwrap(), second);
    assert_eq!(inner.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn wrapping_again_is_the_same_cache() {
    let inner = Scripted::new(Duration::ZERO, [Act::Token(3600)]);
    let cached = inner.cached();
    let seen: Arc<dyn TokenCredential> = cached.clone();
    let again = CachedCredential::new(seen.clone());
    assert!(Arc::ptr_eq(&cached, &again));
    assert!(Arc::ptr_eq(&cached, &CachedCredential::new(again.clone())));
    assert!(!Arc::ptr_eq(&cached, &inner.cached()));
    get(&cached).await.unwrap();
    get(&again).await.unwrap();
    assert_eq!(inner.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn t07_foreign_texts_are_cut_down_to_words() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x";
    let text = super::super::failure::words(&format!(
        "bad\r\nanswer: {token}\u{1b}[31m see https://aka.ms/azsdk/rust/identity/troubleshoot#azure-cli"
    ));
    assert_eq!(
        text,
        "bad answer: … see https://aka.ms/azsdk/rust/identity/troubleshoot#azure-cli"
    );
    assert!(
        super::super::failure::words(&"word ".repeat(1000))
            .chars()
            .count()
            <= 402
    );
}

/// A cache that is dropped while a refresh is under way takes it along.
#[tokio::test(start_paused = true)]
async fn a_dropped_cache_leaves_nothing_behind() {
    let inner = Scripted::new(Duration::from_secs(20), [Act::Token(3600)]);
    let weak = Arc::downgrade(&inner);
    let cached = inner.cached();
    drop(inner);
    get(&cached).await.unwrap();
    advance(Duration::from_secs(3400)).await;
    get(&cached).await.unwrap();
    drop(cached);
    // Another test that looks for a cache of its credential holds each one for a moment.
    for _ in 0..100_000 {
        if weak.upgrade().is_none() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("something holds the credential");
}
