//! A DNS server on loopback: the SRV records by which replicas are found, and everything that can be wrong
//! with them.

mod message;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::EmulatorError;
use message::{A, CNAME, Question, Record, SRV, a_data, name_data, srv_data};

const NO_ERROR: u16 = 0;
const NAME_ERROR: u16 = 3;
/// Aliases in one answer; the client must ask for the rest of a longer chain.
const ALIASES: usize = 8;

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among equal priorities.
    pub weight: u16,
    /// Providers do not look at it.
    pub port: u16,
    /// The host, with or without a final dot. Labels are sent as they are, however hostile.
    pub target: String,
}

impl Srv {
    /// A record with priority 0, weight 0 and port 443.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            priority: 0,
            weight: 0,
            port: 443,
            target: target.into(),
        }
    }

    /// With this priority and weight.
    #[must_use]
    pub fn ranked(mut self, priority: u16, weight: u16) -> Self {
        (self.priority, self.weight) = (priority, weight);
        self
    }
}

/// What the server says to a name.
#[derive(Clone, Debug)]
pub enum DnsAnswer {
    /// These SRV records; to questions of other types, none. Resolvers read 1232 bytes, some 30 records.
    Srv(Vec<Srv>),
    /// These addresses; to questions of other types, none.
    A(Vec<Ipv4Addr>),
    /// The name is an alias of this one (CNAME). As a recursive resolver does, the server adds what it says to that name, over at
    /// most eight aliases in one answer: a chain may be longer, and may be a circle.
    Cname(String),
    /// A response code: 1 format error, 2 server failure, 3 no such name, 5 refused.
    Code(u16),
    /// Nothing, ever.
    Silence,
    /// An answer that was truncated and must be asked again over TCP, which nobody answers.
    Truncated,
    /// These bytes after the right id.
    Garbage(Vec<u8>),
    /// An answer to another question: its id is wrong.
    WrongId(Vec<Srv>),
    /// The answer, so much later.
    Late(Duration, Box<DnsAnswer>),
}

/// A DNS server on a loopback port. Dropping it closes the port.
///
/// Names it was not told of do not exist (NXDOMAIN).
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Zone>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Zone {
    answers: Mutex<HashMap<String, DnsAnswer>>,
    ttl: Mutex<u32>,
    queries: Mutex<Vec<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

impl DnsServer {
    /// A server that knows no names.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start() -> Result<Self, EmulatorError> {
        let unbound = |e| EmulatorError::because("no port for DNS could be opened", e);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let socket = socket.map_err(unbound)?;
        let address = socket.local_addr().map_err(unbound)?;
        let zone = Arc::new(Zone::default());
        let task = tokio::spawn(serve(socket, zone.clone()));
        Ok(Self {
            address,
            zone,
            task,
        })
    }

    /// Where the server listens, over UDP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on answers questions about `name` so.
    pub fn set(&self, name: &str, answer: DnsAnswer) {
        lock(&self.zone.answers).insert(canonical(name), answer);
    }

    /// Publishes the replicas of a store as the service does: `_origin._tcp.HOST` names the origin, and
    /// `_alt0._tcp.ORIGIN`, `_alt1._tcp.ORIGIN`, ... one replica each. Replicas that were published before and are
    /// not among these exist no more.
    pub fn set_replicas(&self, host: &str, origin: &str, replicas: &[&str]) {
        let srv = |target: &str| DnsAnswer::Srv(vec![Srv::new(target)]);
        let alternates = canonical(&format!("._tcp.{origin}"));
        lock(&self.zone.answers)
            .retain(|name, _| !(name.starts_with("_alt") && name.ends_with(&alternates)));
        self.set(&format!("_origin._tcp.{host}"), srv(origin));
        for (number, replica) in replicas.iter().enumerate() {
            self.set(&format!("_alt{number}._tcp.{origin}"), srv(replica));
        }
    }

    /// How long answers may be kept, in seconds; 0 at the start.
    pub fn ttl(&self, seconds: u32) {
        *lock(&self.zone.ttl) = seconds;
    }

    /// Forgets all names and questions.
    pub fn clear(&self) {
        lock(&self.zone.answers).clear();
        lock(&self.zone.queries).clear();
    }

    /// The names that were asked for, in order, repetitions included.
    pub fn queries(&self) -> Vec<String> {
        lock(&self.zone.queries).clone()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Zone {
    fn says(&self, name: &str) -> DnsAnswer {
        let known = lock(&self.answers).get(name).cloned();
        known.unwrap_or(DnsAnswer::Code(NAME_ERROR))
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Zone>) {
    let socket = Arc::new(socket);
    let mut answers = JoinSet::new();
    let mut packet = [0; 4096];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut packet) => {
                if let Ok((length, from)) = received
                    && let Some(question) = Question::parse(&packet[..length])
                {
                    lock(&zone.queries).push(question.name.clone());
                    answers.spawn(answer(question, from, socket.clone(), zone.clone()));
                }
            }
            Some(_) = answers.join_next() => {}
        }
    }
}

async fn answer(question: Question, from: SocketAddr, socket: Arc<UdpSocket>, zone: Arc<Zone>) {
    let mut aliases = Vec::new();
    let mut name = question.name.clone();
    let mut said = zone.says(&name);
    loop {
        match said {
            DnsAnswer::Late(delay, later) => {
                tokio::time::sleep(delay).await;
                said = *later;
            }
            DnsAnswer::Cname(_) if aliases.len() == ALIASES => said = DnsAnswer::Code(NO_ERROR),
            DnsAnswer::Cname(target) => {
                aliases.push(Record {
                    owner: std::mem::replace(&mut name, canonical(&target)),
                    kind: CNAME,
                    data: name_data(&target),
                });
                said = zone.says(&name);
            }
            _ => break,
        }
    }
    let ttl = *lock(&zone.ttl);
    if let Some(packet) = packet(question, aliases, &name, &said, ttl) {
        // A resolver that has gone away does not want it any more.
        let _ = socket.send_to(&packet, from).await;
    }
}

/// The answer to a question: the aliases that led to `owner`, and what was said to that.
fn packet(
    mut question: Question,
    aliases: Vec<Record>,
    owner: &str,
    said: &DnsAnswer,
    ttl: u32,
) -> Option<Vec<u8>> {
    let asked = question.kind;
    let all = |of_kind: u16, data: Vec<Vec<u8>>| -> Vec<Record> {
        let data = if of_kind == asked { data } else { Vec::new() };
        let records = data.into_iter().map(|data| Record {
            owner: owner.to_owned(),
            kind: of_kind,
            data,
        });
        aliases.iter().cloned().chain(records).collect()
    };
    match said {
        DnsAnswer::Srv(records) => {
            Some(question.answer(NO_ERROR, ttl, &all(SRV, srv_datas(records))))
        }
        DnsAnswer::A(addresses) => {
            let data = addresses.iter().copied().map(a_data).collect();
            Some(question.answer(NO_ERROR, ttl, &all(A, data)))
        }
        DnsAnswer::Code(code) => Some(question.answer(code & 0xF, ttl, &aliases)),
        DnsAnswer::Truncated => Some(question.truncated()),
        DnsAnswer::Garbage(bytes) => {
            let id = question.id.to_be_bytes().into_iter();
            Some(id.chain(bytes.iter().copied()).collect())
        }
        DnsAnswer::WrongId(records) => {
            question.id = question.id.wrapping_add(1);
            Some(question.answer(NO_ERROR, ttl, &all(SRV, srv_datas(records))))
        }
        DnsAnswer::Silence | DnsAnswer::Late(..) | DnsAnswer::Cname(_) => None,
    }
}

fn srv_datas(records: &[Srv]) -> Vec<Vec<u8>> {
    let records = records.iter();
    let data = records.map(|r| srv_data(r.priority, r.weight, r.port, &r.target));
    data.collect()
}
