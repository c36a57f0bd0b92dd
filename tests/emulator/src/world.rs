//! The world behind both fronts: hosts, clock, log, latency and faults.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

use crate::clock::ClockHandle;
use crate::fault::{Delivery, Ending, Faults};
use crate::http_date;
use crate::log::{RequestLog, entry_of};
use crate::route::HostKind;
use crate::service::Service;

/// One service under its real host name.
pub(crate) struct Site {
    pub(crate) host: String,
    pub(crate) kind: HostKind,
    service: Arc<dyn Service>,
}

/// Everything that both fronts share.
pub(crate) struct World {
    pub(crate) clock: ClockHandle,
    pub(crate) log: RequestLog,
    pub(crate) faults: Faults,
    sites: RwLock<BTreeMap<String, Arc<Site>>>,
    latency: Mutex<HashMap<HostKind, Duration>>,
    compresses: AtomicBool,
}

/// What became of a request.
pub(crate) enum Outcome {
    Answer(Response<Bytes>, Delivery),
    /// The connection ends without an answer.
    Dropped,
    /// There was no connection to begin with.
    Refused,
}

impl World {
    pub(crate) fn new(clock: ClockHandle) -> Self {
        Self {
            clock,
            log: RequestLog::new(),
            faults: Faults::default(),
            sites: RwLock::default(),
            latency: Mutex::default(),
            compresses: AtomicBool::new(false),
        }
    }

    pub(crate) fn register(&self, host: &str, kind: HostKind, service: Arc<dyn Service>) {
        let host = host.to_ascii_lowercase();
        let site = Arc::new(Site {
            host: host.clone(),
            kind,
            service,
        });
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        sites.insert(host, site);
    }

    pub(crate) fn site(&self, host: &str) -> Option<Arc<Site>> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.get(&host.to_ascii_lowercase()).cloned()
    }

    pub(crate) fn sites(&self) -> Vec<Arc<Site>> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.values().cloned().collect()
    }

    pub(crate) fn set_latency(&self, kind: HostKind, latency: Duration) {
        let mut table = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        table.insert(kind, latency);
    }

    pub(crate) fn compress(&self, on: bool) {
        self.compresses.store(on, Ordering::Relaxed);
    }

    pub(crate) fn compresses(&self) -> bool {
        self.compresses.load(Ordering::Relaxed)
    }

    fn latency(&self, kind: HostKind) -> Duration {
        let table = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(&kind).copied().unwrap_or_default()
    }

    /// Lets `site` answer, with the latency and the faults of this world.
    pub(crate) async fn answer(&self, site: &Site, request: Request<Bytes>) -> Outcome {
        let entry = entry_of(&site.host, site.kind, &request, self.clock.now());
        let mut plan = self.faults.plan(&entry);
        let flight = self.log.arrived(entry);
        let wait = self.latency(site.kind) + plan.delay;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let mut response = match std::mem::take(&mut plan.ending) {
            Ending::Service => site.service.handle(&request, self.clock.now()),
            Ending::Answer(response) => response,
            Ending::Hang => std::future::pending().await,
            Ending::Drop => return Outcome::Dropped,
            Ending::Refuse => return Outcome::Refused,
        };
        self.date(&mut response);
        plan.edit(&mut response);
        flight.answered(response.status().as_u16());
        Outcome::Answer(response, plan.delivery)
    }

    /// Every answer carries the service's idea of the time.
    fn date(&self, response: &mut Response<Bytes>) {
        let date = http_date::format(self.clock.now());
        let date = HeaderValue::try_from(date).expect("a date is plain ASCII");
        response.headers_mut().entry(header::DATE).or_insert(date);
    }
}
