//! An allocator that knows how much is alive, and can be told to refuse more than so much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The system's allocator, counting bytes.
pub struct Heap;

static ALIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CAP: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Bytes that are alive in the whole process.
pub fn alive() -> usize {
    ALIVE.load(Ordering::Relaxed)
}

/// What is alive, as soon as it is no more than `bytes`, or after ten seconds: threads of the library's own let go of what
/// they had a moment later.
pub async fn least(bytes: usize) -> usize {
    let patience = Instant::now() + Duration::from_secs(10);
    while alive() > bytes && Instant::now() < patience {
        tokio::task::yield_now().await;
    }
    alive()
}

/// Refuses to have more than `bytes` alive until the guard is dropped.
pub fn cap(bytes: usize) -> Capped {
    PEAK.store(alive(), Ordering::Relaxed);
    CAP.store(bytes, Ordering::Relaxed);
    Capped
}

/// The heap is capped.
pub struct Capped;

impl Capped {
    /// The most that was alive since.
    pub fn peak(&self) -> usize {
        PEAK.load(Ordering::Relaxed)
    }
}

impl Drop for Capped {
    fn drop(&mut self) {
        CAP.store(usize::MAX, Ordering::Relaxed);
    }
}

/// Counts `size` more bytes, if they are allowed.
fn take(size: usize) -> bool {
    let alive = ALIVE.fetch_add(size, Ordering::Relaxed) + size;
    if alive > CAP.load(Ordering::Relaxed) {
        give_back(size);
        return false;
    }
    PEAK.fetch_max(alive, Ordering::Relaxed);
    true
}

fn give_back(size: usize) {
    ALIVE.fetch_sub(size, Ordering::Relaxed);
}

// SAFETY: hands every call on to the system's allocator; beyond that it only counts in atomics, and answers with null,
// as an allocator may, when the cap is reached.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !take(size) {
            return ptr::null_mut();
        }
        // SAFETY: as the caller promised.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        give_back(if moved.is_null() { size } else { layout.size() });
        moved
    }
}
