//! The one runtime that this library owns: a thread for programs that have none.
//!
//! It is made once and lives as long as the process, because a `reqwest` client must never outlive, or leave, the
//! runtime that it was first used in.

use std::sync::mpsc;

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Handle};

use crate::app::AppConfiguration;
use crate::error::{Error, ErrorKind, Result};

static RUNTIME: OnceCell<Handle> = OnceCell::new();

/// Loads on the library's own thread and waits for the end of it. The refresh goes on there.
pub(crate) fn run(app: AppConfiguration) -> Result<()> {
    if Handle::try_current().is_ok() {
        return Err(Error::new(
            ErrorKind::Runtime,
            "load_blocking() would block the Tokio runtime that it was called in: use load().await here",
        ));
    }
    let (answer, wait) = mpsc::channel();
    let runtime = RUNTIME.get_or_try_init(start)?;
    crate::task::spawn_on(runtime, async move {
        let _ = answer.send(app.ensure_loaded().await);
    });
    wait.recv()
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Runtime, "the first load panicked")))
}

fn start() -> Result<Handle> {
    let failed = |error: std::io::Error| {
        Error::new(
            ErrorKind::Runtime,
            "the thread for load_blocking() cannot be started",
        )
        .with_source(error)
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("config-azure".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(failed)?;
    Ok(handle)
}
