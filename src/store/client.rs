//! One endpoint: sends requests, retries them shortly, and carries its own sync tokens.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use azure_core::http::headers::{ACCEPT, HeaderName, Headers};
use azure_core::http::{HttpClient, Method, Request, Url};
use bytes::Bytes;

use super::audience;
use super::auth::{Authorizer, StoreCredential, http_date};
use super::correlation::Correlation;
use super::endpoint::Endpoint;
use super::failure::{from_status, from_transport, is_gone, is_retriable};
use super::gate::Gate;
use super::query::RequestLines;
use super::retry::{LONGEST_PAUSE, RETRIES, pause};
use super::sync_token::SyncTokens;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Guard, collected};

const ACCEPT_DATETIME: HeaderName = HeaderName::from_static("accept-datetime");
const CORRELATION_CONTEXT: HeaderName = HeaderName::from_static("correlation-context");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");
const IF_NONE_MATCH: HeaderName = HeaderName::from_static("if-none-match");
const SYNC_TOKEN: HeaderName = HeaderName::from_static("sync-token");
const USER_AGENT: HeaderName = HeaderName::from_static("user-agent");

const AGENT: &str = concat!("config-azure/", env!("CARGO_PKG_VERSION"));

/// What all endpoints of a store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) lines: RequestLines,
    pub(super) transport: Arc<Guard>,
    pub(super) authorizer: Authorizer,
    /// How many other endpoints there are.
    pub(super) alternatives: AtomicUsize,
    pub(super) correlation: Correlation,
    /// Why the last request failed, if it did; for whoever wonders what takes so long.
    pub(super) trouble: Mutex<Option<Error>>,
}

impl Shared {
    pub(super) fn trouble(&self) -> Option<Error> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<Error>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// What an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    List,
    Item,
    Snapshot,
}

impl Media {
    fn name(self) -> &'static str {
        match self {
            Self::List => "vnd.microsoft.appconfig.kvset+json",
            Self::Item => "vnd.microsoft.appconfig.kv+json",
            Self::Snapshot => "vnd.microsoft.appconfig.snapshot+json",
        }
    }

    /// The exact type, or plain JSON, with any parameters. A gateway's page or a problem document is neither.
    fn fits(self, content_type: &str) -> bool {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        media.split_once('/').is_some_and(|(main, sub)| {
            main.eq_ignore_ascii_case("application")
                && (sub.eq_ignore_ascii_case(self.name()) || sub.eq_ignore_ascii_case("json"))
        })
    }
}

/// One GET.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) line: String,
    pub(super) media: Media,
    /// The ETag at hand, as the service wrote it: only a change is sent back.
    pub(super) known: Option<&'a str>,
    pub(super) as_of: Option<SystemTime>,
}

impl<'a> Call<'a> {
    pub(super) fn new(line: String, media: Media) -> Self {
        Self {
            line,
            media,
            known: None,
            as_of: None,
        }
    }

    pub(super) fn known(mut self, etag: Option<&'a str>) -> Self {
        self.known = etag;
        self
    }

    pub(super) fn at_moment(mut self, moment: Option<SystemTime>) -> Self {
        self.as_of = moment;
        self
    }
}

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    Found {
        url: Url,
        headers: Headers,
        body: Bytes,
    },
    Unchanged {
        url: Url,
        headers: Headers,
    },
    Absent,
}

/// The client of one endpoint.
#[derive(Debug)]
pub(super) struct EndpointClient {
    endpoint: Endpoint,
    scope: String,
    sync_tokens: SyncTokens,
    gate: Gate,
    /// True while it stands in for an endpoint that failed.
    stands_in: AtomicBool,
    shared: Arc<Shared>,
}

impl EndpointClient {
    pub(super) fn new(endpoint: Endpoint, shared: Arc<Shared>) -> Self {
        let scope = match shared.authorizer.credential() {
            StoreCredential::Token { audience, .. } => {
                audience::scope(&endpoint, audience.as_deref())
            }
            _ => String::new(),
        };
        Self {
            endpoint,
            scope,
            sync_tokens: SyncTokens::default(),
            gate: Gate::default(),
            stands_in: AtomicBool::new(false),
            shared,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn lines(&self) -> &RequestLines {
        &self.shared.lines
    }

    /// Whether it is asked in place of an endpoint that failed.
    pub(super) fn stands_in(&self, stands_in: bool) {
        self.stands_in.store(stands_in, Ordering::Relaxed);
    }

    /// How long the endpoint does not want to be asked.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        self.gate.closed_for()
    }

    pub(super) fn sync_tokens(&self) -> &SyncTokens {
        &self.sync_tokens
    }

    /// Sends a request, up to three times if it fails in a way that may pass, waiting no longer in between than
    /// a caller would. A 404 is an answer.
    pub(super) async fn get(&self, call: &Call<'_>) -> Result<Answer> {
        let url = self.endpoint.join(&call.line)?;
        let mut learned = false;
        let mut attempt = 0;
        loop {
            self.gate.pass().await?;
            let error = match self.attempt(&url, call, &mut learned).await {
                Ok(answer) => {
                    self.shared.set_trouble(None);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            self.shared.set_trouble(Some(error.clone()));
            if let Some(asked) = error.retry_after() {
                self.gate.close(asked);
            }
            if attempt == RETRIES || !self.may_try_again(&error) {
                return Err(error);
            }
            tracing::debug!(error = %error, attempt, "the store is asked again");
            tokio::time::sleep(pause(attempt, &error)).await;
            attempt += 1;
        }
    }

    fn may_try_again(&self, error: &Error) -> bool {
        let soon = error.retry_after().unwrap_or_default() <= LONGEST_PAUSE;
        let elsewhere = self.shared.alternatives.load(Ordering::Relaxed) > 0 && is_gone(error);
        soon && !elsewhere && is_retriable(error)
    }

    /// One attempt; one more at once if a 401 taught something.
    async fn attempt(&self, url: &Url, call: &Call<'_>, learned: &mut bool) -> Result<Answer> {
        loop {
            let request = self.request(url, call).await?;
            let (status, headers, body) = self.exchange(&request).await?;
            if status == 401
                && !*learned
                && self
                    .shared
                    .authorizer
                    .learn_from_refusal(&request, &headers, &self.scope)
            {
                *learned = true;
                continue;
            }
            return self.answer(url, call, status, headers, body);
        }
    }

    async fn request(&self, url: &Url, call: &Call<'_>) -> Result<Request> {
        let mut request = Request::new(url.clone(), Method::Get);
        request.insert_header(
            ACCEPT,
            format!(
                "application/{}, application/problem+json",
                call.media.name()
            ),
        );
        request.insert_header(USER_AGENT, AGENT);
        if let Some(etag) = call.known {
            request.insert_header(IF_NONE_MATCH, etag.to_owned());
        }
        if let Some(moment) = call.as_of {
            request.insert_header(ACCEPT_DATETIME, http_date(moment));
        }
        let replicas = self.shared.alternatives.load(Ordering::Relaxed);
        let stands_in = self.stands_in.load(Ordering::Relaxed);
        if let Some(correlation) = self.shared.correlation.header(replicas, stands_in) {
            request.insert_header(CORRELATION_CONTEXT, correlation);
        }
        if let Some(tokens) = self.sync_tokens.header() {
            request.insert_header(SYNC_TOKEN, tokens);
        }
        self.shared
            .authorizer
            .authorize(&mut request, &self.endpoint, &self.scope)
            .await?;
        Ok(request)
    }

    async fn exchange(&self, request: &Request) -> Result<(u16, Headers, Bytes)> {
        let unreachable = |error| from_transport(&self.endpoint, error);
        let response = self
            .shared
            .transport
            .execute_request(request)
            .await
            .map_err(unreachable)?;
        let (status, headers, body) = response.deconstruct();
        let body = collected(body).await.map_err(unreachable)?;
        if let Some(tokens) = headers.get_optional_str(&SYNC_TOKEN) {
            self.sync_tokens.merge(tokens);
        }
        Ok((status.into(), headers, body))
    }

    fn answer(
        &self,
        url: &Url,
        call: &Call<'_>,
        status: u16,
        headers: Headers,
        body: Bytes,
    ) -> Result<Answer> {
        match status {
            200 => {
                let content_type = headers.get_optional_str(&CONTENT_TYPE).unwrap_or_default();
                if !call.media.fits(content_type) {
                    return Err(self
                        .protocol("the answer is not a configuration: its media type is another"));
                }
                Ok(Answer::Found {
                    url: url.clone(),
                    headers,
                    body,
                })
            }
            304 if call.known.is_some() => Ok(Answer::Unchanged {
                url: url.clone(),
                headers,
            }),
            404 => Ok(Answer::Absent),
            _ if status < 400 => Err(self
                .protocol("the answer has a status that makes no sense here")
                .with_status(status)),
            _ => Err(from_status(
                &self.endpoint,
                self.shared.authorizer.scheme(),
                status,
                &headers,
                &body,
                self.shared.authorizer.now(),
            )),
        }
    }

    fn protocol(&self, message: &'static str) -> Error {
        Error::new(ErrorKind::Protocol, message).with_endpoint(self.endpoint.as_str())
    }

    /// The error for a 404 where there is nothing that could rightly be absent.
    pub(super) fn absent(&self) -> Error {
        from_status(
            &self.endpoint,
            self.shared.authorizer.scheme(),
            404,
            &Headers::new(),
            b"",
            SystemTime::UNIX_EPOCH,
        )
    }
}
