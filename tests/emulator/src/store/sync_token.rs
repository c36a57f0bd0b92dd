//! Sync tokens: how far a store or replica had come when it answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;

pub(crate) const HEADER: &str = "sync-token";

/// The one token id, the same in every recorded store.
const ID: &str = "zAJw6V16";

/// The token of the replica number `region` after so many changes.
pub(crate) fn write(region: usize, changes: usize) -> String {
    let value = BASE64.encode(format!("{region}:-1#{changes}"));
    format!("{ID}={value};sn={changes}")
}

/// How many changes the client has seen of the replica number `region`, by the tokens that it sent.
pub(crate) fn seen(headers: &HeaderMap, region: usize) -> Option<usize> {
    let values = headers.get_all(HEADER).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let tokens = texts.flat_map(|text| text.split(','));
    tokens
        .filter_map(|token| changes_in(token.trim(), region))
        .max()
}

fn changes_in(token: &str, region: usize) -> Option<usize> {
    let (id, value) = token.split_once('=')?;
    let value = value.split(";sn=").next()?;
    let text = String::from_utf8(BASE64.decode(value).ok()?).ok()?;
    let (place, changes) = text.split_once('#')?;
    let here = id == ID && place.split(':').next()?.parse() == Ok(region);
    changes.parse().ok().filter(|_| here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_understood_by_the_replica_that_wrote_it() {
        let token = write(2, 17);
        let (sent, sequence) = token.split_once(";sn=").expect("a sequence number");
        assert_eq!(sequence, "17");
        let mut headers = HeaderMap::new();
        let list = format!("other=AAAA, {sent}, bad, {ID}=%%");
        headers.insert(HEADER, list.parse().expect("a header"));
        assert_eq!(seen(&headers, 2), Some(17));
        assert_eq!(seen(&headers, 1), None);
    }
}
