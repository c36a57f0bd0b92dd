//! Push: what Event Grid tells about the store and its vaults, so that a change need not wait for the next interval.
//!
//! A body is taken apart strictly ([`parse`]), and only if all of it is well formed does any of it have an effect
//! ([`receiver`]). An event is a hint and nothing more: no value is taken from it, no host is asked that was not asked
//! before, and what it causes is one conditional check of the store, or one read of a secret that is in use already.

mod notified;
mod parse;
mod receiver;
mod seen;
#[cfg(test)]
mod tests;

pub use notified::{EventOutcome, IgnoreReason, Notified, NotifiedEvent};
pub(crate) use receiver::{Line, Receiver};
