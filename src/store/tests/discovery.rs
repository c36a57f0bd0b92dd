//! Replicas that are found by name, from the lookup to the request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::replicas::{PRIMARY, Pair, REPLICA};
use crate::store::Scope;
use crate::store::discovery::{LookupFailed, SrvLookup, SrvRecord};

#[derive(Debug)]
struct Zone(Mutex<Vec<&'static str>>);

#[async_trait]
impl SrvLookup for Zone {
    async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, LookupFailed> {
        let replicas = self.0.lock().unwrap();
        if replicas.contains(&"fail") {
            return Err(LookupFailed);
        }
        let target = match name.strip_prefix("_alt") {
            None => Some(PRIMARY),
            Some(rest) => {
                let index: usize = rest.split('.').next().unwrap().parse().unwrap();
                replicas.get(index).copied()
            }
        };
        let record = |target: &str| SrvRecord {
            priority: 1,
            weight: 1,
            target: target.to_owned(),
        };
        Ok(target.map(record).into_iter().collect())
    }
}

#[tokio::test(start_paused = true)]
async fn discovered_replicas_serve_and_go_again() {
    let zone = Arc::new(Zone(Mutex::new(vec![REPLICA])));
    let lookup = zone.clone();
    let pair = Pair::at(&[format!("https://{PRIMARY}")], move |options| {
        options.discovery = Some(lookup);
    });
    let walk = pair.store.load(&|_| {}).await.unwrap();
    let store = &pair.store;
    let hosts = || -> Vec<String> {
        store
            .endpoint_status()
            .into_iter()
            .map(|one| one.endpoint)
            .collect()
    };
    let may_be_asked = || format!("{:?}", store.policy).contains(REPLICA);
    assert_eq!(hosts().len(), 1);
    assert!(!may_be_asked());
    assert!(pair.store.discover().await);
    assert!(may_be_asked());
    assert_eq!(
        hosts(),
        [format!("https://{PRIMARY}"), format!("https://{REPLICA}")]
    );
    pair.down(&[PRIMARY]);
    pair.asked();
    assert!(
        pair.store
            .check(&walk, Scope::Both)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(pair.asked(), [PRIMARY, REPLICA, REPLICA]);
    // A failed round keeps what is known; an empty answer does not.
    *zone.0.lock().unwrap() = vec!["fail"];
    assert!(!pair.store.discover().await);
    assert_eq!(hosts().len(), 2);
    assert!(may_be_asked());
    // Whoever is at work with it gets its answer.
    let mut attempts = store.fleet.attempts(Duration::from_secs(100));
    let at_work = [attempts.next().unwrap(), attempts.next().unwrap()];
    drop(attempts);
    *zone.0.lock().unwrap() = vec![];
    assert!(pair.store.discover().await);
    assert_eq!(hosts().len(), 1);
    assert!(may_be_asked());
    drop(at_work);
    assert!(!may_be_asked(), "it is a stranger again");
}

#[tokio::test(start_paused = true)]
async fn f51_discovery_runs_beside_everything_and_again_when_all_fail() {
    let zone = Arc::new(Zone(Mutex::new(vec![])));
    let lookup = zone.clone();
    let pair = Pair::at(&[format!("https://{PRIMARY}")], move |options| {
        options.discovery = Some(lookup);
    });
    let work = async {
        let walk = pair.store.load(&|_| {}).await.unwrap();
        tokio::time::sleep(Duration::from_secs(40)).await;
        *zone.0.lock().unwrap() = vec![REPLICA];
        pair.down(&[PRIMARY]);
        pair.store.check(&walk, Scope::Both).await.unwrap_err();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(
            pair.store
                .check(&walk, Scope::Both)
                .await
                .unwrap()
                .is_none(),
            "found at once"
        );
    };
    tokio::select! {
        () = pair.store.keep_discovering() => panic!("it does not end"),
        () = work => {}
    }
}

#[tokio::test(start_paused = true)]
async fn no_discovery_without_being_asked() {
    let pair = Pair::new(|_| {});
    pair.store.keep_discovering().await;
    assert!(!pair.store.discover().await);
}
