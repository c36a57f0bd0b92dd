//! Pages: continuation tokens, page ETags, links, conditional answers.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::problem::Problem;
use super::setting::Name;

/// The token that continues after `name`: base64 of key, newline, label.
pub(crate) fn token_after(name: &Name) -> String {
    let label = name.label().unwrap_or_default();
    BASE64.encode(format!("{}\n{label}", name.key.0))
}

/// Reads a continuation token; a bad one is ignored, as the service does.
pub(crate) fn name_in(token: &str) -> Option<Name> {
    let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
    let (key, label) = text.split_once('\n')?;
    Some(Name::new(key, Some(label)))
}

/// The ETag of a page: a digest of its items' ETags and its continuation.
pub(crate) fn page_etag<'a>(etags: impl Iterator<Item = &'a str>, token: Option<&str>) -> String {
    let mut text = String::from("kvset\n");
    let marker = text.len();
    for etag in etags {
        text.push_str(etag);
        text.push('\n');
    }
    if text.len() == marker {
        text.push('\n');
    }
    text.push_str(token.unwrap_or_default());
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    BASE64URL.encode(digest::digest(&digest::SHA256, &bytes))
}

/// What a request demands of the ETag.
#[derive(Debug)]
pub(crate) struct Preconditions {
    matching: Option<Demand>,
    differing: Option<Demand>,
}

#[derive(Debug)]
enum Demand {
    Any,
    Exactly(String),
}

impl Demand {
    fn parse(headers: &HeaderMap, name: header::HeaderName) -> Option<Self> {
        let text = headers.get(name)?.to_str().ok()?;
        let first = text.split(',').next().unwrap_or_default().trim();
        Some(match first {
            "*" => Self::Any,
            etag => Self::Exactly(etag.trim_start_matches("W/").trim_matches('"').to_owned()),
        })
    }

    fn met_by(&self, etag: Option<&str>) -> bool {
        match self {
            Self::Any => etag.is_some(),
            Self::Exactly(wanted) => etag == Some(wanted),
        }
    }
}

impl Preconditions {
    /// Reads `If-Match` and `If-None-Match`; of a list of ETags the first counts.
    pub(crate) fn parse(headers: &HeaderMap) -> Self {
        Self {
            matching: Demand::parse(headers, header::IF_MATCH),
            differing: Demand::parse(headers, header::IF_NONE_MATCH),
        }
    }

    /// Whether a read with this ETag is to be answered with 304.
    pub(crate) fn unmodified(&self, etag: &str) -> Result<bool, Problem> {
        let met = |demand: &Demand| demand.met_by(Some(etag));
        if !self.matching.as_ref().is_none_or(met) {
            return Err(Problem::precondition_failed());
        }
        Ok(self.differing.as_ref().is_some_and(met))
    }

    /// Whether a write may go on where this ETag stands (or nothing).
    pub(crate) fn allow_write(&self, etag: Option<&str>) -> Result<(), Problem> {
        let matching = self.matching.as_ref();
        let differing = self.differing.as_ref();
        if matching.is_none_or(|demand| demand.met_by(etag))
            && differing.is_none_or(|demand| !demand.met_by(etag))
        {
            Ok(())
        } else {
            Err(Problem::precondition_failed())
        }
    }
}

/// 200 with a body of this media type.
pub(crate) fn ok(media_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// 304: neither body nor media type.
pub(crate) fn not_modified() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// Sets `ETag`, in quotes.
pub(crate) fn set_etag(response: &mut Response<Bytes>, etag: &str) {
    let etag = HeaderValue::try_from(format!("\"{etag}\"")).expect("an ETag is plain ASCII");
    response.headers_mut().insert(header::ETAG, etag);
}

/// Adds a `Link` of this relation; each has a header of its own.
pub(crate) fn add_link(response: &mut Response<Bytes>, target: &str, relation: &str) {
    let link = format!("<{target}>; rel=\"{relation}\"");
    let link = HeaderValue::try_from(link).expect("an encoded reference is plain ASCII");
    response.headers_mut().append(header::LINK, link);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_tokens_are_read_and_written_alike() {
        let recorded = "a2V5LTE2MTIzNTg1NjUKODM=";
        let name = name_in(recorded).expect("a recorded token");
        assert_eq!(name, Name::new("key-1612358565", Some("83")));
        assert_eq!(token_after(&name), recorded);
        assert_eq!(name_in("%%%"), None);
        assert_eq!(name_in("YQ=="), None, "no newline");
        assert_eq!(name_in("YQo="), Some(Name::new("a", None)));
    }

    #[test]
    fn the_page_etag_covers_items_order_and_continuation() {
        // SHA-256 of the UTF-16LE text, computed with Python's hashlib.
        assert_eq!(page_etag([].into_iter(), None), EMPTY);
        assert_eq!(page_etag(["a", "b"].into_iter(), Some("YQo=")), TWO);
        assert_ne!(page_etag(["b", "a"].into_iter(), Some("YQo=")), TWO);
        assert_ne!(page_etag(["a", "b"].into_iter(), None), TWO);
    }

    const EMPTY: &str = "00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0";
    const TWO: &str = "1_hf5ok-fu_V6mHAtd47-M4B_rLshsL6VR0_Isarynw";
}
