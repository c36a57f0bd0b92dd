//! Reading allocates nothing. A binary of its own, because it counts every allocation of its thread.

use std::hint::black_box;

use arc_swap::access::Access;
use config::Config;
use config_azure::Live;
use serde::Deserialize;

#[path = "../benches/read/counting.rs"]
mod counting;

use counting::{Counting, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Deserialize)]
struct Settings {
    port: u16,
}

#[tokio::test]
async fn n15_reading_allocates_nothing() {
    let (builder, store) = config_azure::in_memory();
    store.set("port", "1");
    let azure = builder.load().await.unwrap();
    let live: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await
        .unwrap();
    let (mut reader, part) = (live.reader(), live.part(|settings| &settings.port));
    // The first read of a thread registers it with arc-swap.
    black_box(live.load());

    let before = allocations();
    for _ in 0..10_000 {
        black_box(reader.load().port);
        black_box(live.load().port);
        black_box(live.as_arc_swap().load().port);
        black_box(Access::<Settings>::load(&live).port);
        black_box(*part.load());
    }
    assert_eq!(allocations() - before, 0);
    assert_ne!(allocations(), 0, "the counter counts");
}
