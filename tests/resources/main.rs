//! What the library takes from its process, and that it gives it back: heap, tasks, descriptors.
//!
//! A binary of its own, because it counts every allocation of the process. Its tests run one at a time, and as slices;
//! docs/testing.md has the full runs.

mod answers;
mod cap;
mod cycles;
mod heap;
mod odd_keys;
mod rotations;

use std::sync::{Mutex, PoisonError};

#[global_allocator]
static HEAP: heap::Heap = heap::Heap;

/// Runs a test while no other has a runtime, whose descriptors would be counted.
fn alone(paused: bool, test: impl Future<Output = ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(paused).build();
    runtime.expect("a runtime").block_on(test);
}

/// How often, by the environment variable `name`; otherwise a slice.
fn times(name: &str, slice: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(slice, |text| text.parse().expect("a number"))
}

/// Descriptors that this process has open.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// A line of `/proc/self/status`, in KiB.
fn kibibytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|text| text.parse().ok()).unwrap_or(0)
}
