//! Lists that lead astray, have odd ETags, or change while they are read.

use std::sync::{Arc, Mutex};

use config_azure_emulator::{Fault, Route};

use super::scripted::Reply;
use super::{World, scripted, scripted_with, shown};
use crate::error::ErrorKind;
use crate::store::{LoadLimits, Scope, StoreOptions};

fn page(items: &str, next: &str) -> Reply {
    let body = format!("{{\"items\":[{items}],\"@nextLink\":\"{next}\"}}");
    Reply::json("kvset", &body, &[("etag", "\"e\"")])
}

#[tokio::test(start_paused = true)]
async fn t04_links_to_other_places() {
    for link in [
        "https://evil.example/kv?after=x",
        "//evil.example/kv?after=x",
        "https://contoso.azconfig.io:8443/kv?after=x",
        "https://user:pw@contoso.azconfig.io/kv?after=x",
        "http://contoso.azconfig.io/kv?after=x",
        "/keys?after=x",
    ] {
        let (transport, store) = scripted(&[], move |_| page("", link));
        let error = store.load(&|_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{link}");
        let seen = transport.take();
        assert_eq!(seen.len(), 1, "{link}");
        assert!(seen.iter().all(|seen| seen.host == "contoso.azconfig.io"));
    }
}

#[tokio::test(start_paused = true)]
async fn f18_loops_and_endless_lists() {
    let (transport, store) = scripted(&[], |_| page("", "/kv?after=self"));
    assert_eq!(
        store.load(&|_| {}).await.unwrap_err().kind(),
        ErrorKind::Protocol
    );
    assert_eq!(transport.take().len(), 2);

    let (transport, store) = scripted(&[], |seen| match seen.line.contains("after=a&") {
        true => page("", "/kv?after=b"),
        false => page("", "/kv?after=a"),
    });
    assert_eq!(
        store.load(&|_| {}).await.unwrap_err().kind(),
        ErrorKind::Protocol
    );
    assert!(transport.take().len() <= 4);

    let mut at = 0;
    let (transport, store) = scripted(&[], move |_| {
        at += 1;
        page("", &format!("/kv?after={at}"))
    });
    assert_eq!(
        store.load(&|_| {}).await.unwrap_err().kind(),
        ErrorKind::TooLarge
    );
    assert_eq!(transport.take().len(), 1001);
}

#[tokio::test(start_paused = true)]
async fn f19_more_settings_than_allowed() {
    let world = World::with(&[], |options| {
        options.limits = LoadLimits {
            settings: 25,
            ..LoadLimits::default()
        };
    });
    world.remote.page_size(10);
    for at in 0..26 {
        world.remote.set(&format!("k{at}"), None, "1");
    }
    let error = world.store.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    world.remote.delete("k1", None);
    assert_eq!(shown(&world.load().await).len(), 25);
}

#[tokio::test(start_paused = true)]
async fn f19_a_hundred_thousand_settings() {
    let most = 100_000;
    // The last one has more than 1,000 pages.
    for (settings, limit, fits) in [
        (most, most, true),
        (most + 1, most, false),
        (most + 201, most + 201, true),
    ] {
        let limits = LoadLimits {
            settings: limit,
            ..LoadLimits::default()
        };
        let change = |options: &mut StoreOptions| options.limits = limits;
        let (_, store) = scripted_with(&[], change, move |seen| {
            let start = seen.line.split_once("after=").map_or(0, |(_, rest)| {
                rest.split('&').next().unwrap().parse::<usize>().unwrap()
            });
            let end = (start + 100).min(settings);
            let items: Vec<String> = (start..end)
                .map(|at| format!("{{\"key\":\"k{at:06}\",\"value\":\"{at}\"}}"))
                .collect();
            match end - start {
                100 => page(&items.join(","), &format!("/kv?after={end}")),
                _ => Reply::list(&items.join(","), &[]),
            }
        });
        let outcome = store.load(&|_| {}).await;
        match fits {
            true => assert_eq!(outcome.unwrap().settings().winners().len(), settings),
            false => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::TooLarge),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t10_more_bytes_than_allowed() {
    let world = World::with(&[], |options| {
        options.limits = LoadLimits {
            bytes: 3000,
            ..LoadLimits::default()
        };
    });
    world.remote.page_size(1);
    for at in 0..4 {
        world.remote.set(&format!("k{at}"), None, "x".repeat(1000));
    }
    let error = world.store.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn f12_a_304_with_a_body_or_without_a_link() {
    let world = World::new(&[]);
    world.remote.page_size(1);
    world.remote.set("a", None, "1");
    world.remote.set("b", None, "1");
    let walk = world.load().await;
    let no_link = Fault::Header("link".try_into().unwrap(), None);
    world
        .emulator
        .faults()
        .script(Route::store_list(), no_link, None);
    world
        .emulator
        .faults()
        .script(Route::store_list(), Fault::Body("garbage".into()), None);
    world.emulator.log().clear();
    assert!(
        world
            .store
            .check(&walk, Scope::Both)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(world.requests(Route::store_list().status(304)), 3);
}

#[tokio::test(start_paused = true)]
async fn f16_a_missing_weak_or_garbage_etag_costs_reading_and_nothing_else() {
    for etag in [None, Some("W/\"weak\""), Some("garbage"), Some("\"\"")] {
        let world = World::new(&[]);
        world.remote.set("a", None, "1");
        world
            .emulator
            .faults()
            .script(Route::store_list(), Fault::etag(etag), None);
        let walk = world.load().await;
        world.emulator.log().clear();
        assert!(
            world
                .store
                .check(&walk, Scope::Both)
                .await
                .unwrap()
                .is_none()
        );
        assert_eq!(world.requests(Route::any()), 1, "bounded");
        world.remote.set("a", None, "2");
        let new = world
            .store
            .check(&walk, Scope::Both)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shown(&new), ["a=2"]);
    }
}

/// A page whose ETag moves although nothing on it does: one answer of 200, no change, and the next check asks with the
/// new ETag, also where the walk is an older one.
#[tokio::test(start_paused = true)]
async fn f16_an_etag_that_moves_alone_is_taken_over() {
    let current = Arc::new(Mutex::new("\"one\""));
    let now = Arc::clone(&current);
    let item = r#"{"key":"a","value":"1","etag":"e"}"#;
    let (transport, store) = scripted(&[], move |seen| {
        let etag = *now.lock().unwrap();
        match seen.header("if-none-match") == Some(etag) {
            true => Reply::status(304, &[]),
            false => Reply::list(item, &[("etag", etag)]),
        }
    });
    let walk = store.load(&|_| {}).await.unwrap();
    transport.take();
    *current.lock().unwrap() = "\"two\"";
    for etag in ["\"one\"", "\"two\"", "\"two\""] {
        assert!(store.check(&walk, Scope::Both).await.unwrap().is_none());
        let seen = transport.take();
        let sent: Vec<_> = seen
            .iter()
            .map(|seen| seen.header("if-none-match"))
            .collect();
        assert_eq!(sent, [Some(etag)]);
    }
}

#[tokio::test(start_paused = true)]
async fn etags_go_back_byte_for_byte() {
    for etag in ["\"plain\"", "W/\"weak+/=\"", "unquoted", "\"a,b\""] {
        let (transport, store) = scripted(&[], move |seen| match seen.header("if-none-match") {
            None => Reply::list("", &[("etag", etag)]),
            Some(_) => Reply::status(304, &[]),
        });
        let walk = store.load(&|_| {}).await.unwrap();
        transport.take();
        assert!(store.check(&walk, Scope::Both).await.unwrap().is_none());
        assert_eq!(transport.take()[0].header("if-none-match"), Some(etag));
    }
}

#[tokio::test(start_paused = true)]
async fn f14_a_store_that_changes_between_pages_is_caught_by_the_next_check() {
    let world = World::new(&[]);
    world.remote.page_size(2);
    for key in ["b", "c", "d", "e", "f"] {
        world.remote.set(key, None, "1");
    }
    // After the first page was read, a setting is put before it and one on it is deleted.
    let remote = world.remote.clone();
    let walk = world
        .store
        .load(&move |progress| {
            if matches!(progress, crate::store::Progress::Page { .. })
                && remote.get("a", None).is_none()
            {
                remote.set("a", None, "new");
                remote.delete("b", None);
            }
        })
        .await
        .unwrap();
    let next = world
        .store
        .check(&walk, Scope::Both)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown(&next), ["a=new", "c=1", "d=1", "e=1", "f=1"]);
    assert!(
        world
            .store
            .check(&next, Scope::Both)
            .await
            .unwrap()
            .is_none()
    );
}

/// A page that is as it was may lead to one that was not there before, if its ETag does not speak of what follows.
#[tokio::test(start_paused = true)]
async fn f12_a_304_that_leads_on_is_followed() {
    let item = |key: &str| format!(r#"{{"key":"{key}","value":"1","etag":"e-{key}"}}"#);
    let (transport, store) = scripted(&[], move |seen| {
        let known = seen.header("if-none-match");
        match (seen.line.contains("after="), known) {
            (false, None) => Reply::list(&item("a"), &[("etag", "\"p1\"")]),
            (false, Some(_)) => Reply::status(304, &[("link", "</kv?after=b>; rel=\"next\"")]),
            (true, None) => Reply::list(&item("b"), &[("etag", "\"p2\"")]),
            (true, Some(_)) => Reply::status(304, &[]),
        }
    });
    let walk = store.load(&|_| {}).await.unwrap();
    assert_eq!(shown(&walk), ["a=1"]);
    transport.take();
    let new = store.check(&walk, Scope::Both).await.unwrap().unwrap();
    assert_eq!(shown(&new), ["a=1", "b=1"]);
    assert_eq!(
        transport.take().len(),
        2,
        "the page that is known is not read again"
    );
    assert!(store.check(&new, Scope::Both).await.unwrap().is_none());
}

/// What a start would refuse, a check does not let in page by page.
#[tokio::test(start_paused = true)]
async fn f19_a_store_that_grows_beyond_the_limit_is_not_taken_over() {
    let most = LoadLimits {
        settings: 5,
        ..LoadLimits::default()
    };
    for limits in [
        most,
        LoadLimits {
            bytes: 1_500,
            ..LoadLimits::default()
        },
    ] {
        let world = World::with(&[], |options| options.limits = limits);
        world.remote.page_size(2);
        for key in ["a", "b", "c", "d", "e"] {
            world.remote.set(key, None, "1");
        }
        let mut walk = world.load().await;
        world.remote.set("e", None, "2");
        walk = world
            .store
            .check(&walk, Scope::Both)
            .await
            .unwrap()
            .unwrap();
        for key in ["f", "g", "h"] {
            world.remote.set(key, None, "1");
        }
        let refused = world.store.check(&walk, Scope::Both).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge, "{limits:?}");
        let again = world.store.load(&|_| {}).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::TooLarge, "{limits:?}");
    }
}

/// Rewritten from end to end, with one more at the front: every page is read as what it was and as what it is.
#[tokio::test(start_paused = true)]
async fn f19_a_store_at_its_limit_may_change_altogether() {
    let limits = LoadLimits {
        settings: 6,
        ..LoadLimits::default()
    };
    let world = World::with(&[], |options| options.limits = limits);
    world.remote.page_size(2);
    for key in ["b", "c", "d", "e", "f", "g"] {
        world.remote.set(key, None, "1");
    }
    let walk = world.load().await;
    world.remote.delete("g", None);
    for key in ["a", "b", "c", "d", "e", "f"] {
        world.remote.set(key, None, "2");
    }
    let new = world
        .store
        .check(&walk, Scope::Both)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown(&new), ["a=2", "b=2", "c=2", "d=2", "e=2", "f=2"]);
}
