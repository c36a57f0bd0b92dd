//! Runtimes that end early, are of the smallest kind, or are missing.

use std::cell::RefCell;
use std::thread;

use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::{Closed, ErrorKind, Reader};

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap()
}

#[test]
fn f76_the_last_value_outlives_the_runtime() {
    let store = TestStore::with(&pairs("one", "1"));
    let engine = store.engine.clone();
    let first = runtime();
    let mut live = first.block_on(live(&store)).unwrap();
    let mut derived = first
        .block_on(live.derive(|it| &it.port, async |port| Ok::<_, String>(*port)))
        .unwrap();
    store.publish(&pairs("two", "2"));
    assert_eq!(first.block_on(live.changed()).unwrap().port, 2);
    first.block_on(derived.changed()).unwrap();
    drop(first);

    assert_eq!(live.load().port, 2);
    assert_eq!(live.reader().load().port, 2);
    assert_eq!(*live.part(|it| &it.port).load(), 2);
    assert_eq!(*derived.load(), 2);
    assert!(live.status().is_closed());
    let second = runtime();
    assert_eq!(second.block_on(live.changed()).unwrap_err(), Closed);
    assert_eq!(second.block_on(derived.changed()).unwrap_err(), Closed);
    store.publish(&pairs("three", "3"));
    assert_eq!(live.load().port, 2);
    drop((live, derived));
    assert!(!engine.is_cancelled(), "the handle is still held");
    drop(store);
    assert!(engine.is_cancelled());
}

#[tokio::test(flavor = "current_thread")]
async fn f79_one_thread_is_enough() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    let mut derived = live
        .derive(|it| &it.port, async |port| Ok::<_, String>(*port))
        .await
        .unwrap();
    store.publish(&pairs("two", "2"));
    assert_eq!(live.changed().await.unwrap().port, 2);
    assert_eq!(*derived.changed().await.unwrap(), 2);
}

#[test]
fn f80_a_runtime_without_timers_is_a_typed_error() {
    let store = TestStore::with(&pairs("one", "1"));
    let timeless = Builder::new_current_thread().build().unwrap();
    let error = timeless.block_on(live(&store)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    let nowhere = futures::executor::block_on(live(&store)).unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Runtime);
}

thread_local! {
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

/// Reads when its thread ends.
struct Late {
    reader: Reader<Settings>,
    live: Live<Settings>,
    seen: std::sync::mpsc::Sender<(u16, u16)>,
}

impl Drop for Late {
    fn drop(&mut self) {
        let ports = (self.reader.load().port, self.live.load().port);
        self.seen.send(ports).unwrap();
    }
}

#[test]
fn f95_reading_in_a_thread_local_destructor_during_shutdown() {
    let store = TestStore::with(&pairs("one", "1"));
    let runtime = runtime();
    let live = runtime.block_on(live(&store)).unwrap();
    let (seen, ports) = std::sync::mpsc::channel();
    let late = Late {
        reader: live.reader(),
        live,
        seen,
    };
    drop(store);
    let thread = thread::spawn(move || {
        LATE.with(|slot| *slot.borrow_mut() = Some(late));
        drop(runtime);
    });
    thread.join().unwrap();
    assert_eq!(ports.recv().unwrap(), (1, 1));
}
