//! Tests of the credentials.

mod cached;
mod default;
