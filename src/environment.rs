//! The one room that reads environment variables. Everything else is given a way to look them up.

use std::fmt;
use std::sync::Arc;

/// A way to look a variable up.
pub(crate) type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Where environment variables are looked up.
#[derive(Clone)]
pub(crate) struct Environment(Lookup);

impl Environment {
    /// The environment of this process. A variable that is not valid Unicode counts as absent.
    pub(crate) fn process() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the process environment"
        )]
        Self(Arc::new(|name| std::env::var(name).ok()))
    }

    pub(crate) fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// The variable as it is, also if it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// True if the variable says so: `true`, in any case, or `1`.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// The variable without surrounding blanks; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
