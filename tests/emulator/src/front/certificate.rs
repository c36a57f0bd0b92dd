//! The private certificate authority and the certificates that it signs.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, version};

use crate::error::EmulatorError;

/// What certificate a service shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateKind {
    /// Signed by the emulator's authority for the service's name and loopback.
    #[default]
    Good,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// For another host.
    WrongName,
    /// Signed by itself.
    SelfSigned,
}

/// A certificate authority made for one start of the emulator.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

fn failed(error: rcgen::Error) -> EmulatorError {
    EmulatorError::because("a certificate could not be made", error)
}

impl Authority {
    pub(crate) fn new() -> Result<Self, EmulatorError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = "config-azure emulator private authority";
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().map_err(failed)?;
        CertifiedIssuer::self_signed(params, key)
            .map(Self)
            .map_err(failed)
    }

    pub(crate) fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    /// A server configuration that shows a certificate for `host` and the names of loopback.
    pub(crate) fn server(
        &self,
        host: &str,
        kind: CertificateKind,
        protocols: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, EmulatorError> {
        let (certificate, key) = self.certificate(host, kind).map_err(failed)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = |error| EmulatorError::because("the TLS configuration is not accepted", error);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(tls)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(tls)?;
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn certificate(
        &self,
        host: &str,
        kind: CertificateKind,
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
        let names = match kind {
            CertificateKind::WrongName => vec!["elsewhere.example".to_owned()],
            _ => [host, "localhost", "127.0.0.1", "::1"]
                .map(str::to_owned)
                .to_vec(),
        };
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, host);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = validity(kind);
        let key = KeyPair::generate()?;
        let signed = match kind {
            CertificateKind::SelfSigned => params.self_signed(&key)?,
            _ => params.signed_by(&key, &self.0)?,
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((signed.der().clone(), key.into()))
    }
}

/// Clients check certificates against the machine's clock, so these dates do not follow the emulator's.
fn validity(kind: CertificateKind) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    match kind {
        CertificateKind::Expired => (now - Duration::days(30), now - Duration::days(1)),
        CertificateKind::NotYetValid => (now + Duration::days(1), now + Duration::days(30)),
        _ => (now - Duration::days(1), now + Duration::days(30)),
    }
}
