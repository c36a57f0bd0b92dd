//! Answers that take their time.

use std::time::Duration;

use config_azure_emulator::{Fault, Route};
use tokio::time::Instant;

use super::{World, shown};
use crate::store::Scope;

/// Three seconds, give or take two: the load and the check take so long, and nothing is asked for twice.
#[tokio::test(start_paused = true)]
async fn f58_latency_costs_time_and_no_second_request() {
    let world = World::new(&[]);
    world.remote.page_size(2);
    for key in ["a", "b", "c"] {
        world.remote.set(key, None, "1");
    }
    for seconds in [1, 2, 3, 4, 5] {
        let delay = Duration::from_secs(seconds);
        let late = Fault::Delay(delay);
        let script = world.emulator.faults().script(Route::store(), late, None);
        world.emulator.log().clear();
        let began = Instant::now();
        let walk = world.load().await;
        assert_eq!(shown(&walk), ["a=1", "b=1", "c=1"]);
        let pages = world.requests(Route::any());
        assert_eq!(pages, 2, "{seconds}");
        assert!(began.elapsed() >= 2 * delay, "page after page");

        let began = Instant::now();
        let found = world.store.check(&walk, Scope::Both).await.unwrap();
        assert!(found.is_none());
        assert_eq!(world.requests(Route::any()), 2 * pages, "{seconds}");
        assert!(began.elapsed() < 3 * delay, "once for each page at most");
        script.remove();
    }
}
