//! A builder out of the environment.

use super::AppConfigurationBuilder;
use crate::environment::Environment;
use crate::error::{Error, Result};

const ENDPOINT: &str = "AZURE_APPCONFIG_ENDPOINT";
const CONNECTION_STRING: &str = "AZURE_APPCONFIG_CONNECTION_STRING";

impl AppConfigurationBuilder {
    /// Takes the store from `AZURE_APPCONFIG_ENDPOINT` or from `AZURE_APPCONFIG_CONNECTION_STRING`, with
    /// [`default_credential`](Self::default_credential) for whatever needs a token.
    ///
    /// ```no_run
    /// # async fn example() -> config_azure::Result<()> {
    /// use config_azure::AppConfigurationBuilder;
    ///
    /// // AZURE_APPCONFIG_ENDPOINT=https://contoso.azconfig.io
    /// let azure = AppConfigurationBuilder::from_env()?
    ///     .trim_key_prefix("orders:")
    ///     .load()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if neither is set, or both.
    pub fn from_env() -> Result<Self> {
        let environment = Environment::process();
        Self::from_lookup(|name| environment.text(name))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        match (lookup(ENDPOINT), lookup(CONNECTION_STRING)) {
            (Some(_), Some(_)) => Err(Error::option(format!(
                "{ENDPOINT} and {CONNECTION_STRING} are both set; unset one of them"
            ))),
            (Some(endpoint), None) => Ok(Self::default().endpoint(endpoint).default_credential()),
            (None, Some(text)) => Ok(Self::default().connection_string(text).default_credential()),
            (None, None) => Err(Error::option(format!(
                "set {ENDPOINT} (and sign in), or {CONNECTION_STRING}, to name the store"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_two_variables() {
        let from = |variables: &[(&str, &str)]| {
            AppConfigurationBuilder::from_lookup(|name| {
                variables
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        let string = "Endpoint=https://contoso.azconfig.io;Id=abc;Secret=c2VjcmV0";
        assert!(
            from(&[(ENDPOINT, "https://contoso.azconfig.io")])
                .unwrap()
                .build()
                .is_ok()
        );
        assert!(
            from(&[(CONNECTION_STRING, string)])
                .unwrap()
                .build()
                .is_ok()
        );
        let both = from(&[
            (ENDPOINT, "https://contoso.azconfig.io"),
            (CONNECTION_STRING, string),
        ])
        .unwrap_err();
        assert!(both.to_string().contains("both set"), "{both}");
        let neither = from(&[]).unwrap_err();
        assert!(neither.to_string().contains(ENDPOINT), "{neither}");
    }
}
