//! What a vault answers: JSON, nothing, or a problem in the service's words.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// As newer recordings show it.
const SERVICE_VERSION: &str = "1.9.775.1";

/// A successful answer.
pub(super) enum Reply {
    Json(Value),
    /// 204, after a purge.
    Empty,
}

/// An answer of the form `{"error": {"code", "message", "innererror"?}}`.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    inner: Option<&'static str>,
    challenge: Option<String>,
    retry_after: Option<u64>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            inner: None,
            challenge: None,
            retry_after: None,
        }
    }

    /// 400 for a request that the service cannot make sense of.
    pub(super) fn bad_parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadParameter", message)
    }

    /// 403 with the inner code that tells the reasons apart.
    pub(super) fn forbidden(inner: &'static str, message: impl Into<String>) -> Self {
        Self {
            inner: Some(inner),
            ..Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
        }
    }

    /// 405, as recorded for a PUT without a name.
    pub(super) fn method_not_allowed(method: &http::Method) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            format!("HTTP {method} not allowed"),
        )
    }

    /// 501 for an operation that the real service has and the emulator has not.
    pub(super) fn not_emulated(operation: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            format!("The emulator does not implement '{operation}'."),
        )
    }

    pub(super) fn inner(mut self, code: &'static str) -> Self {
        self.inner = Some(code);
        self
    }

    pub(super) fn challenge(mut self, value: String) -> Self {
        self.challenge = Some(value);
        self
    }

    pub(super) fn retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after = seconds;
        self
    }

    fn body(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(inner) = self.inner {
            error["innererror"] = json!({"code": inner});
        }
        json!({"error": error})
    }
}

/// Writes the answer with the headers that every answer of the service carries.
pub(super) fn into_response(outcome: Result<Reply, Problem>, request_id: &str) -> Response<Bytes> {
    let mut response = match outcome {
        Ok(Reply::Json(value)) => json_response(StatusCode::OK, &value),
        Ok(Reply::Empty) => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Err(problem) => {
            let mut response = json_response(problem.status, &problem.body());
            if let Some(challenge) = &problem.challenge {
                insert(&mut response, WWW_AUTHENTICATE, challenge);
            }
            if let Some(seconds) = problem.retry_after {
                insert(&mut response, RETRY_AFTER, &seconds.to_string());
            }
            response
        }
    };
    insert(
        &mut response,
        http::HeaderName::from_static("x-ms-keyvault-region"),
        super::REGION,
    );
    insert(
        &mut response,
        http::HeaderName::from_static("x-ms-keyvault-service-version"),
        SERVICE_VERSION,
    );
    insert(
        &mut response,
        http::HeaderName::from_static("x-ms-request-id"),
        request_id,
    );
    response
}

fn json_response(status: StatusCode, value: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

fn insert(response: &mut Response<Bytes>, name: http::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("the vault writes plain header values");
    response.headers_mut().insert(name, value);
}
