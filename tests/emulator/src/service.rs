//! The seam between the fronts (sockets, memory) and the services.

use bytes::Bytes;
use time::OffsetDateTime;

/// One emulated service: a pure function of its own state, the request and the time.
///
/// The request's URI is absolute (`https://contoso.azconfig.io/kv?...`), its path and query exactly as they
/// stood on the request line. `now` is the emulator's wall clock, which tests may move.
pub trait Service: Send + Sync {
    /// Answers one request. Never blocks, never sleeps: latency and faults belong to the fronts.
    fn handle(&self, request: &http::Request<Bytes>, now: OffsetDateTime) -> http::Response<Bytes>;
}
