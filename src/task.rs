//! The one place that starts tasks, and the two halves of their ownership: what users hold owns an [`Owner`],
//! what runs holds the token that the last owner's drop cancels.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::{Error, ErrorKind, Result};

/// Keeps a task running. Held by every object a user holds, never by the task itself: when the last clone is
/// dropped, the task is cancelled.
#[derive(Clone)]
pub(crate) struct Owner {
    _guard: Arc<DropGuard>,
}

impl Owner {
    /// An owner, and the token that its last clone's drop cancels.
    pub(crate) fn new() -> (Self, CancellationToken) {
        let token = CancellationToken::new();
        let guard = Arc::new(token.clone().drop_guard());
        (Self { _guard: guard }, token)
    }
}

/// The current runtime, if tasks and timers work on it.
pub(crate) fn runtime() -> Result<Handle> {
    let handle = Handle::try_current().map_err(|_| {
        Error::new(
            ErrorKind::Runtime,
            "there is no Tokio runtime here: call this inside one, such as under #[tokio::main]",
        )
    })?;
    // Tokio offers no question for this; making a timer panics at once if the runtime has none.
    catch_unwind(|| drop(tokio::time::sleep(std::time::Duration::ZERO))).map_err(|_| {
        Error::new(
            ErrorKind::Runtime,
            "this Tokio runtime has no timer: build it with enable_time() or enable_all()",
        )
    })?;
    Ok(handle)
}

/// Runs `work` in the background until it is done, panics, or `token` is cancelled, which drops it at once.
/// Every exit is reported.
pub(crate) fn spawn(
    name: &'static str,
    token: CancellationToken,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let runtime = runtime()?;
    spawn_on(&runtime, async move {
        match token.run_until_cancelled_owned(caught(work)).await {
            None => tracing::debug!(task = name, "background task stopped"),
            Some(Ok(())) => tracing::debug!(task = name, "background task is done"),
            Some(Err(Panicked)) => tracing::error!(task = name, "background task panicked"),
        }
    });
    Ok(())
}

/// Runs `work` on `runtime`: the one line that starts a task.
pub(crate) fn spawn_on(runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) {
    runtime.spawn(work);
}

/// Runs user code that may take its time on a thread made for that, so that no other task waits for it.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Panicked> {
    let done = runtime_for_blocking()?.spawn_blocking(work).await;
    done.map_err(|failure| match failure.try_into_panic() {
        Ok(payload) => discard(payload),
        Err(_) => Panicked,
    })
}

/// Calls `work`, which may take its time, within a task that [`spawn`] started.
///
/// On a runtime with several workers, another one takes over what this one has to do meanwhile: sockets and timers may be
/// among it, and then the whole runtime would stand still.
pub(crate) fn in_place<R>(work: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

fn runtime_for_blocking() -> Result<Handle, Panicked> {
    Handle::try_current().map_err(|_| Panicked)
}

/// User code panicked. What it said is dropped unread: it may quote a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Awaits `work`; a panic inside it is an answer.
pub(crate) async fn caught<F: Future>(work: F) -> Result<F::Output, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(discard)
}

/// Calls `work`; a panic inside it is an answer.
pub(crate) fn caught_now<R>(work: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(discard)
}

/// Drops what a panic carried, which may itself panic.
fn discard(payload: Box<dyn Any + Send>) -> Panicked {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    Panicked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_owner_ends_the_task() {
        let (owner, token) = Owner::new();
        let second = owner.clone();
        let ended = token.clone();
        spawn("test", token, std::future::pending()).unwrap();
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 1);
        drop(owner);
        assert!(!ended.is_cancelled());
        drop(second);
        assert!(ended.is_cancelled());
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_is_contained_even_if_its_payload_panics() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("second");
            }
        }
        assert_eq!(
            caught(async { std::panic::panic_any(Bomb) }).await,
            Err::<(), _>(Panicked)
        );
        assert_eq!(blocking(|| panic!("first")).await, Err::<(), _>(Panicked));
        assert_eq!(caught_now(|| 7), Ok(7));
    }

    #[test]
    fn f80_without_runtime_or_timer_is_a_typed_error() {
        let (_owner, token) = Owner::new();
        let nowhere = spawn("test", token.clone(), async {}).unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::Runtime);

        let timeless = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let error = timeless
            .block_on(async { spawn("test", token, async {}) })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert!(error.to_string().contains("enable_time"));
    }
}
