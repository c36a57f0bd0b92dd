//! Sync tokens: how far a store had come when it answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub(crate) const HEADER: &str = "sync-token";

/// The one token id, the same in every recorded store.
const ID: &str = "zAJw6V16";

/// The token of a store after so many changes.
pub(crate) fn write(changes: usize) -> String {
    let value = BASE64.encode(format!("0:-1#{changes}"));
    format!("{ID}={value};sn={changes}")
}
