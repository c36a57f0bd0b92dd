//! N1, the whole line: readers on threads of their own, while the store, a vault, the refresh engine and the rebuilding of the
//! struct make one generation after the other. `src/live/tests/stress.rs` has the same from the publication on, and longer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use std::{panic, thread};

use config_azure::{AppConfiguration, Current, KeyVaultOptions, Live, Secret};
use config_azure_emulator::Emulator;
use serde::Deserialize;

use crate::support::{self, secs};

/// Every field says the same number, so a torn value cannot hide.
#[derive(Deserialize)]
struct Same {
    plain: u64,
    /// A version of its own for each number: nothing of a number is published before it was read.
    pinned: Secret,
    /// The newest version: it may come one generation before or after the settings of its number, but whole.
    rotated: Secret,
    tail: u64,
}

/// Above it, `refresh()` reads the vault each time.
const BEYOND_THE_FLOOR: u64 = 4;

fn letter(number: u64) -> u8 {
    b'a' + u8::try_from(number % 26).expect("a letter")
}

/// A setting, a secret, a reference to its new version, and another setting.
fn write(emulator: &Emulator, number: u64) {
    let (store, vault) = (emulator.store("contoso"), emulator.vault("kv-orders"));
    store.set("plain", None, number.to_string());
    let text = char::from(letter(number)).to_string().repeat(64);
    let version = vault.set_secret("db-password", text);
    store.set_reference("pinned", None, &version.id);
    store.set("tail", None, number.to_string());
}

/// The letter that a secret says throughout.
fn said(secret: &Secret) -> u8 {
    let text = secret.expose_secret().as_bytes();
    assert!(text.len() == 64 && text.iter().all(|byte| *byte == text[0]));
    text[0]
}

/// What one reader saw last; nothing of it goes back, and one generation is always the same.
struct Seen {
    number: u64,
    generation: u64,
    rotated: (u64, u8),
    loaded_at: SystemTime,
    reads: u64,
}

impl Seen {
    fn check(&mut self, current: &Current<Same>) {
        let (number, rotated) = (current.plain, said(&current.rotated));
        let whole = current.tail == number && said(&current.pinned) == letter(number);
        assert!(whole, "torn at {number}");
        let near = [number - 1, number, number + 1].map(letter);
        assert!(
            near.contains(&rotated),
            "a secret of another time at {number}"
        );

        let (generation, published) = (current.generation(), current.loaded().generation());
        assert!(
            number >= self.number && generation >= self.generation,
            "went back"
        );
        assert!(
            published >= self.rotated.0 && published >= number,
            "went back"
        );
        if published == self.rotated.0 {
            assert_eq!((number, rotated), (self.number, self.rotated.1));
        }
        let loaded_at = current.loaded().loaded_at();
        assert!(loaded_at >= self.loaded_at, "went back in time");
        (self.number, self.generation) = (number, generation);
        (self.rotated, self.loaded_at) = ((published, rotated), loaded_at);
        self.reads += 1;
    }
}

/// Reads without pause until told to stop; says how often.
fn read(live: &Live<Same>, stop: &AtomicBool, by_reader: bool) -> u64 {
    let mut reader = live.reader();
    let mut seen = Seen {
        number: 0,
        generation: 0,
        rotated: (0, 0),
        loaded_at: SystemTime::UNIX_EPOCH,
        reads: 0,
    };
    while !stop.load(Ordering::Relaxed) {
        match by_reader {
            true => seen.check(reader.load()),
            false => seen.check(&live.load()),
        }
        if seen.reads.is_multiple_of(64) {
            // There are more readers than cores, and the writer wants one, too. Nothing waits for this.
            thread::sleep(Duration::from_millis(1));
        }
    }
    seen.reads
}

/// Writes, refreshes, and waits until all of it is there.
async fn swap(emulator: &Emulator, azure: &AppConfiguration, live: &mut Live<Same>, number: u64) {
    tokio::time::sleep(secs(BEYOND_THE_FLOOR)).await;
    write(emulator, number);
    azure.refresh().await.expect("a check");
    loop {
        let now = live.load();
        if now.plain == number && said(&now.rotated) == letter(number) {
            return;
        }
        live.changed().await.expect("a value");
    }
}

fn run(readers: u64, swaps: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    support::pin_draws();
    let emulator = Emulator::builder().store("contoso");
    let emulator = emulator.vault("kv-orders").in_memory();
    write(&emulator, 1);
    let newest = emulator.vault("kv-orders").secret_uri("db-password");
    emulator
        .store("contoso")
        .set_reference("rotated", None, &newest);
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
    let generations = live.load().generation();
    assert!(generations > swaps, "{generations} generations");
    reads.into_inner()
}

#[test]
fn n1_eight_readers_against_a_thousand_swaps_of_the_whole_line() {
    let reads = run(8, 1_000);
    assert!(reads > 1_000, "{reads} reads");
}
