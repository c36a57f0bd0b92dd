//! HMAC-SHA256 request signatures, checked byte by byte.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::Request;
use time::{Duration, OffsetDateTime};

use crate::http_date;

/// How far the request's date may lie from the service's clock, both ways.
const WINDOW: Duration = Duration::minutes(15);

/// An access key of a store.
#[derive(Clone)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) read_only: bool,
}

/// The parts of an `Authorization` of this scheme.
struct Signed<'a> {
    credential: &'a str,
    headers: Vec<&'a str>,
    signature: &'a str,
}

/// Checks the signature of `request`; the key that made it, or the service's words about what is wrong.
pub(crate) fn verify<'k>(
    request: &Request<Bytes>,
    parameters: &str,
    keys: &'k [AccessKey],
    now: OffsetDateTime,
) -> Result<&'k AccessKey, String> {
    let signed = parse(parameters)
        .ok_or_else(|| "[Credential][SignedHeaders][Signature] is required".to_owned())?;
    let key = keys.iter().find(|key| key.id == signed.credential);
    let key = key.ok_or_else(|| "Invalid Credential".to_owned())?;
    let values = signed_values(request, &signed.headers)?;
    check_date(request, &signed.headers, now)?;
    let hash = BASE64.encode(digest::digest(&digest::SHA256, request.body()));
    let text = string_to_sign(request, &values);
    let signature = BASE64.decode(signed.signature).unwrap_or_default();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &key.secret);
    let genuine = hmac::verify(&secret, text.as_bytes(), &signature).is_ok();
    // The documentation has no words of its own for a body that does not fit its hash.
    if genuine && header(request, "x-ms-content-sha256") == Some(&hash) {
        Ok(key)
    } else {
        Err("Invalid Signature".to_owned())
    }
}

fn parse(parameters: &str) -> Option<Signed<'_>> {
    let separators = ['&', ',', ' '];
    let part = |wanted: &str| {
        parameters
            .split(separators)
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    };
    Some(Signed {
        credential: part("Credential")?,
        headers: part("SignedHeaders")?.split(';').collect(),
        signature: part("Signature")?,
    })
}

/// The values of the signed headers in the order in which they are named.
fn signed_values<'r>(request: &'r Request<Bytes>, names: &[&str]) -> Result<Vec<&'r str>, String> {
    let signs = |name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    for required in ["host", "x-ms-content-sha256"] {
        if !signs(required) {
            return Err(format!("{required} is required as a signed header"));
        }
    }
    if !signs("x-ms-date") && !signs("date") {
        return Err("x-ms-date is required as a signed header".to_owned());
    }
    let value = |name: &&str| {
        header(request, name)
            .ok_or_else(|| format!("Signed request header '{name}' is not provided"))
    };
    names.iter().map(value).collect()
}

/// If both dates are signed, `x-ms-date` counts.
fn check_date(request: &Request<Bytes>, names: &[&str], now: OffsetDateTime) -> Result<(), String> {
    let of_ms = names.iter().any(|n| n.eq_ignore_ascii_case("x-ms-date"));
    let text = header(request, if of_ms { "x-ms-date" } else { "date" });
    let date = text.and_then(http_date::parse);
    let date = date.ok_or_else(|| "Invalid access token date".to_owned())?;
    if (now - date).abs() > WINDOW {
        return Err("The access token has expired".to_owned());
    }
    Ok(())
}

fn string_to_sign(request: &Request<Bytes>, values: &[&str]) -> String {
    let uri = request.uri();
    let path_and_query = uri.path_and_query().map_or("/", |p| p.as_str());
    let method = request.method().as_str().to_uppercase();
    format!("{method}\n{path_and_query}\n{}", values.join(";"))
}

fn header<'r>(request: &'r Request<Bytes>, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}
