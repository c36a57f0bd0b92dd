//! Answers that are not one, and how often they are asked for.

use std::time::Duration;

use config_azure_emulator::{Fault, Route};
use tokio::time::Instant;

use super::scripted::Reply;
use super::{World, scripted, shown};
use crate::error::{Error, ErrorKind};
use crate::store::{Scope, SettingSelector, Walk};

async fn load_error(world: &World) -> Error {
    world.store.load(&|_| {}).await.unwrap_err()
}

fn one_setting() -> World {
    let world = World::new(&[]);
    world.remote.set("a", None, "hunter2");
    world
}

#[tokio::test(start_paused = true)]
async fn f03_a_short_pause_is_waited_for_exactly() {
    let world = one_setting();
    let throttled = Fault::status(429).retry_after_ms(1700).retry_after(60);
    world
        .emulator
        .faults()
        .script(Route::store_list(), throttled, Some(1));
    let start = Instant::now();
    assert_eq!(shown(&world.load().await), ["a=hunter2"]);
    assert!(start.elapsed() >= Duration::from_millis(1700));
    assert!(start.elapsed() < Duration::from_millis(1700 + 250 + 250 + 10));
}

#[tokio::test(start_paused = true)]
async fn t13_f03_a_long_pause_fails_at_once_and_nothing_is_sent_before_its_end() {
    let world = one_setting();
    let throttled = Fault::status(429).retry_after(20);
    world
        .emulator
        .faults()
        .script(Route::store_list(), throttled, Some(1));
    let error = load_error(&world).await;
    assert!(error.is_throttled());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(20)));
    for _ in 0..16 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let error = load_error(&world).await;
        assert!(error.is_throttled() && error.retry_after().is_some());
    }
    assert_eq!(world.requests(Route::any()), 1, "never before Retry-After");
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.load().await;
    assert_eq!(world.requests(Route::any()), 2);
}

#[tokio::test(start_paused = true)]
async fn t13_a_hostile_pause_is_cut_to_ten_minutes() {
    let world = one_setting();
    let throttled = Fault::status(503).retry_after(10_000_000);
    world
        .emulator
        .faults()
        .script(Route::store_list(), throttled, Some(1));
    load_error(&world).await;
    tokio::time::sleep(Duration::from_secs(590)).await;
    assert!(load_error(&world).await.is_throttled());
    tokio::time::sleep(Duration::from_secs(11)).await;
    world.load().await;
}

/// Three attempts with our own short pauses, and success if one of them brings an answer.
async fn asked_three_times(status: u16) {
    let world = one_setting();
    world
        .emulator
        .faults()
        .script(Route::store_list(), Fault::status(status), None);
    let start = Instant::now();
    let error = load_error(&world).await;
    assert_eq!(error.status(), Some(status));
    assert!(error.is_transient(), "{status}");
    assert_eq!(world.requests(Route::any()), 3, "{status}");
    // Two pauses, each within its step: 1 s and 2 s if throttled, otherwise 250 and 500 ms.
    let most = if status == 429 { 3_000 } else { 750 };
    assert!(start.elapsed() <= Duration::from_millis(most + 10));
    world.emulator.faults().clear();
    world
        .emulator
        .faults()
        .script(Route::store_list(), Fault::status(status), Some(2));
    world.load().await;
}

#[tokio::test(start_paused = true)]
async fn f04_throttled_without_a_header() {
    asked_three_times(429).await;
    // From 1 s, doubled, and each with full jitter: of 40 runs, some wait long and some hardly at all.
    let mut pauses = [Vec::new(), Vec::new()];
    for _ in 0..40 {
        let world = one_setting();
        let throttled = Fault::status(429);
        let faults = world.emulator.faults();
        faults.script(Route::store_list(), throttled, Some(2));
        world.load().await;
        let entries = world.emulator.log().entries();
        assert_eq!(entries.len(), 3);
        for (at, pair) in entries.windows(2).enumerate() {
            pauses[at].push(pair[1].instant.duration_since(pair[0].instant));
        }
    }
    for (step, pauses) in [1_000, 2_000].into_iter().zip(pauses) {
        let step = Duration::from_millis(step);
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*most <= step + Duration::from_millis(10), "{most:?}");
        assert!(*most > step / 2 && *least < step / 2, "{least:?} {most:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn f06_a_storm_of_errors() {
    for status in [408, 500, 502, 503, 504] {
        asked_three_times(status).await;
    }
}

#[tokio::test(start_paused = true)]
async fn f05_throttled_for_ten_minutes() {
    let world = one_setting();
    let throttled = Fault::status(429).retry_after(10);
    world
        .emulator
        .faults()
        .script(Route::store_list(), throttled, None);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(600) {
        assert!(load_error(&world).await.is_throttled());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // One a window, however often somebody asks, and none early.
    let entries = world.emulator.log().entries();
    assert!((50..=66).contains(&entries.len()), "{}", entries.len());
    let early = |pair: &[config_azure_emulator::Entry]| {
        pair[1].instant.duration_since(pair[0].instant) < Duration::from_secs(10)
    };
    assert!(!entries.windows(2).any(early));
}

#[tokio::test(start_paused = true)]
async fn f01_refused_at_start() {
    let world = one_setting();
    world
        .emulator
        .faults()
        .script(Route::store_list(), Fault::Refuse, None);
    let error = load_error(&world).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.is_transient());
    assert_eq!(error.endpoint(), Some("https://contoso.azconfig.io"));
    assert_eq!(world.requests(Route::any()), 3);
}

#[tokio::test(start_paused = true)]
async fn f02_refused_after_a_success() {
    let world = one_setting();
    let walk = world.load().await;
    world
        .emulator
        .faults()
        .script(Route::store_list(), Fault::Refuse, Some(3));
    world.store.check(&walk, Scope::Both).await.unwrap_err();
    world.remote.set("a", None, "2");
    let new = world
        .store
        .check(&walk, Scope::Both)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown(&new), ["a=2"], "at the next call, backoff or not");
}

#[tokio::test(start_paused = true)]
async fn permanent_mistakes_are_asked_once() {
    for (status, kind) in [
        (400, ErrorKind::Service),
        (401, ErrorKind::Credential),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (405, ErrorKind::Service),
        (412, ErrorKind::Service),
    ] {
        let world = one_setting();
        world
            .emulator
            .faults()
            .script(Route::store_list(), Fault::status(status), None);
        let error = load_error(&world).await;
        assert_eq!((error.kind(), error.status()), (kind, Some(status)));
        assert!(!error.is_transient());
        assert_eq!(error.endpoint(), Some("https://contoso.azconfig.io"));
        assert_eq!(world.requests(Route::any()), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn f09_a_403_names_the_role() {
    let world = one_setting();
    world.remote.forbid(true);
    let error = load_error(&world).await;
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(
        error.to_string().contains("App Configuration Data Reader"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn f17_a_page_that_is_none_is_refused_at_start_and_on_refresh() {
    let list = "application/vnd.microsoft.appconfig.kvset+json";
    let answers = [
        Fault::html(),
        Fault::status(200).body(list, ""),
        Fault::status(200).body(list, "{\"items\":[{\"key\":\"a\""),
        Fault::status(200).body(list, "{}"),
        Fault::status(200).body("text/plain", "{\"items\":[]}"),
        Fault::status(200).body("application/problem+json", "{\"items\":[]}"),
        Fault::status(200).body(
            "application/vnd.microsoft.appconfig.kv+json",
            "{\"items\":[]}",
        ),
        Fault::status(200)
            .body(list, "\u{1}not decoded")
            .header("content-encoding", "br"),
        Fault::status(204),
        Fault::status(304),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let world = one_setting();
        let walk = world.load().await;
        world.remote.set("a", None, "other");
        world
            .emulator
            .faults()
            .script(Route::store_list(), answer, None);
        let refused = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::Protocol, "{at}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        };
        refused(load_error(&world).await);
        if at != 9 {
            refused(world.store.check(&walk, Scope::Both).await.unwrap_err());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f13_a_failing_page_applies_nothing() {
    let world = World::new(&[]);
    world.remote.page_size(1);
    for at in 0..5 {
        world.remote.set(&format!("k{at}"), None, "1");
    }
    let walk = world.load().await;
    for at in 0..5 {
        world.remote.set(&format!("k{at}"), None, "2");
    }
    let last = walk.lists()[0].pages[1].next.clone().unwrap();
    let route = Route::store_list().query(crate::store::query::encoded(&last));
    world.emulator.faults().script(route, Fault::Drop, None);
    assert_eq!(load_error(&world).await.kind(), ErrorKind::Unreachable);
    let error = world.store.check(&walk, Scope::Both).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    world.emulator.faults().clear();
    let new: Walk = world
        .store
        .check(&walk, Scope::Both)
        .await
        .unwrap()
        .unwrap();
    assert!(shown(&new).iter().all(|one| one.ends_with("=2")));
}

#[tokio::test(start_paused = true)]
async fn f61_a_body_that_is_cut_is_retried_and_never_applied() {
    let world = one_setting();
    let walk = world.load().await;
    world.remote.set("a", None, "2");
    // The page is longer than this.
    for at in (0..120).step_by(7) {
        world.emulator.faults().clear();
        world
            .emulator
            .faults()
            .script(Route::store_list(), Fault::Cut(at), Some(3));
        let error = world.store.check(&walk, Scope::Both).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{at}");
    }
    world
        .emulator
        .faults()
        .script(Route::store_list(), Fault::Cut(50), Some(2));
    let new = world
        .store
        .check(&walk, Scope::Both)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown(&new), ["a=2"]);
}

fn trickle(chunk: usize, milliseconds: u64) -> Fault {
    Fault::Trickle {
        chunk,
        pause: Duration::from_millis(milliseconds),
    }
}

#[tokio::test(start_paused = true)]
async fn f62_byte_by_byte_is_the_same_page() {
    let world = one_setting();
    world
        .emulator
        .faults()
        .script(Route::store_list(), trickle(1, 20), None);
    assert_eq!(shown(&world.load().await), ["a=hunter2"]);
}

#[tokio::test(start_paused = true)]
async fn f59_an_answer_that_is_too_slow_runs_into_the_deadline() {
    let world = one_setting();
    world
        .emulator
        .faults()
        .script(Route::store_list(), trickle(1, 5000), None);
    let start = Instant::now();
    assert_eq!(load_error(&world).await.kind(), ErrorKind::Timeout);
    assert!(start.elapsed() <= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn f63_an_endpoint_that_never_answers_is_given_up_in_time() {
    let world = one_setting();
    world
        .emulator
        .faults()
        .script(Route::store_list(), Fault::Hang, None);
    let start = Instant::now();
    assert_eq!(load_error(&world).await.kind(), ErrorKind::Timeout);
    assert!(start.elapsed() <= Duration::from_secs(60));
    assert_eq!(world.requests(Route::any()), 3);

    let world = World::with(&[], |options| options.deadline = Duration::from_secs(2));
    world
        .emulator
        .faults()
        .script(Route::store_list(), Fault::Hang, None);
    let start = Instant::now();
    assert_eq!(load_error(&world).await.kind(), ErrorKind::Timeout);
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(2),
        "the load's own deadline"
    );
}

#[tokio::test(start_paused = true)]
async fn f66_redirects_are_an_error_of_their_own() {
    for status in [301, 302, 303, 307, 308] {
        let (transport, store) = scripted(&[SettingSelector::all()], move |_| {
            Reply::status(status, &[("location", "https://evil.example/kv")])
        });
        let error = store.load(&|_| {}).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Protocol, Some(status))
        );
        assert!(error.to_string().contains("redirect"));
        assert_eq!(transport.take().len(), 1, "not followed, not retried");
    }
}
