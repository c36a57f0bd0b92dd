//! Takes a vault's answers out of the way of copies.
//!
//! The pipeline of the Azure SDK copies every body twice and wipes neither. So the body of a good answer is handed over
//! beside the pipeline, which gets an empty one and does not look at it.

use std::cell::RefCell;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use bytes::Bytes;
use futures::StreamExt;

tokio::task_local! {
    /// Where the transport leaves the body for the read that is under way in this future.
    static BODY: RefCell<Option<Bytes>>;
}

/// The transport of a vault's client.
#[derive(Debug)]
pub(super) struct Tap(pub(super) Arc<dyn HttpClient>);

/// Runs a request through a [`Tap`], and returns the body of its last good answer.
pub(super) async fn tapped<T>(request: impl Future<Output = T>) -> (T, Option<Bytes>) {
    let taken = async {
        let outcome = request.await;
        let body = BODY.try_with(|body| body.borrow_mut().take());
        (outcome, body.ok().flatten())
    };
    BODY.scope(RefCell::new(None), taken).await
}

#[async_trait]
impl HttpClient for Tap {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let response = self.0.execute_request(request).await?;
        if u16::from(response.status()) != 200 || BODY.try_with(|_| ()).is_err() {
            return Ok(response);
        }
        let (status, headers, mut body) = response.deconstruct();
        let mut whole = Vec::new();
        while let Some(chunk) = body.next().await {
            whole.push(chunk?);
        }
        // The guard has read it in one piece already.
        let whole = match whole.len() {
            1 => whole.remove(0),
            _ => whole.concat().into(),
        };
        // The scope was there a moment ago, and belongs to this very future.
        let _ = BODY.try_with(|body| body.replace(Some(whole)));
        Ok(AsyncRawResponse::from_bytes(status, headers, Bytes::new()))
    }
}
