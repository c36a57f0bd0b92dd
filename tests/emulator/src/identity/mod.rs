//! Microsoft Entra ID and managed identity: who hands out the tokens.
//!
//! One service answers for the authority (`login.microsoftonline.com`), for the instance metadata address
//! (`169.254.169.254`) and for the App Service endpoint; the path tells which. All three issue tokens of the same
//! issuer, for the same set of resources.

mod authority;
mod discovery;
mod failure;
mod form;
mod handle;
mod managed;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;
use time::OffsetDateTime;

use crate::service::Service;
use crate::token::TokenIssuer;
use failure::Script;

pub use failure::TokenFailure;
pub use handle::IdentityHandle;

/// Resources that exist in every tenant; single stores (`https://NAME.azconfig.io`) do too.
const RESOURCES: [&str; 14] = [
    "https://vault.azure.net",
    "https://vault.azure.cn",
    "https://vault.usgovcloudapi.net",
    "https://managedhsm.azure.net",
    "https://managedhsm.azure.cn",
    "https://managedhsm.usgovcloudapi.net",
    "https://azconfig.io",
    "https://appconfig.azure.com",
    "https://appconfig.azure.us",
    "https://appconfig.azure.cn",
    "https://azconfig.azure.us",
    "https://azconfig.azure.cn",
    "https://management.azure.com",
    "https://graph.microsoft.com",
];

/// What a token is good for if nobody says otherwise. Entra's default varies between 60 and 90 minutes.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The token endpoints of one tenant. Tests reach it through an [`IdentityHandle`].
pub struct Identity {
    tokens: Arc<TokenIssuer>,
    state: Mutex<State>,
}

struct State {
    /// Client secret by application id.
    applications: BTreeMap<String, String>,
    /// Subject that client assertions must name, by application id; any subject if absent.
    subjects: BTreeMap<String, String>,
    resources: BTreeSet<String>,
    lifetime: Duration,
    /// Client, object or resource ids of user-assigned identities.
    user_assigned: BTreeSet<String>,
    system_assigned: bool,
    identity_header: String,
    /// Client assertions that were presented, newest last.
    assertions: Vec<String>,
    authority_failures: Script,
    managed_failures: Script,
    local_url: Option<String>,
    served: u64,
}

/// An answer before it becomes HTTP.
struct Reply {
    status: StatusCode,
    body: Value,
    retry_after: Option<u64>,
}

impl Identity {
    /// A tenant with one application, whose id and secret the handle tells, and a system-assigned identity.
    pub fn new(tokens: Arc<TokenIssuer>) -> Self {
        let application = (
            handle::CLIENT_ID.to_owned(),
            handle::CLIENT_SECRET.to_owned(),
        );
        let state = State {
            applications: BTreeMap::from([application]),
            subjects: BTreeMap::new(),
            resources: RESOURCES.map(str::to_owned).into(),
            lifetime: LIFETIME,
            user_assigned: BTreeSet::new(),
            system_assigned: true,
            identity_header: "emulator-identity-header".to_owned(),
            assertions: Vec::new(),
            authority_failures: Script::default(),
            managed_failures: Script::default(),
            local_url: None,
            served: 0,
        };
        Self {
            tokens,
            state: Mutex::new(state),
        }
    }

    /// Where the authority also answers, such as `https://localhost:8440`.
    pub fn set_local_url(&self, url: impl Into<String>) {
        self.lock().local_url = Some(url.into());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request<Bytes>, now: OffsetDateTime) -> Reply {
        let mut state = self.lock();
        state.served += 1;
        let path = request.uri().path().trim_matches('/').to_owned();
        let segments: Vec<&str> = path.split('/').collect();
        match *segments.as_slice() {
            ["msi", "token"] => managed::app_service(&mut state, &self.tokens, request, now),
            ["metadata", "identity", "oauth2", "token"] => {
                managed::instance_metadata(&mut state, &self.tokens, request, now)
            }
            [tenant, "oauth2", "v2.0", "token"] | [tenant, "oauth2", "token"] => {
                if request.method() != Method::POST {
                    return Reply::new(StatusCode::METHOD_NOT_ALLOWED, Value::Null);
                }
                authority::token(&mut state, &self.tokens, tenant, request, now)
            }
            [tenant, "v2.0", ".well-known", "openid-configuration"] => {
                discovery::configuration(&self.tokens, tenant, request, &state, now)
            }
            ["common", "discovery", "instance"] => discovery::instance(&state, request, now),
            [_, "discovery", "v2.0", "keys"] | [_, "discovery", "keys"] => discovery::keys(),
            _ => Reply::new(StatusCode::NOT_FOUND, Value::Null),
        }
    }
}

impl Service for Identity {
    fn handle(&self, request: &Request<Bytes>, now: OffsetDateTime) -> Response<Bytes> {
        self.answer(request, now).into_response()
    }
}

impl State {
    /// Whether tokens can be had for this resource; one trailing slash does not matter.
    fn knows_resource(&self, resource: &str) -> bool {
        let resource = resource
            .strip_suffix('/')
            .unwrap_or(resource)
            .to_ascii_lowercase();
        let store = resource
            .strip_prefix("https://")
            .and_then(|host| host.strip_suffix(".azconfig.io"));
        self.resources.contains(&resource)
            || store.is_some_and(|name| !name.is_empty() && !name.contains(['.', '/']))
    }

    /// A stand-in for the trace and correlation ids of an answer, different each time.
    fn trace_id(&self) -> String {
        format!("00000000-0000-4000-9000-{:012x}", self.served)
    }
}

impl Reply {
    fn new(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            body,
            retry_after: None,
        }
    }

    fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    fn into_response(self) -> Response<Bytes> {
        let body = match self.body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        headers.insert(
            "cache-control",
            HeaderValue::from_static("no-store, no-cache"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert("retry-after", HeaderValue::from(seconds));
        }
        response
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("tenant_id", &self.tokens.tenant_id())
            .finish_non_exhaustive()
    }
}
