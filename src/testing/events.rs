//! Collects what `tracing` is told, of this crate and of all others, on the thread of one test.
//!
//! There is one subscriber for all tests, which looks at each event anew. With one per test, whether an event is
//! told at all would depend on which other tests run at the same time.

use std::cell::RefCell;
use std::io::Write;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing_subscriber::filter::{Targets, dynamic_filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::{Layer, SubscriberExt};

/// The lines that were written so far.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<u8>>>);

impl Events {
    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn count(&self) -> usize {
        self.text().lines().count()
    }
}

thread_local! {
    static COLLECTING: RefCell<Option<(Targets, Events)>> = const { RefCell::new(None) };
}

/// Ends the collection on its thread.
pub(crate) struct Collecting(PhantomData<*const ()>);

impl Drop for Collecting {
    fn drop(&mut self) {
        COLLECTING.set(None);
    }
}

/// Collects the events and new spans of this thread that the filter names, such as `config_azure=info`, or `trace`
/// for everything.
pub(crate) fn capture(filter: &str) -> (Events, Collecting) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let wanted = dynamic_filter_fn(|metadata, _| {
            COLLECTING.with_borrow(|collecting| {
                collecting.as_ref().is_some_and(|(targets, _)| {
                    targets.would_enable(metadata.target(), metadata.level())
                })
            })
        });
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_span_events(FmtSpan::NEW)
            .with_writer(|| Writer)
            .with_filter(wanted);
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
        // What was met on another thread in that moment may have been told that nobody listens.
        tracing::callsite::rebuild_interest_cache();
    });
    let events = Events::default();
    let targets = filter.parse().expect("a filter");
    COLLECTING.set(Some((targets, events.clone())));
    (events, Collecting(PhantomData))
}

/// Writes to whatever this thread collects.
struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        COLLECTING.with_borrow(|collecting| {
            if let Some((_, events)) = collecting {
                let mut lines = events.0.lock().unwrap_or_else(PoisonError::into_inner);
                lines.extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
