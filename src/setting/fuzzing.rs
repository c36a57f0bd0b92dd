//! What the fuzz targets reach of this room.

use super::ContentKind;

/// How a setting with this content type is read, by name.
#[must_use]
pub fn content_kind(content_type: &str) -> String {
    format!("{:?}", ContentKind::of(Some(content_type)))
}
