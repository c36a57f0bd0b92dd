//! N1, the whole line: readers on threads of their own, while the store, a vault, the refresh engine and the rebuilding of the
//! struct make one generation after the other. `src/live/tests/stress.rs` has the same from the publication on, and longer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;
use std::{panic, thread};

use config_azure::{AppConfiguration, Current, KeyVaultOptions, Live, Secret};
use config_azure_emulator::Emulator;
use serde::Deserialize;

use crate::support::{self, secs};

/// Every field says the same number, so a torn value cannot hide.
#[derive(Deserialize)]
struct Same {
    plain: u64,
    secret: Secret,
    tail: u64,
}

/// Above it, `refresh()` reads the vault each time.
const BEYOND_THE_FLOOR: u64 = 4;

fn letter(number: u64) -> u8 {
    b'a' + u8::try_from(number % 26).expect("a letter")
}

/// A setting, a secret, and another setting.
fn write(emulator: &Emulator, number: u64) {
    let store = emulator.store("contoso");
    store.set("plain", None, number.to_string());
    let text = char::from(letter(number)).to_string().repeat(64);
    emulator.vault("kv-orders").set_secret("db-password", text);
    store.set("tail", None, number.to_string());
}

/// What one reader saw last; nothing of it goes back.
#[derive(Default)]
struct Seen {
    number: u64,
    generation: u64,
    loaded_at: Option<SystemTime>,
    reads: u64,
}

impl Seen {
    fn check(&mut self, current: &Current<Same>) {
        let (number, secret) = (current.plain, current.secret.expose_secret());
        let letters = secret.bytes().all(|byte| byte == letter(number));
        let whole = current.tail == number && secret.len() == 64 && letters;
        assert!(whole, "torn at {number}");
        assert_eq!(current.loaded().generation(), number, "another generation");
        assert_eq!(current.loaded_at(), current.loaded().loaded_at());
        let generation = current.generation();
        assert!(
            number >= self.number && generation >= self.generation,
            "went back"
        );
        assert!(
            Some(current.loaded_at()) >= self.loaded_at,
            "went back in time"
        );
        self.loaded_at = Some(current.loaded_at());
        (self.number, self.generation) = (number, generation);
        self.reads += 1;
    }
}

/// Reads without pause until told to stop; says how often.
fn read(live: &Live<Same>, stop: &AtomicBool, by_reader: bool) -> u64 {
    let (mut reader, mut seen) = (live.reader(), Seen::default());
    while !stop.load(Ordering::Relaxed) {
        match by_reader {
            true => seen.check(reader.load()),
            false => seen.check(&live.load()),
        }
        if seen.reads % 64 == 0 {
            // There are more readers than cores, and the writer wants one, too.
            thread::yield_now();
        }
    }
    seen.reads
}

/// Everything is written without a pause between, so that one pass finds all of it.
async fn swap(emulator: &Emulator, azure: &AppConfiguration, live: &mut Live<Same>, number: u64) {
    tokio::time::sleep(secs(BEYOND_THE_FLOOR)).await;
    write(emulator, number);
    azure.refresh().await.expect("a check");
    let now = live.changed().await.expect("a value");
    assert_eq!((now.plain, now.generation()), (number, number));
}

fn run(readers: u64, swaps: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let emulator = support::world_in_memory();
    write(&emulator, 1);
    let vault = emulator.vault("kv-orders").secret_uri("db-password");
    emulator
        .store("contoso")
        .set_reference("secret", None, &vault);
    let builder = support::in_memory(&emulator).key_vault(KeyVaultOptions::new());
    let (azure, mut live) = runtime.block_on(support::live::<Same>(builder));
    let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..readers {
            let (live, stop, reads) = (live.clone(), &stop, &reads);
            scope.spawn(move || {
                reads.fetch_add(read(&live, stop, number % 2 == 0), Ordering::Relaxed);
            });
        }
        let writing = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                for number in 2..=swaps + 1 {
                    swap(&emulator, &azure, &mut live, number).await;
                }
            });
        }));
        stop.store(true, Ordering::Relaxed);
        writing.expect("every swap");
    });
    assert_eq!(live.load().generation(), swaps + 1);
    reads.into_inner()
}

#[test]
fn n1_eight_readers_against_a_thousand_swaps_of_the_whole_line() {
    let reads = run(8, 1_000);
    assert!(reads > 1_000, "{reads} reads");
}
