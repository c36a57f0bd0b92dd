//! The two ways into the world: sockets on loopback, and memory.

mod certificate;
mod connection;
mod listener;
mod memory;
mod sockets;

pub use certificate::CertificateKind;
pub(crate) use memory::MemoryTransport;
pub(crate) use sockets::Sockets;
