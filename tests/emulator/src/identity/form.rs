//! Parameters of a form body or a query string.

use std::collections::HashMap;

/// Decoded parameters; of a repeated name the first counts, and an empty value counts as absent.
pub(super) struct Form(HashMap<String, String>);

impl Form {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        let mut values = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(encoded) {
            if !value.is_empty() {
                values
                    .entry(name.into_owned())
                    .or_insert_with(|| value.into_owned());
            }
        }
        Self(values)
    }

    pub(super) fn query(uri: &http::Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
