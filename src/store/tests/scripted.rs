//! A transport that answers some requests out of a script and passes on the rest.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, Url};

/// What the script does with a request.
pub(super) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// No connection.
    Refused,
    /// The same request at another host: a replica that holds the same.
    At(&'static str),
    /// To the transport beneath, as it is.
    Pass,
}

impl Reply {
    /// A page of settings, given as JSON items.
    pub(super) fn list(items: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::json("kvset", &format!("{{\"items\":[{items}]}}"), headers)
    }

    pub(super) fn json(media: &str, body: &str, headers: &[(&'static str, &str)]) -> Self {
        let content_type =
            format!("application/vnd.microsoft.appconfig.{media}+json; charset=utf-8");
        let mut all = vec![("content-type", content_type)];
        all.extend(
            headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        Self::Answer {
            status: 200,
            headers: all,
            body: body.to_owned(),
        }
    }

    pub(super) fn status(status: u16, headers: &[(&'static str, &str)]) -> Self {
        Self::Answer {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            body: String::new(),
        }
    }
}

type Script = Box<dyn FnMut(&Seen) -> Reply + Send>;

/// A request that was made.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) host: String,
    pub(super) line: String,
    pub(super) headers: Headers,
}

impl Seen {
    pub(super) fn header(&self, name: &'static str) -> Option<&str> {
        let name = azure_core::http::headers::HeaderName::from_static(name);
        self.headers.get_optional_str(&name)
    }
}

pub(super) struct Scripted {
    beneath: Option<Arc<dyn HttpClient>>,
    script: Mutex<Script>,
    seen: Mutex<Vec<Seen>>,
}

impl Scripted {
    pub(super) fn new(
        beneath: Option<Arc<dyn HttpClient>>,
        script: impl FnMut(&Seen) -> Reply + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            beneath,
            script: Mutex::new(Box::new(script)),
            seen: Mutex::default(),
        })
    }

    /// All requests so far, forgotten thereafter.
    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn decide(&self, request: &Request) -> Reply {
        let url = request.url();
        let seen = Seen {
            host: url.host_str().unwrap_or_default().to_owned(),
            line: format!("{}?{}", url.path(), url.query().unwrap_or_default()),
            headers: request.headers().clone(),
        };
        let reply = (self.script.lock().unwrap())(&seen);
        self.seen.lock().unwrap().push(seen);
        reply
    }

    async fn pass(&self, request: &Request, url: Url) -> azure_core::Result<AsyncRawResponse> {
        let mut passed = request.clone();
        *passed.url_mut() = url;
        let beneath = self
            .beneath
            .as_ref()
            .expect("nothing is beneath this script");
        beneath.execute_request(&passed).await
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl HttpClient for Scripted {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url().clone();
        match self.decide(request) {
            Reply::Answer {
                status,
                headers,
                body,
            } => {
                let mut map = Headers::new();
                for (name, value) in headers {
                    map.insert(name, value);
                }
                Ok(AsyncRawResponse::from_bytes(status.into(), map, body))
            }
            Reply::Refused => Err(azure_core::Error::with_message(
                ErrorKind::Connection,
                "refused",
            )),
            Reply::Pass => self.pass(request, url).await,
            Reply::At(host) => {
                let mut url = url;
                url.set_host(Some(host)).unwrap();
                self.pass(request, url).await
            }
        }
    }
}
