//! What the guides to secrets and to keys have in common.

use std::future::Future;
use std::time::Duration;

use azure_core::error::ErrorResponse;

use super::support::Result;

/// Deleting, recovering and purging go on after the answer: asks until the vault is there, for a minute at most.
pub async fn eventually<T, F>(mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = azure_core::Result<T>>,
{
    let mut attempts = 0;
    loop {
        match ask().await {
            Err(error) if error.http_status().is_some() && attempts < 30 => attempts += 1,
            outcome => return Ok(outcome?),
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// What a refusal says: the status, the innermost code and the message.
pub fn refusal(error: azure_core::Error) -> String {
    let status = error.http_status().map(|status| status.to_string());
    let Some(detail) = ErrorResponse::try_from(error)
        .ok()
        .and_then(|answer| answer.error)
    else {
        return status.unwrap_or_else(|| "no answer".to_owned());
    };
    let mut code = detail.code;
    let mut inner = detail.inner_error;
    while let Some(next) = inner {
        code = next.code.or(code);
        inner = next.inner_error.map(|boxed| *boxed);
    }
    let message = detail.message.unwrap_or_default();
    let first = message.split(". ").next().unwrap_or_default();
    format!(
        "{} {}: {first}",
        status.unwrap_or_default(),
        code.unwrap_or_default()
    )
}
