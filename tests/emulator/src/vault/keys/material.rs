//! Key pairs: made, imported, shown as public JWK, and put to work.

use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{
    KeyPairComponents, KeySize, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicKeyComponents,
};
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _, RsaKeyPair, UnparsedPublicKey};

use serde::{Deserialize, Serialize};

use super::algorithm::{Curve, Encryption, EncryptionPadding, Signature, SignaturePadding};

/// A private key of one version of a key.
pub(in crate::vault) enum Material {
    Rsa(RsaKeyPair),
    Ec(Curve, EcdsaKeyPair),
}

/// The key is unfit for what was asked of it, or the data is.
#[derive(Debug)]
pub(super) struct Unfit;

impl From<aws_lc_rs::error::Unspecified> for Unfit {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl From<aws_lc_rs::error::KeyRejected> for Unfit {
    fn from(_: aws_lc_rs::error::KeyRejected) -> Self {
        Self
    }
}

/// The numbers of an RSA private key, big-endian.
pub(super) struct RsaNumbers {
    pub(super) n: Vec<u8>,
    pub(super) e: Vec<u8>,
    pub(super) d: Vec<u8>,
    pub(super) p: Vec<u8>,
    pub(super) q: Vec<u8>,
    pub(super) dp: Vec<u8>,
    pub(super) dq: Vec<u8>,
    pub(super) qi: Vec<u8>,
}

/// A private key outside its vault.
#[derive(Serialize, Deserialize)]
pub(super) struct PackedMaterial {
    /// Absent for RSA.
    curve: Option<String>,
    pkcs8: Vec<u8>,
}

impl Material {
    pub(super) fn generate_rsa(bits: u32) -> Option<Self> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return None,
        };
        let pair = RsaKeyPair::generate(size).expect("the system has a random source");
        Some(Self::Rsa(pair))
    }

    pub(super) fn generate_ec(curve: Curve) -> Self {
        let pair = EcdsaKeyPair::generate(curve.signing()).expect("the system has a random source");
        Self::Ec(curve, pair)
    }

    pub(super) fn import_rsa(numbers: &RsaNumbers) -> Result<Self, Unfit> {
        let pair = RsaKeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents {
                n: &numbers.n,
                e: &numbers.e,
            },
            d: &numbers.d,
            p: &numbers.p,
            q: &numbers.q,
            dP: &numbers.dp,
            dQ: &numbers.dq,
            qInv: &numbers.qi,
        })?;
        Ok(Self::Rsa(pair))
    }

    pub(super) fn import_ec(curve: Curve, d: &[u8], x: &[u8], y: &[u8]) -> Result<Self, Unfit> {
        let mut point = vec![4];
        point.extend(padded(x, curve.field_bytes())?);
        point.extend(padded(y, curve.field_bytes())?);
        let d = padded(d, curve.field_bytes())?;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), &d, &point)?;
        Ok(Self::Ec(curve, pair))
    }

    /// The private key as PKCS #8, for a backup.
    pub(super) fn pack(&self) -> PackedMaterial {
        let (curve, document) = match self {
            Self::Rsa(pair) => (None, pair.as_der().map(|der| der.as_ref().to_vec())),
            Self::Ec(curve, pair) => (
                Some(curve.name().to_owned()),
                pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            ),
        };
        PackedMaterial {
            curve,
            pkcs8: document.expect("the library writes the keys that it holds"),
        }
    }

    /// Nothing for a document that is no key, or a key of another kind.
    pub(super) fn unpack(packed: &PackedMaterial) -> Option<Self> {
        let Some(name) = &packed.curve else {
            return Some(Self::Rsa(RsaKeyPair::from_pkcs8(&packed.pkcs8).ok()?));
        };
        let curve = Curve::parse(name)?;
        let pair = EcdsaKeyPair::from_pkcs8(curve.signing(), &packed.pkcs8).ok()?;
        Some(Self::Ec(curve, pair))
    }

    /// Another key of the same kind and size.
    pub(super) fn regenerate(&self) -> Self {
        match self {
            Self::Rsa(pair) => {
                let bits = u32::try_from(pair.public_modulus_len() * 8).unwrap_or_default();
                Self::generate_rsa(bits).expect("a key of that size was made before")
            }
            Self::Ec(curve, _) => Self::generate_ec(*curve),
        }
    }

    /// The public numbers by their JWK names.
    pub(super) fn public(&self) -> Vec<(&'static str, Vec<u8>)> {
        match self {
            Self::Rsa(pair) => {
                let (n, e) = rsa_numbers(pair.public_key().as_ref())
                    .expect("the library writes an RSAPublicKey");
                vec![("n", n), ("e", e)]
            }
            Self::Ec(_, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                vec![("x", x.to_vec()), ("y", y.to_vec())]
            }
        }
    }

    pub(super) fn encrypt(&self, algorithm: Encryption, plain: &[u8]) -> Result<Vec<u8>, Unfit> {
        let key = self.decrypting()?.public_key();
        let mut buffer = vec![0; key.key_size_bytes()];
        let size = match algorithm.padding() {
            EncryptionPadding::Oaep(oaep) => OaepPublicEncryptingKey::new(key)?
                .encrypt(oaep, plain, &mut buffer, None)?
                .len(),
            EncryptionPadding::Pkcs1 => Pkcs1PublicEncryptingKey::new(key)?
                .encrypt(plain, &mut buffer)?
                .len(),
        };
        buffer.truncate(size);
        Ok(buffer)
    }

    pub(super) fn decrypt(&self, algorithm: Encryption, cipher: &[u8]) -> Result<Vec<u8>, Unfit> {
        let key = self.decrypting()?;
        let mut buffer = vec![0; key.key_size_bytes()];
        let size = match algorithm.padding() {
            EncryptionPadding::Oaep(oaep) => OaepPrivateDecryptingKey::new(key)?
                .decrypt(oaep, cipher, &mut buffer, None)?
                .len(),
            EncryptionPadding::Pkcs1 => Pkcs1PrivateDecryptingKey::new(key)?
                .decrypt(cipher, &mut buffer)?
                .len(),
        };
        buffer.truncate(size);
        Ok(buffer)
    }

    /// Signs a digest; ECDSA signatures are `r` and `s` in a row, as JWS has them.
    pub(super) fn sign(&self, algorithm: Signature, digest: &[u8]) -> Result<Vec<u8>, Unfit> {
        let digest = Digest::import_less_safe(digest, algorithm.digest())?;
        match (self, algorithm.padding()) {
            (Self::Rsa(pair), SignaturePadding::Rsa(padding, _)) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(padding, &digest, &mut signature)?;
                Ok(signature)
            }
            (Self::Ec(curve, pair), SignaturePadding::Ecdsa(wanted)) if *curve == wanted => {
                Ok(pair.sign_digest(&digest)?.as_ref().to_vec())
            }
            _ => Err(Unfit),
        }
    }

    pub(super) fn verify(
        &self,
        algorithm: Signature,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool, Unfit> {
        let digest = Digest::import_less_safe(digest, algorithm.digest())?;
        let verdict = match (self, algorithm.padding()) {
            (Self::Rsa(pair), SignaturePadding::Rsa(_, verification)) => {
                UnparsedPublicKey::new(verification, pair.public_key().as_ref())
                    .verify_digest(&digest, signature)
            }
            (Self::Ec(curve, pair), SignaturePadding::Ecdsa(wanted)) if *curve == wanted => {
                UnparsedPublicKey::new(curve.verification(), pair.public_key().as_ref())
                    .verify_digest(&digest, signature)
            }
            _ => return Err(Unfit),
        };
        Ok(verdict.is_ok())
    }

    fn decrypting(&self) -> Result<PrivateDecryptingKey, Unfit> {
        match self {
            Self::Rsa(pair) => Ok(PrivateDecryptingKey::from_pkcs8(pair.as_der()?.as_ref())?),
            Self::Ec(..) => Err(Unfit),
        }
    }
}

/// Modulus and exponent out of an `RSAPublicKey` (RFC 8017): a DER sequence of two integers.
fn rsa_numbers(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    let (sequence, _) = der_value(der, SEQUENCE)?;
    let (n, rest) = der_value(sequence, INTEGER)?;
    let (e, _) = der_value(rest, INTEGER)?;
    let unsigned = |number: &[u8]| number.strip_prefix(&[0]).unwrap_or(number).to_vec();
    Some((unsigned(n), unsigned(e)))
}

/// The content of the first DER value, which must have this tag, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    if first < 0x80 {
        return rest.split_at_checked(usize::from(first));
    }
    let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let length = length.iter().try_fold(0_usize, |length, &byte| {
        Some(length.checked_mul(256)? + usize::from(byte))
    })?;
    rest.split_at_checked(length)
}

/// A number of at most `size` bytes, with leading zeros up to that size.
fn padded(number: &[u8], size: usize) -> Result<Vec<u8>, Unfit> {
    let missing = size.checked_sub(number.len()).ok_or(Unfit)?;
    let mut bytes = vec![0; missing];
    bytes.extend_from_slice(number);
    Ok(bytes)
}
