//! Snapshots: immutable sets of settings under a name.

mod model;
mod resource;
mod view;

pub use model::{Composition, NewSnapshot};
pub(crate) use model::{Snapshot, Snapshots};
pub(crate) use resource::{content, list, one, operation, write};
