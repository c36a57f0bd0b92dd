//! What the fuzz targets reach of this room.

use std::time::{Duration, SystemTime};

use azure_core::http::headers::Headers;

/// How long a vault asks to wait.
#[must_use]
pub fn vault_retry_after(headers: &Headers, now: SystemTime) -> Option<Duration> {
    super::retry_after::retry_after(headers, now)
}
