//! Whether there is a managed identity service at all.

use std::time::Duration;

use azure_core::http::{HttpClient, Method, Request};
use url::Url;

use crate::environment::Environment;

use super::member::identity_endpoint;

/// The instance metadata service of a virtual machine.
pub(super) const INSTANCE_METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token?\
    api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com";
/// It answers within milliseconds if it is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the environment says about managed identity.
pub(super) enum Presence {
    There,
    /// The next member is tried.
    Absent(String),
    /// Something is set, but not right: the chain stops.
    Wrong(&'static str),
}

/// Looks at the environment, and otherwise asks the instance metadata service once.
pub(super) async fn managed_identity(
    environment: &Environment,
    transport: &dyn HttpClient,
) -> Presence {
    match identity_endpoint(environment) {
        Some(Ok(_)) => return Presence::There,
        Some(Err(wrong)) => return Presence::Wrong(wrong),
        None => {}
    }
    if environment.text("MSI_ENDPOINT").is_some() {
        // Azure ML or Cloud Shell; the member itself says that it does not support them.
        return Presence::There;
    }
    let Ok(url) = Url::parse(INSTANCE_METADATA) else {
        return Presence::Absent("no instance metadata service".to_owned());
    };
    let request = Request::new(url, Method::Get);
    let answer = tokio::time::timeout(PATIENCE, transport.execute_request(&request)).await;
    match answer {
        Ok(Ok(response)) if is_ours(u16::from(response.status())) => Presence::There,
        Ok(Ok(_)) => Presence::Absent("another instance metadata service answered".to_owned()),
        Ok(Err(_)) => Presence::Absent("no instance metadata service".to_owned()),
        Err(_) => {
            Presence::Absent("no answer from an instance metadata service in 1 second".to_owned())
        }
    }
}

/// Azure's service refuses a request without the header `Metadata` as a bad one, or says that it is busy. The
/// services of other clouds and the proxies of container tools say 401, 403 or 404.
fn is_ours(status: u16) -> bool {
    matches!(status, 400 | 410 | 429 | 500..)
}
