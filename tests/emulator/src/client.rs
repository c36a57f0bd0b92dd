//! What a `reqwest` client needs to take the emulator for Azure.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::{Certificate, ClientBuilder};

/// Trust in the emulator's authority alone, and the loopback addresses behind the real host names.
#[derive(Clone, Debug)]
pub(crate) struct ClientSettings {
    pub(crate) ca_pem: String,
    pub(crate) addresses: Vec<(String, SocketAddr)>,
}

impl ClientSettings {
    /// `builder` with trust and addresses added. Nothing else of it changes.
    pub(crate) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let ca = Certificate::from_pem(self.ca_pem.as_bytes()).expect("our own PEM is sound");
        let localhost = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        self.addresses.iter().fold(
            builder.tls_certs_only([ca]).resolve("localhost", localhost),
            |builder, (host, address)| builder.resolve(host, *address),
        )
    }
}
