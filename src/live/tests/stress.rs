//! Readers against full rebuilds: publication, layers, deserializing, validating and swap.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::Current;

/// Every field says the same number, so a torn value cannot hide.
#[derive(Deserialize)]
struct Same {
    plain: u64,
    secret: String,
    #[serde(default)]
    copies: Vec<u64>,
    tail: u64,
}

fn check(current: &Current<Same>) -> u64 {
    let number = current.plain;
    let whole = current.secret.len() == 64
        && current.secret.bytes().all(|byte| byte == letter(number))
        && current.copies.iter().all(|copy| *copy == 7)
        && current.tail == number
        && current.loaded().generation() == number;
    assert!(whole, "torn at {number}");
    number
}

fn letter(number: u64) -> u8 {
    b'a' + u8::try_from(number % 26).unwrap()
}

fn publish(store: &TestStore, number: u64) {
    let text = number.to_string();
    let secret = char::from(letter(number)).to_string().repeat(64);
    let pairs = [
        ("plain", text.as_str()),
        ("secret", secret.as_str()),
        ("tail", text.as_str()),
    ];
    assert_eq!(store.publish(&pairs), number);
}

/// Reads without pause until told to stop; says how often.
fn read(live: &Live<Same>, stop: &AtomicBool, fast: bool) -> u64 {
    let mut reader = live.reader();
    let (mut reads, mut last, mut generation) = (0, 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let (number, current) = if fast {
            let current = reader.load();
            (check(current), current.generation())
        } else {
            let current = live.load();
            (check(&current), current.generation())
        };
        assert!(number >= last && current >= generation, "went back");
        (last, generation, reads) = (number, current, reads + 1);
        if reads % 64 == 0 {
            // There are more readers than cores, and the writer wants one, too.
            thread::yield_now();
        }
    }
    reads
}

fn run(readers: u64, swaps: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let store = TestStore::empty();
    publish(&store, 1);
    let layers = layers(&store).set_default("copies", vec![7; 8]).unwrap();
    let builder: LiveBuilder<Same> =
        LiveBuilder::new(store.feed.clone(), layers).validate(|new: &Same, old: Option<&Same>| {
            match old {
                Some(old) if old.plain >= new.plain => Err("went back"),
                _ => Ok(()),
            }
        });
    let mut live = runtime.block_on(builder.start()).unwrap();
    let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..readers {
            let (live, stop, reads) = (live.clone(), &stop, &reads);
            scope.spawn(move || {
                reads.fetch_add(read(&live, stop, number % 2 == 0), Ordering::Relaxed);
            });
        }
        let writing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                for number in 2..=swaps + 1 {
                    publish(&store, number);
                    assert_eq!(live.changed().await.unwrap().plain, number);
                }
            });
        }));
        stop.store(true, Ordering::Relaxed);
        writing.unwrap();
    });
    assert_eq!(live.load().generation(), swaps + 1);
    reads.into_inner()
}

#[test]
fn n1_eight_readers_against_a_thousand_full_rebuilds() {
    let reads = run(8, 1_000);
    assert!(reads > 1_000, "{reads} reads");
}

/// `cargo test --release n1_long -- --ignored --nocapture`: a few minutes.
#[test]
#[ignore = "takes minutes; run it before a release"]
fn n1_long_run_with_1_8_and_64_readers() {
    for readers in [1, 8, 64] {
        let swaps = 100_000;
        let reads = run(readers, swaps);
        let line =
            format!("{readers} readers, {swaps} swaps: {reads} reads, 0 torn, 0 backwards\n");
        std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).unwrap();
    }
}
