//! f82: a fork without exec, then reads in the child. Refresh does not go on there: its thread was not copied.

use std::time::Duration;

use config::Config;
use config_azure::{KeyVaultOptions, Live, RefreshOptions, Secret};
use serde::Deserialize;

const READS: usize = 1_000_000;

#[derive(Deserialize)]
struct Settings {
    title: String,
    password: Secret,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let second = Duration::from_secs(1);
    let (builder, store) = config_azure::in_memory();
    store.set("title", "before");
    store.set_secret("password", "hunter2");
    let azure = builder
        .refresh(RefreshOptions::new().every(second))
        .key_vault(KeyVaultOptions::new().refresh_interval(second))
        .load()
        .await
        .expect("a load");
    let layers = Config::builder().add_source(azure.clone());
    let mut live: Live<Settings> = azure.live(layers).await.expect("a live value");
    let mut reader = live.reader();

    // SAFETY: the child only reads and allocates, both of which glibc allows after a fork, and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        let good =
            |now: &Settings| now.title == "before" && now.password == Secret::from("hunter2");
        let mut read = 0;
        for _ in 0..READS {
            read += usize::from(good(&live.load()) && good(reader.load()));
        }
        let kept = azure
            .loaded()
            .is_some_and(|loaded| loaded.generation() == 1);
        let text = azure.explain("password").is_some() && !format!("{azure:?}").contains("hunter2");
        // The parent publishes within 2 s; here nothing may change, nor break, meanwhile.
        std::thread::sleep(3 * second);
        let still = live.load().title == "before" && azure.status().generation == 1;
        let all = read == READS && kept && text && still;
        println!(
            "child: {read} good reads of {READS}; generation {}",
            azure.status().generation
        );
        // SAFETY: ends the child without the destructors of threads that it does not have.
        unsafe { libc::_exit(i32::from(!all)) }
    }
    store.set("title", "after");
    let now = live.changed().await.expect("a value");
    assert_eq!(now.title, "after");
    println!("parent: refreshed to generation {}", now.generation());
    let ended = tokio::task::spawn_blocking(move || {
        let mut status = 0;
        // SAFETY: the child is ours, and the pointer is good for the call.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        (waited == child).then_some(status)
    });
    assert_eq!(ended.await.expect("no panic"), Some(0), "the child failed");
}
