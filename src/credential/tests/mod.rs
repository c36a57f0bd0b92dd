//! Tests of the credentials.

mod cached;
