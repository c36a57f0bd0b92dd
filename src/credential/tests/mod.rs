//! Tests of the credentials.

mod cached;
mod default;
mod machine;
mod process;
mod scripted;
mod wrong;
