//! What the fuzz targets reach of this room.

use std::time::{Duration, SystemTime};

use azure_core::http::headers::Headers;

/// How long an answer asks to wait.
#[must_use]
pub fn retry_after(headers: &Headers, now: SystemTime) -> Option<Duration> {
    super::retry_after::retry_after(headers, now)
}
