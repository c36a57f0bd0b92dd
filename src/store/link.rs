//! The way to the next page (provider-spec 1.6).

use url::Url;

use crate::error::{Error, ErrorKind, Result};

const LONGEST_TOKEN: usize = 8 << 10;

/// The continuation in a next link, or an error if the link leads anywhere but to more of the same list: only
/// the token may differ, and the request line is then built anew from our own query.
pub(crate) fn continuation(link: &str, request: &Url) -> Result<Box<str>> {
    let next = request.join(link).map_err(|_| refused("is not a URL"))?;
    let plain = next.username().is_empty() && next.password().is_none();
    if !plain || next.origin() != request.origin() {
        return Err(refused("leads to another host"));
    }
    if next.path().trim_end_matches('/') != request.path().trim_end_matches('/') {
        return Err(refused("leads to another path"));
    }
    let token = next
        .query()
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.eq_ignore_ascii_case("after").then_some(value)
        })
        .ok_or_else(|| refused("has no continuation"))?;
    let token = decoded(token).ok_or_else(|| refused("has a malformed continuation"))?;
    if token.is_empty() || token.len() > LONGEST_TOKEN {
        return Err(refused("has an empty or endless continuation"));
    }
    Ok(token.into_boxed_str())
}

/// The target with relation `next` in a `Link` header.
pub(crate) fn next_in_header(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let (target, after) = rest[start + 1..].split_once('>')?;
        let parameters = after.split('<').next().unwrap_or_default();
        if is_next(parameters) {
            return Some(target);
        }
        rest = after;
    }
    None
}

fn is_next(parameters: &str) -> bool {
    parameters.split([';', ',']).any(|parameter| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split_ascii_whitespace()
                    .any(|relation| relation.eq_ignore_ascii_case("next"))
        })
    })
}

/// Percent-decodes once; a plus sign stays one, since tokens are base64.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn refused(why: &'static str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("the link to the next page {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Url {
        Url::parse("https://contoso.azconfig.io/kv?api-version=2023-11-01&key=%2A&label=%00")
            .unwrap()
    }

    #[test]
    fn relative_and_absolute_links_of_the_service() {
        for link in [
            "/kv?api-version=1.0&after=a2V5%2BCjQz%3D",
            "/kv?key=multi_*&api-version=1.0&after=a2V5+CjQz=",
            "/kv/?api-version=1.0&After=a2V5%2bCjQz%3d",
            "https://contoso.azconfig.io/kv?after=a2V5+CjQz=",
            "?after=a2V5+CjQz=",
        ] {
            assert_eq!(
                &*continuation(link, &request()).unwrap(),
                "a2V5+CjQz=",
                "{link}"
            );
        }
    }

    #[test]
    fn t04_links_that_lead_elsewhere() {
        for link in [
            "https://evil.example/kv?after=x",
            "//evil.example/kv?after=x",
            "\\\\evil.example/kv?after=x",
            "http://contoso.azconfig.io/kv?after=x",
            "https://contoso.azconfig.io:8443/kv?after=x",
            "https://user@contoso.azconfig.io/kv?after=x",
            "https://user:pw@contoso.azconfig.io/kv?after=x",
            "/keys?after=x",
            "/kv/../keys?after=x",
            "/kv/secret?after=x",
            "/kv?api-version=1.0",
            "/kv?after=",
            "/kv?after=%zz",
            "/kv?after=%ff",
            "https://",
            "",
        ] {
            let error = continuation(link, &request()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{link}");
            assert!(!error.to_string().contains("evil"), "{error}");
        }
        let long = format!("/kv?after={}", "x".repeat(LONGEST_TOKEN + 1));
        assert!(continuation(&long, &request()).is_err());
    }

    #[test]
    fn the_relation_decides() {
        for (header, next) in [
            ("</kv?after=x>; rel=\"next\"", Some("/kv?after=x")),
            ("</kv?after=x>; REL=next", Some("/kv?after=x")),
            ("</kv>; rel=\"original\"", None),
            (
                "</kv>; rel=\"original\", </kv?after=x,y>; rel=\"next\"",
                Some("/kv?after=x,y"),
            ),
            (
                "</kv?after=x>; rel=\"next\", </kv>; rel=\"original\"",
                Some("/kv?after=x"),
            ),
            ("</kv>; rel=\"prev next\"; x=y", Some("/kv")),
            ("</kv>; title=\"next\"", None),
            ("</kv", None),
            ("", None),
        ] {
            assert_eq!(next_in_header(header), next, "{header}");
        }
    }
}
