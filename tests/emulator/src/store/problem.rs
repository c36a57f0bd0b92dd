//! Refusals: problem documents and bare statuses.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

const MEDIA_TYPE: &str = "application/problem+json; charset=utf-8";

/// An answer that refuses a request.
#[derive(Debug)]
pub(crate) struct Problem(Box<Response<Bytes>>);

impl Problem {
    /// A status without a body.
    pub(crate) fn bare(status: StatusCode) -> Self {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        Self(Box::new(response))
    }

    pub(crate) fn not_found() -> Self {
        Self::bare(StatusCode::NOT_FOUND)
    }

    pub(crate) fn precondition_failed() -> Self {
        Self::bare(StatusCode::PRECONDITION_FAILED)
    }

    pub(crate) fn method_not_allowed(allowed: &'static str) -> Self {
        Self::bare(StatusCode::METHOD_NOT_ALLOWED)
            .header(header::ALLOW, HeaderValue::from_static(allowed))
    }

    /// 401 with this `WWW-Authenticate`.
    pub(crate) fn unauthorized(challenge: &str) -> Self {
        let challenge = HeaderValue::try_from(challenge).expect("a challenge is plain ASCII");
        Self::bare(StatusCode::UNAUTHORIZED).header(header::WWW_AUTHENTICATE, challenge)
    }

    pub(crate) fn invalid_argument(name: &str, detail: &str) -> Self {
        let title = format!("Invalid request parameter '{name}'");
        Self::argument(&title, name, detail, None)
    }

    pub(crate) fn invalid_character(name: &str, position: usize) -> Self {
        let title = format!("Invalid request parameter '{name}'");
        let detail = format!("{name}({position}): Invalid character");
        Self::argument(&title, name, &detail, Some(position))
    }

    pub(crate) fn api_version(title: &str, detail: &str) -> Self {
        Self::argument(title, "api-version", detail, None)
    }

    /// The spelling of the title is the service's.
    pub(crate) fn key_locked(key: &str) -> Self {
        Self::document(
            StatusCode::CONFLICT,
            &json!({
                "type": "https://azconfig.io/errors/key-locked",
                "title": format!("Modifing key '{key}' is not allowed"),
                "name": key,
                "detail": "The key is read-only. To allow modification unlock it first.",
                "status": 409,
            }),
        )
    }

    pub(crate) fn already_exists() -> Self {
        Self::document(
            StatusCode::CONFLICT,
            &json!({
                "type": "https://azconfig.io/errors/already-exists",
                "title": "The resource already exists.",
                "status": 409,
                "detail": "",
            }),
        )
    }

    pub(crate) fn invalid_state(detail: &str) -> Self {
        Self::document(
            StatusCode::CONFLICT,
            &json!({
                "type": "https://azconfig.io/errors/invalid-state",
                "title": "Target resource state invalid.",
                "detail": detail,
                "status": 409,
            }),
        )
    }

    fn argument(title: &str, name: &str, detail: &str, position: Option<usize>) -> Self {
        let mut document = json!({
            "type": "https://azconfig.io/errors/invalid-argument",
            "title": title,
            "name": name,
            "detail": detail,
            "status": 400,
        });
        if let Some(position) = position {
            document["pos"] = position.into();
        }
        Self::document(StatusCode::BAD_REQUEST, &document)
    }

    fn document(status: StatusCode, document: &Value) -> Self {
        let mut problem =
            Self::bare(status).header(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        *problem.0.body_mut() = document.to_string().into();
        problem
    }

    fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        *self.0
    }

    /// The answer to a request with these headers: a client that accepts one of the service's own media types and no
    /// problem documents gets its problem under that type, as recorded.
    pub(crate) fn answer_to(self, request: &HeaderMap) -> Response<Bytes> {
        let mut response = self.into_response();
        let content_type = response.headers_mut().get_mut(header::CONTENT_TYPE);
        if let (Some(content_type), Some(own)) = (content_type, only_own_type(request)) {
            *content_type = own;
        }
        response
    }
}

fn only_own_type(request: &HeaderMap) -> Option<HeaderValue> {
    let accepted = request.get_all(header::ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let ranges = accepted.flat_map(|text| text.split(','));
    let essences = ranges.map(|range| range.split(';').next().unwrap_or_default().trim());
    let essences: Vec<_> = essences.collect();
    let general = ["*/*", "application/*", "application/problem+json"];
    if essences.iter().any(|essence| general.contains(essence)) {
        return None;
    }
    let own = |essence: &&&str| {
        essence.starts_with("application/vnd.microsoft.appconfig.") && essence.ends_with("+json")
    };
    let essence = essences.iter().find(own)?;
    HeaderValue::try_from(format!("{essence}; charset=utf-8")).ok()
}
