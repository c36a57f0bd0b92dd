//! Key Vault, request by request, straight through `Service::handle`.

mod backup;
mod crypto;
mod gates;
mod keys;
mod life;
mod secrets;
mod support;
