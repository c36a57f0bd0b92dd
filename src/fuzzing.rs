//! What the fuzz targets in `fuzz/` reach beyond the public interface. Compiled with `--cfg fuzzing` only, which
//! `cargo fuzz` sets; no build of an application has this module, and nothing in it is a promise.

pub use crate::setting::fuzzing::content_kind;
pub use crate::store::fuzzing::{
    SrvAnswer, connection_string, error_of_answer, list_page, next_page, replicas, sync_tokens,
};
pub use crate::transport::fuzzing::retry_after;
pub use crate::tree::fuzzing::{Rules, assemble};
