//! The guard in front of the transport.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::{AUTHORIZATION, HeaderName};
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::{HostLimits, HostPolicy, Limits, Refusal};

const CONTENT_LENGTH: HeaderName = HeaderName::from_static("content-length");

/// Lets only requests to allowed hosts through, and only answers that are complete, in time and not too long.
///
/// It reads every body itself, counting bytes after decompression, so that one deadline covers the headers and
/// the whole body. A redirect is an error. It never retries.
#[derive(Debug)]
pub(crate) struct Guard {
    inner: Arc<dyn HttpClient>,
    policy: HostPolicy,
    limits: Limits,
}

impl Guard {
    pub(crate) fn new(inner: Arc<dyn HttpClient>, policy: HostPolicy, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            inner,
            policy,
            limits,
        })
    }

    /// The hosts that may be asked; more can be added at any time.
    pub(crate) fn policy(&self) -> &HostPolicy {
        &self.policy
    }

    async fn answer(
        &self,
        request: &Request,
        limits: HostLimits,
    ) -> azure_core::Result<AsyncRawResponse> {
        let response = self.inner.execute_request(request).await?;
        let (status, headers, body) = response.deconstruct();
        let code = u16::from(status);
        if (300..400).contains(&code) && code != 304 {
            return Err(Refusal::Redirect(code).into());
        }
        let announced = headers
            .get_optional_str(&CONTENT_LENGTH)
            .and_then(|length| length.trim().parse::<usize>().ok());
        let body = read(body, announced, limits.bytes).await?;
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// The body of an answer of the guard, which has collected it: one piece, and no second copy of it.
pub(crate) async fn collected(
    mut body: azure_core::http::AsyncResponseBody,
) -> azure_core::Result<Bytes> {
    body.next().await.unwrap_or_else(|| Ok(Bytes::new()))
}

/// Collects a body, giving up as soon as it is longer than `most`.
async fn read(
    mut body: azure_core::http::AsyncResponseBody,
    announced: Option<usize>,
    most: usize,
) -> azure_core::Result<Bytes> {
    let mut all = BytesMut::with_capacity(announced.unwrap_or(0).min(most).min(1 << 20));
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        if all.len() + chunk.len() > most {
            return Err(Refusal::TooLarge(most).into());
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

#[async_trait]
impl HttpClient for Guard {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let bearer = request
            .headers()
            .get_optional_str(&AUTHORIZATION)
            .is_some_and(is_bearer);
        let kind = self.policy.check(request.url(), bearer)?;
        let limits = self.limits.of(kind);
        match tokio::time::timeout(limits.time, self.answer(request, limits)).await {
            Ok(answer) => answer,
            Err(_) => Err(Refusal::Deadline.into()),
        }
    }
}

fn is_bearer(authorization: &str) -> bool {
    authorization
        .trim_start()
        .get(..6)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}
