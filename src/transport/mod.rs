//! The one door to the network: a client without redirects, retries or unbounded waits, behind a guard that
//! knows which hosts may be asked at all.

mod addresses;
mod client;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod guard;
mod limits;
mod policy;
mod refusal;
mod retry_after;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use addresses::in_turns;
pub(crate) use client::{HttpHook, patient_transport, reqwest_transport};
pub(crate) use guard::{Guard, collected};
pub(crate) use limits::{HostLimits, Limits};
pub(crate) use policy::{HostKind, HostPolicy, Origin, Permit, is_loopback};
pub(crate) use refusal::Refusal;
pub(crate) use retry_after::{LONGEST_RETRY_AFTER, retry_after};
