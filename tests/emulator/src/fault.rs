//! Scripted faults: what the world does instead of, before or with an answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::log::Entry;
use crate::route::Route;

/// What happens to a request.
///
/// Delays, header changes and delivery faults ([`Cut`](Fault::Cut), [`Trickle`](Fault::Trickle)) go with whatever
/// answers in the end: the service, or the next matching script. The others are the end of the matter.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer instead of the service's.
    Answer(Answer),
    /// The request waits this long, then goes on.
    Delay(Duration),
    /// Never an answer, and the connection stays open.
    Hang,
    /// The connection ends without an answer: over HTTP/2 to the other requests on it either.
    Drop,
    /// In memory: no connection could be made. On a socket: as [`Drop`](Fault::Drop).
    Refuse,
    /// The answer's body breaks off after so many bytes; its length still promises the whole.
    Cut(usize),
    /// The answer's body comes in pieces of `chunk` bytes with a pause before each.
    Trickle {
        /// Bytes at a time, at least 1.
        chunk: usize,
        /// Before every piece.
        pause: Duration,
    },
    /// The answer's header is set to this value, or taken away.
    Header(HeaderName, Option<HeaderValue>),
    /// The answer's body is replaced; status and headers stay.
    Body(Bytes),
}

impl Fault {
    /// An answer with this status, to be completed.
    pub fn status(code: u16) -> Answer {
        Answer::new(code)
    }

    /// A redirect (302) to `location`.
    pub fn redirect(location: &str) -> Answer {
        Answer::new(302).header("location", location)
    }

    /// The answer has another ETag than the service's, or none.
    pub fn etag(value: Option<&str>) -> Self {
        let value = value.map(|v| HeaderValue::from_str(v).expect("an ETag is plain ASCII"));
        Self::Header(header::ETAG, value)
    }

    /// A page such as a gateway shows: status 200, HTML.
    pub fn html() -> Answer {
        Answer::new(200).body(
            "text/html",
            "<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>",
        )
    }

    /// Status 200 and a list of settings with exactly these bytes as its body.
    pub fn page(body: impl Into<Bytes>) -> Answer {
        Answer::new(200).body(
            "application/vnd.microsoft.appconfig.kvset+json; charset=utf-8",
            body,
        )
    }

    /// Status 200 and a gzip body that unpacks to `megabytes` MiB of blanks, as a list of settings.
    pub fn gzip_bomb(megabytes: usize) -> Answer {
        let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let body = blanks(encoder, megabytes).finish();
        Self::page(body.expect("a Vec takes all")).header("content-encoding", "gzip")
    }

    /// The same with `Content-Encoding: deflate`.
    pub fn deflate_bomb(megabytes: usize) -> Answer {
        let encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        let body = blanks(encoder, megabytes).finish();
        Self::page(body.expect("a Vec takes all")).header("content-encoding", "deflate")
    }

    /// An empty list of settings behind so many headers of 100 bytes each.
    pub fn header_flood(headers: usize) -> Answer {
        let value = "v".repeat(90);
        (0..headers).fold(Self::page(r#"{"items":[]}"#), |answer, at| {
            answer.header(&format!("x-flood-{at:05}"), &value)
        })
    }
}

/// Writes so many MiB of blanks.
fn blanks<W: std::io::Write>(mut encoder: W, megabytes: usize) -> W {
    let block = vec![b' '; 1 << 20];
    for _ in 0..megabytes {
        encoder.write_all(&block).expect("a Vec takes all");
    }
    encoder
}

/// A scripted answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answer {
    fn new(code: u16) -> Self {
        Self {
            status: StatusCode::from_u16(code).expect("a status lies in 100..=999"),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", &seconds.to_string())
    }

    /// `retry-after-ms`, as App Configuration sends it.
    #[must_use]
    pub fn retry_after_ms(self, milliseconds: u64) -> Self {
        self.header("retry-after-ms", &milliseconds.to_string())
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((
            HeaderName::try_from(name).expect("a valid header name"),
            HeaderValue::try_from(value).expect("a valid header value"),
        ));
        self
    }

    /// A body and its media type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response
    }
}

impl From<Answer> for Fault {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// The fault scripts of a world. Cheap to clone; clones are the same scripts.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Arc<Script>>>>);

/// One script, to see how often it has struck.
#[derive(Clone, Debug)]
pub struct ScriptHandle {
    script: Arc<Script>,
    scripts: Faults,
}

#[derive(Debug)]
struct Script {
    route: Route,
    fault: Fault,
    times: Option<usize>,
    fired: Mutex<usize>,
}

impl Faults {
    /// From now on `fault` befalls requests of this kind, so many `times` or for ever. Scripts are tried in the
    /// order in which they were given.
    ///
    /// # Panics
    /// If the route names a status: faults are chosen before there is one.
    pub fn script(
        &self,
        route: Route,
        fault: impl Into<Fault>,
        times: Option<usize>,
    ) -> ScriptHandle {
        assert!(
            !route.names_a_status(),
            "a fault cannot depend on the answer's status"
        );
        let script = Arc::new(Script {
            route,
            fault: fault.into(),
            times,
            fired: Mutex::new(0),
        });
        self.scripts().push(script.clone());
        ScriptHandle {
            script,
            scripts: self.clone(),
        }
    }

    /// Ends all scripts; the services answer for themselves again.
    pub fn clear(&self) {
        self.scripts().clear();
    }

    pub(crate) fn plan(&self, entry: &Entry) -> Plan {
        let mut plan = Plan::default();
        for script in self.scripts().iter() {
            if script.route.matches(entry) && script.take() && plan.add(&script.fault) {
                break;
            }
        }
        plan
    }

    fn scripts(&self) -> MutexGuard<'_, Vec<Arc<Script>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    /// Uses the script once, if it is not used up.
    fn take(&self) -> bool {
        let mut fired = self.fired.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = self.times.is_none_or(|times| *fired < times);
        *fired += usize::from(ready);
        ready
    }
}

impl ScriptHandle {
    /// How often it has struck.
    pub fn fired(&self) -> usize {
        *self
            .script
            .fired
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends this script alone.
    pub fn remove(&self) {
        self.scripts
            .scripts()
            .retain(|script| !Arc::ptr_eq(script, &self.script));
    }
}

/// What befalls one request, all scripts taken together.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) delay: Duration,
    pub(crate) ending: Ending,
    pub(crate) delivery: Delivery,
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
    body: Option<Bytes>,
}

#[derive(Debug, Default)]
pub(crate) enum Ending {
    #[default]
    Service,
    Answer(Response<Bytes>),
    Hang,
    Drop,
    Refuse,
}

/// How the body of an answer reaches the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    #[default]
    Whole,
    Cut(usize),
    Trickle(usize, Duration),
}

impl Plan {
    /// Takes one more fault into the plan; says whether it settles the answer.
    fn add(&mut self, fault: &Fault) -> bool {
        match fault {
            Fault::Delay(delay) => self.delay += *delay,
            Fault::Cut(bytes) => self.delivery = Delivery::Cut(*bytes),
            Fault::Trickle { chunk, pause } => {
                self.delivery = Delivery::Trickle((*chunk).max(1), *pause);
            }
            Fault::Header(name, value) => self.headers.push((name.clone(), value.clone())),
            Fault::Body(body) => self.body = Some(body.clone()),
            Fault::Answer(answer) => self.ending = Ending::Answer(answer.response()),
            Fault::Hang => self.ending = Ending::Hang,
            Fault::Drop => self.ending = Ending::Drop,
            Fault::Refuse => self.ending = Ending::Refuse,
        }
        !matches!(self.ending, Ending::Service)
    }

    pub(crate) fn edit(&self, response: &mut Response<Bytes>) {
        for (name, value) in &self.headers {
            match value {
                Some(value) => drop(response.headers_mut().insert(name, value.clone())),
                None => drop(response.headers_mut().remove(name)),
            }
        }
        if let Some(body) = &self.body {
            *response.body_mut() = body.clone();
        }
    }
}
