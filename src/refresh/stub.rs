//! TEMPORARY stub until lib-refresh lands.
use crate::error::*;
use crate::load::Pipeline;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
#[derive(Debug, Clone)]
/// x
pub struct RefreshOptions {
    every: Duration,
}
impl RefreshOptions {
    /// x
    pub fn new() -> Self {
        Self {
            every: Duration::from_secs(30),
        }
    }
    /// x
    pub fn every(mut self, d: Duration) -> Self {
        self.every = d;
        self
    }
    pub(crate) fn sentinels(&self) -> Vec<crate::store::Sentinel> {
        vec![]
    }
    pub(crate) fn interval(&self) -> Duration {
        self.every
    }
}
/// x
#[derive(Debug)]
pub struct RefreshOutcome;
/// x
#[derive(Debug)]
pub struct Status;
impl Status {
    pub(crate) fn not_loaded(_: &Pipeline) -> Self {
        Self
    }
}
pub(crate) struct Engine;
impl Engine {
    pub(crate) fn start(
        _: Arc<Pipeline>,
        _: &RefreshOptions,
        _: CancellationToken,
    ) -> Result<Self> {
        Ok(Self)
    }
    pub(crate) async fn refresh(&self) -> Result<RefreshOutcome> {
        Ok(RefreshOutcome)
    }
    pub(crate) fn status(&self) -> Status {
        Status
    }
    pub(crate) async fn ended(&self) {}
}
