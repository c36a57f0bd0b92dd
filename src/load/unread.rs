//! The references that the first load still waits for, for whoever wonders what takes so long.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::printable;
use crate::reference::{ReadFailure, ReferenceId};
use crate::setting::ConfigurationSetting;

/// As many are named; of the rest only the number is told.
const MOST_NAMED: usize = 3;

type Waiting = BTreeMap<ReferenceId, Arc<ConfigurationSetting>>;

/// What was asked for and has not come: it is still being read, or could not be. Each with a setting that refers to it.
#[derive(Default)]
pub(super) struct Unread(Mutex<Waiting>);

impl Unread {
    pub(super) fn asked(&self, id: ReferenceId, setting: Arc<ConfigurationSetting>) {
        self.waiting().insert(id, setting);
    }

    pub(super) fn came(&self, id: &ReferenceId) {
        self.waiting().remove(id);
    }

    pub(super) fn clear(&self) {
        self.waiting().clear();
    }

    /// The first of them with what failed last, on one line; `None` if there are none.
    pub(super) fn text(
        &self,
        failure: impl Fn(&ReferenceId) -> Option<ReadFailure>,
    ) -> Option<String> {
        let waiting = self.waiting();
        let named: Vec<String> = waiting
            .iter()
            .take(MOST_NAMED)
            .map(|(id, setting)| match failure(id) {
                Some(failure) => failure.to_error(id, setting, false).to_string(),
                None => format!(
                    "{}: no answer yet: {}/{}",
                    printable(setting.key()),
                    id.vault_host(),
                    id.name()
                ),
            })
            .collect();
        let mut text = named.join("; ");
        if waiting.len() > MOST_NAMED {
            // Writing to a String cannot fail.
            let _ = write!(text, "; and {} more", waiting.len() - MOST_NAMED);
        }
        (!waiting.is_empty()).then_some(text)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
