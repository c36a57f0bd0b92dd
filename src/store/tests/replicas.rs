//! Failover, backoff, load balancing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config_azure_emulator::{Emulator, Fault, Route, StoreHandle};

use super::scripted::{Reply, Scripted, Seen};
use super::{Notes, over, shown, token};
use crate::error::ErrorKind;
use crate::setting::Label;
use crate::store::{LoadLimits, Scope, Sentinel, Store, StoreOptions};

pub(super) const PRIMARY: &str = "contoso.azconfig.io";
pub(super) const REPLICA: &str = "contoso-eu.azconfig.io";

/// A store with a replica that shows the same, either of which can be down.
pub(super) struct Pair {
    emulator: Emulator,
    remote: StoreHandle,
    transport: Arc<Scripted>,
    down: Arc<Mutex<BTreeSet<String>>>,
    pub(super) store: Store,
}

impl Pair {
    pub(super) fn new(change: impl FnOnce(&mut StoreOptions)) -> Self {
        let endpoints = [format!("https://{PRIMARY}"), format!("https://{REPLICA}")];
        Self::at(&endpoints, change)
    }

    pub(super) fn at(endpoints: &[String], change: impl FnOnce(&mut StoreOptions)) -> Self {
        let emulator = Emulator::builder().store("contoso").in_memory();
        let remote = emulator.store("contoso");
        remote.page_size(2);
        for key in ["a", "b", "c"] {
            remote.set(key, None, "1");
        }
        let down: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let is_down = down.clone();
        let transport = Scripted::new(Some(emulator.transport()), move |seen| {
            match is_down.lock().unwrap().contains(seen.host.as_str()) {
                true => Reply::Refused,
                false => Reply::At(PRIMARY),
            }
        });
        let store = over(transport.clone(), &token(&emulator), endpoints, &[], change);
        Self {
            emulator,
            remote,
            transport,
            down,
            store,
        }
    }

    /// From now on these hosts, or the hosts of these endpoints, and no others refuse connections.
    pub(super) fn down(&self, hosts: &[impl AsRef<str>]) {
        let host = |text: &str| text.trim_start_matches("https://").to_owned();
        *self.down.lock().unwrap() = hosts.iter().map(|text| host(text.as_ref())).collect();
    }

    /// From now on none does.
    fn up(&self) {
        self.down.lock().unwrap().clear();
    }

    /// The hosts that were asked since the last call, in order, each as often as it was.
    pub(super) fn asked(&self) -> Vec<String> {
        let seen = self.transport.take();
        seen.into_iter().map(|seen| seen.host).collect()
    }
}

fn count(asked: &[String], host: &str) -> usize {
    asked.iter().filter(|asked| *asked == host).count()
}

#[tokio::test(start_paused = true)]
async fn f23_failover_is_a_whole_load_on_the_second_in_the_same_call() {
    let pair = Pair::new(|_| {});
    // The primary dies after its first page.
    let down = pair.down.clone();
    let notes = Notes::default();
    let walk = pair
        .store
        .load(&|progress| {
            notes.note(&progress);
            down.lock().unwrap().insert(PRIMARY.to_owned());
        })
        .await
        .unwrap();
    assert_eq!(walk.endpoint(), "https://contoso-eu.azconfig.io");
    assert_eq!(shown(&walk).len(), 3);
    let seen = pair.transport.take();
    let hosts: Vec<&str> = seen.iter().map(|seen| seen.host.as_str()).collect();
    assert_eq!(hosts, [PRIMARY, PRIMARY, REPLICA, REPLICA]);
    let stands_in = |seen: &Seen| {
        seen.header("correlation-context")
            .unwrap()
            .ends_with(",Failover")
    };
    let told: Vec<bool> = seen.iter().map(stands_in).collect();
    assert_eq!(
        told,
        [false, false, true, true],
        "the service is told which"
    );
    let told = notes.take();
    assert_eq!(told[0], "0: 2 settings");
    assert_eq!(told[1], "restarted");
    assert_eq!(told.last().unwrap(), "0: done");
}

#[tokio::test(start_paused = true)]
async fn f23_a_dead_primary_costs_one_connect_per_backoff_window_and_is_preferred_again() {
    let pair = Pair::new(|_| {});
    let mut walk = pair.store.load(&|_| {}).await.unwrap();
    pair.down(&[PRIMARY]);
    pair.asked();
    let mut attempts = Vec::new();
    for _ in 0..120 {
        pair.remote
            .set("a", None, format!("{:?}", tokio::time::Instant::now()));
        if let Some(new) = pair.store.check(&walk, Scope::Both).await.unwrap() {
            walk = new;
        }
        attempts.push(count(&pair.asked(), PRIMARY));
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    // An hour: windows of 30 s, 60 s, 2, 4, 8, 10 minutes, give or take a quarter.
    assert!(
        attempts.iter().all(|attempts| *attempts <= 1),
        "{attempts:?}"
    );
    let all: usize = attempts.iter().sum();
    assert!((7..=14).contains(&all), "{all}");
    pair.up();
    tokio::time::sleep(Duration::from_secs(800)).await;
    pair.store.check(&walk, Scope::Both).await.unwrap();
    assert_eq!(count(&pair.asked(), REPLICA), 0, "back to the primary");

    // While it is passed over, the replica stands in for it; and no longer than that.
    let told = async || {
        pair.store.check(&walk, Scope::Both).await.unwrap();
        let seen = pair.transport.take().pop().unwrap();
        let header = seen.header("correlation-context").unwrap();
        (seen.host.clone(), header.ends_with(",Failover"))
    };
    pair.down(&[PRIMARY]);
    assert_eq!(told().await, (REPLICA.to_owned(), true));
    pair.up();
    assert_eq!(told().await, (REPLICA.to_owned(), true), "it backs off");
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(told().await, (PRIMARY.to_owned(), false));
}

#[tokio::test(start_paused = true)]
async fn f24_all_down_then_one_up() {
    let pair = Pair::new(|_| {});
    let walk = pair.store.load(&|_| {}).await.unwrap();
    pair.down(&[PRIMARY, REPLICA]);
    for _ in 0..20 {
        let error = pair.store.check(&walk, Scope::Both).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        let text = error.to_string();
        assert!(text.contains(PRIMARY) && text.contains(REPLICA), "{text}");
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    // However long they were down, the next call finds the one that is back: backoff orders, it does not block.
    pair.down(&[PRIMARY]);
    assert!(
        pair.store
            .check(&walk, Scope::Both)
            .await
            .unwrap()
            .is_none()
    );
    let status = pair.store.endpoint_status();
    assert!(status[0].failures > 0 && status[0].backs_off_for.is_some());
    assert_eq!(status[1].failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_is_merely_slow_leaves_time_for_the_replica() {
    let pair = Pair::new(|options| options.deadline = Duration::from_secs(40));
    // Each page alone is quick enough, but there are many.
    for at in 0..40 {
        pair.remote.set(&format!("k{at}"), None, "1");
    }
    let slow = Fault::Delay(Duration::from_secs(3));
    pair.emulator
        .faults()
        .script(Route::store_list(), slow, Some(8));
    let start = tokio::time::Instant::now();
    let walk = pair.store.load(&|_| {}).await.unwrap();
    assert_eq!(walk.endpoint(), "https://contoso-eu.azconfig.io");
    assert!(start.elapsed() < Duration::from_secs(40));
    assert_eq!(pair.store.endpoint_status()[0].failures, 1);
}

/// Discovery may find many replicas; a load that one endpoint alone gets done still gets done.
#[tokio::test(start_paused = true)]
async fn many_replicas_leave_each_endpoint_half_of_the_time() {
    let replicas = (1..=15).map(|at| format!("https://contoso-r{at}.azconfig.io"));
    let endpoints: Vec<String> = std::iter::once(format!("https://{PRIMARY}"))
        .chain(replicas)
        .collect();
    for (dead, seconds) in [(0, 48), (1, 48), (15, 96)] {
        let pair = Pair::at(&endpoints, |_| {});
        // 16 pages and an empty one.
        for at in 0..29 {
            pair.remote.set(&format!("k{at}"), None, "1");
        }
        let delay = Fault::Delay(Duration::from_secs(seconds) / 17);
        pair.emulator
            .faults()
            .script(Route::store_list(), delay, None);
        pair.down(&endpoints[..dead]);
        let walk = pair.store.load(&|_| {}).await.unwrap();
        assert_eq!(walk.endpoint(), endpoints[dead]);
        assert_eq!(shown(&walk).len(), 32);
    }
}

#[tokio::test(start_paused = true)]
async fn f19_too_much_in_all_costs_no_endpoint_its_health() {
    let limits = LoadLimits::default();
    for limits in [
        LoadLimits {
            settings: 2,
            ..limits
        },
        LoadLimits {
            bytes: 300,
            ..limits
        },
    ] {
        let pair = Pair::new(|options| options.limits = limits);
        let error = pair.store.load(&|_| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(!error.to_string().contains("other endpoints"), "{error}");
        assert!(!pair.asked().contains(&REPLICA.to_owned()));
        let status = pair.store.endpoint_status();
        assert!(status.iter().all(|one| one.failures == 0));
    }
}

/// One answer alone that is too large may be this endpoint's own fault.
#[tokio::test(start_paused = true)]
async fn t10_a_page_that_is_too_large_is_asked_of_the_next_endpoint() {
    let many = vec![r#"{"key":"a"}"#; 50_001].join(",");
    let long = format!("{{\"items\":[{many}]}}");
    for body in [long, " ".repeat((16 << 20) + 1)] {
        let pair = Pair::new(|_| {});
        let faults = pair.emulator.faults();
        faults.script(Route::store_list(), Fault::page(body), Some(1));
        let walk = pair.store.load(&|_| {}).await.unwrap();
        assert_eq!(walk.endpoint(), format!("https://{REPLICA}"));
        assert_eq!(count(&pair.asked(), PRIMARY), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mistake_of_ours_costs_no_endpoint_its_health() {
    let pair = Pair::new(|_| {});
    pair.emulator
        .faults()
        .script(Route::store_list(), Fault::status(400), None);
    let error = pair.store.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.status(), Some(400));
    assert_eq!(pair.asked(), [PRIMARY]);
    assert!(
        pair.store
            .endpoint_status()
            .iter()
            .all(|status| status.failures == 0)
    );
}

#[tokio::test(start_paused = true)]
async fn f09_a_403_tries_each_endpoint_once() {
    let pair = Pair::new(|_| {});
    pair.remote.forbid(true);
    let error = pair.store.load(&|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(pair.asked(), [PRIMARY, REPLICA]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_endpoint_is_left_alone_while_another_serves() {
    let pair = Pair::new(|_| {});
    let throttled = Fault::status(429).retry_after(45);
    pair.emulator
        .faults()
        .script(Route::store_list(), throttled, Some(1));
    let walk = pair.store.load(&|_| {}).await.unwrap();
    assert_eq!(walk.endpoint(), "https://contoso-eu.azconfig.io");
    assert_eq!(count(&pair.asked(), PRIMARY), 1);
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        pair.store.check(&walk, Scope::Both).await.unwrap();
    }
    assert_eq!(count(&pair.asked(), PRIMARY), 0);
}

#[tokio::test(start_paused = true)]
async fn load_balancing_serves_each_operation_by_the_next_endpoint() {
    let pair = Pair::new(|options| options.load_balancing = true);
    let walk = pair.store.load(&|_| {}).await.unwrap();
    assert_eq!(pair.asked(), [PRIMARY, PRIMARY]);
    for expected in [REPLICA, PRIMARY, REPLICA] {
        assert!(
            pair.store
                .check(&walk, Scope::Both)
                .await
                .unwrap()
                .is_none()
        );
        assert_eq!(pair.asked(), [expected, expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn sync_tokens_belong_to_one_endpoint() {
    let pair = Pair::new(|options| options.load_balancing = true);
    let walk = pair.store.load(&|_| {}).await.unwrap();
    pair.store.check(&walk, Scope::Both).await.unwrap();
    let seen = pair.transport.take();
    let first_at = |host: &str| seen.iter().find(|seen| seen.host == host).unwrap();
    assert_eq!(first_at(PRIMARY).header("sync-token"), None);
    assert_eq!(first_at(REPLICA).header("sync-token"), None);
    let correlation = first_at(REPLICA).header("correlation-context").unwrap();
    assert_eq!(correlation, "RequestType=Watch,ReplicaCount=1,Features=LB");
}

/// A check that has nothing to ask is no operation: it takes no turn, and mends no endpoint.
#[tokio::test(start_paused = true)]
async fn a_check_without_a_request_is_nobodys_turn() {
    let pair = Pair::new(|options| {
        options.load_balancing = true;
        options.sentinels = vec![Sentinel {
            key: "version".into(),
            label: Label::default(),
        }];
    });
    let walk = pair.store.load(&|_| {}).await.unwrap();
    pair.asked();
    for expected in [REPLICA, PRIMARY, REPLICA] {
        for scope in [Scope::Flags, Scope::Settings, Scope::Flags] {
            assert!(pair.store.check(&walk, scope).await.unwrap().is_none());
        }
        assert_eq!(pair.asked(), [expected]);
    }
}
