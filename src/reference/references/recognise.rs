//! A setting taken for what it refers to, and admitted by the vault policy.

use super::{Inner, References};
use crate::error::{SecretError, SecretErrorKind};
#[cfg(feature = "keys")]
use crate::reference::encrypted::Jwe;
use crate::reference::identifier::{Collection, KeyIdentifier, SecretIdentifier};
use crate::reference::options::SecretPolicy;
use crate::reference::{Reference, ReferenceId, parse};
use crate::setting::ConfigurationSetting;

impl References {
    /// The policy that a setting's own tag names, whatever else is wrong with the setting.
    pub(crate) fn policy_of_tag(setting: &ConfigurationSetting) -> Option<SecretPolicy> {
        policy_of(setting).ok().flatten()
    }
}

impl Inner {
    pub(super) fn parse(&self, setting: &ConfigurationSetting) -> Result<Reference, SecretError> {
        let invalid = |flaw| error_of(setting, SecretErrorKind::InvalidReference).with_hint(flaw);
        let (collection, id) = parse::target(setting.value()).map_err(invalid)?;
        let named = |flaw| invalid(flaw).with_secret(id.vault_host(), id.name(), id.version());
        let id = match collection {
            Collection::Certificates => return Err(named(parse::CERTIFICATE)),
            Collection::Keys if !self.options.resolve_keys => return Err(named(parse::KEY)),
            Collection::Keys => ReferenceId::Key(KeyIdentifier::from_parts(id)),
            Collection::Secrets => ReferenceId::Secret(SecretIdentifier::from_parts(id)),
        };
        self.admit(&id, setting)?;
        let policy = policy_of(setting)?;
        Ok(Reference {
            id,
            policy,
            every: self.options.intervals.of(setting.key()),
            parse_json: self.options.json_secrets,
            #[cfg(feature = "keys")]
            sealed: None,
        })
    }

    /// An encrypted setting refers to the content key that opens it.
    #[cfg(feature = "keys")]
    pub(super) fn parse_encrypted(
        &self,
        setting: &ConfigurationSetting,
    ) -> Result<Reference, SecretError> {
        let Jwe { key, sealed } = Jwe::parse(setting.value().unwrap_or_default())
            .map_err(|flaw| error_of(setting, SecretErrorKind::Undecryptable).with_hint(flaw))?;
        let id = ReferenceId::ContentKey(key);
        self.admit(&id, setting)?;
        Ok(Reference {
            policy: policy_of(setting)?,
            every: None,
            parse_json: self.options.json_secrets,
            sealed: Some(sealed),
            id,
        })
    }

    #[cfg(not(feature = "keys"))]
    pub(super) fn parse_encrypted(
        &self,
        setting: &ConfigurationSetting,
    ) -> Result<Reference, SecretError> {
        Err(error_of(setting, SecretErrorKind::Undecryptable)
            .with_hint("encrypted settings need the feature `keys` of config-azure"))
    }

    fn admit(&self, id: &ReferenceId, setting: &ConfigurationSetting) -> Result<(), SecretError> {
        let admitted = self.policy.check(id.collection(), id.parts());
        admitted.map(drop).map_err(|flaw| {
            error_of(setting, SecretErrorKind::ForeignVault)
                .with_vault(id.vault_host())
                .with_hint(flaw)
        })
    }
}

fn error_of(setting: &ConfigurationSetting, kind: SecretErrorKind) -> SecretError {
    SecretError::new(kind).with_setting(setting.key(), setting.label().as_str())
}

/// The policy in the setting's own tag.
fn policy_of(setting: &ConfigurationSetting) -> Result<Option<SecretPolicy>, SecretError> {
    let tag = setting.tag(SecretPolicy::TAG);
    tag.map(|text| {
        SecretPolicy::of_tag(text).ok_or_else(|| {
            error_of(setting, SecretErrorKind::InvalidReference).with_hint(parse::POLICY_TAG)
        })
    })
    .transpose()
}
