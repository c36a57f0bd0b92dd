//! The stable names of what the refresh engine tells `tracing`: listed in `docs/telemetry.md`, and promised there.
//!
//! Names, counts, kinds and durations only. Paths, keys and labels are names; a value never comes here.

use std::time::Duration;

use tracing::{Level, Span, event};

use crate::error::{Error, SecretError, printable};

/// The target of every span and event below.
pub(crate) const TARGET: &str = "config_azure";

/// Span: the first load, with all its attempts.
pub(crate) const LOAD: &str = "config_azure.load";
/// Span: one check of the store.
pub(crate) const CHECK: &str = "config_azure.check";
/// Span: one read of a secret or key.
pub(crate) const READ: &str = "config_azure.read";
/// Span: one assembly of a candidate, with its publication.
pub(crate) const ASSEMBLE: &str = "config_azure.assemble";

/// Event: a new generation is current.
pub(crate) const PUBLISHED: &str = "config_azure.published";
/// Event: what was fetched could not be assembled; the last good generation stays.
pub(crate) const REFUSED: &str = "config_azure.refused";
/// Event: a new generation has no setting left.
pub(crate) const EMPTIED: &str = "config_azure.emptied";
/// Event: a check of the store failed.
pub(crate) const CHECK_FAILED: &str = "config_azure.check_failed";
/// Event: the store answers again.
pub(crate) const CHECK_RECOVERED: &str = "config_azure.check_recovered";
/// Event: a secret cannot be read, or for another reason than before.
pub(crate) const SECRET_FAILED: &str = "config_azure.secret_failed";
/// Event: a secret can be read again.
pub(crate) const SECRET_RECOVERED: &str = "config_azure.secret_recovered";
/// Event: a secret expires soon.
pub(crate) const SECRET_EXPIRES: &str = "config_azure.secret_expires";
/// Event: references name a version and do not rotate.
pub(crate) const PINNED: &str = "config_azure.pinned";
/// Event: a sentinel does not exist.
pub(crate) const SENTINEL_MISSING: &str = "config_azure.sentinel_missing";
/// Event: the engine, or code that it calls, panicked.
pub(crate) const PANICKED: &str = "config_azure.panicked";
/// Event: a typed value, or what is derived from one, was replaced.
pub(crate) const LIVE_SWAPPED: &str = "config_azure.live_swapped";
/// Event: new values were not taken over, or for another reason than before; the last good ones stay.
pub(crate) const LIVE_REFUSED: &str = "config_azure.live_refused";
/// Event: new values are taken over again.
pub(crate) const LIVE_RECOVERED: &str = "config_azure.live_recovered";

/// Every name above.
#[cfg(test)]
pub(crate) const NAMES: [&str; 18] = [
    LOAD,
    CHECK,
    READ,
    ASSEMBLE,
    PUBLISHED,
    REFUSED,
    EMPTIED,
    CHECK_FAILED,
    CHECK_RECOVERED,
    SECRET_FAILED,
    SECRET_RECOVERED,
    SECRET_EXPIRES,
    PINNED,
    SENTINEL_MISSING,
    PANICKED,
    LIVE_SWAPPED,
    LIVE_REFUSED,
    LIVE_RECOVERED,
];

/// A list of names in an event is cut after so many.
const MOST_NAMES: usize = 32;

pub(crate) fn load_span(endpoint: &str) -> Span {
    tracing::debug_span!(target: TARGET, LOAD, endpoint)
}

pub(crate) fn check_span(endpoint: &str) -> Span {
    tracing::debug_span!(target: TARGET, CHECK, endpoint)
}

pub(crate) fn read_span(vault: &str, secret: &str) -> Span {
    tracing::debug_span!(target: TARGET, READ, vault, secret)
}

pub(crate) fn assemble_span() -> Span {
    tracing::debug_span!(target: TARGET, ASSEMBLE)
}

pub(crate) fn published<'a>(
    generation: u64,
    endpoint: &str,
    changed: impl ExactSizeIterator<Item = &'a str>,
) {
    let (count, paths) = (changed.len(), listed(changed));
    event!(name: PUBLISHED, target: TARGET, Level::INFO, generation, endpoint, count, paths,
        "a new generation is current");
}

pub(crate) fn refused(generation: u64, error: &Error) {
    event!(name: REFUSED, target: TARGET, Level::WARN, generation, kind = ?error.kind(), error = %error.one_line(),
        "what was fetched cannot be used; the generation before stays");
}

pub(crate) fn emptied(generation: u64, endpoint: &str) {
    event!(name: EMPTIED, target: TARGET, Level::WARN, generation, endpoint,
        "every selected setting is gone from the store; the new generation has none");
}

pub(crate) fn check_failed(endpoint: &str, attempts: u32, error: &Error) {
    event!(name: CHECK_FAILED, target: TARGET, Level::WARN, endpoint, attempts,
        kind = ?error.kind(), status = error.status(), error = %error.one_line(), "the store could not be checked");
}

pub(crate) fn check_recovered(endpoint: &str, attempts: u32) {
    event!(name: CHECK_RECOVERED, target: TARGET, Level::INFO, endpoint, attempts,
        "the store answers again");
}

pub(crate) fn secret_failed(error: &SecretError) {
    event!(name: SECRET_FAILED, target: TARGET, Level::WARN, vault = error.vault(), secret = error.secret(),
        kind = ?error.kind(), status = error.status(), code = error.code(), hint = error.hint(),
        request_id = error.request_id(),
        "a secret cannot be read");
}

pub(crate) fn secret_recovered(vault: &str, secret: &str) {
    event!(name: SECRET_RECOVERED, target: TARGET, Level::INFO, vault, secret,
        "a secret can be read again");
}

pub(crate) fn secret_expires(vault: &str, secret: &str, left: Duration) {
    event!(name: SECRET_EXPIRES, target: TARGET, Level::WARN, vault, secret,
        hours = left.as_secs() / 3600, "a secret expires soon");
}

pub(crate) fn pinned<'a>(secrets: impl ExactSizeIterator<Item = &'a str>) {
    let (count, secrets) = (secrets.len(), listed(secrets));
    event!(name: PINNED, target: TARGET, Level::INFO, count, secrets,
        "references that name a version do not rotate");
}

pub(crate) fn sentinel_missing(key: &str, label: Option<&str>) {
    let (key, label) = (printable(key), label.map(printable));
    event!(name: SENTINEL_MISSING, target: TARGET, Level::WARN, key, label,
        "a sentinel does not exist; its appearance will be a change");
}

pub(crate) fn panicked(panics: u64) {
    event!(name: PANICKED, target: TARGET, Level::ERROR, panics,
        "the refresh, or code of the application that it calls, panicked; it goes on");
}

/// `of` is the name of the application's type.
pub(crate) fn live_swapped(of: &str, generation: u64) {
    event!(name: LIVE_SWAPPED, target: TARGET, Level::DEBUG, of, generation,
        "new values are in use");
}

pub(crate) fn live_refused(of: &str, error: &Error) {
    event!(name: LIVE_REFUSED, target: TARGET, Level::WARN, of, kind = ?error.kind(), error = %error.one_line(),
        "new values cannot be used; the last good ones stay");
}

pub(crate) fn live_recovered(of: &str, attempts: u32) {
    event!(name: LIVE_RECOVERED, target: TARGET, Level::INFO, of, attempts,
        "new values are in use again");
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.take(MOST_NAMES).map(printable).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in the first column of the tables.
    fn documented() -> Vec<String> {
        let document = include_str!("../docs/telemetry.md");
        let rows = document
            .lines()
            .filter(|line| line.starts_with("| `config_azure."));
        let names = rows.filter_map(|row| row.split('`').nth(1));
        names.map(str::to_owned).collect()
    }

    #[test]
    fn the_document_lists_every_name_and_no_other() {
        let mut wanted = NAMES.map(str::to_owned).to_vec();
        let mut listed = documented();
        wanted.sort();
        listed.sort();
        assert_eq!(listed, wanted);
    }

    #[test]
    fn lists_of_names_are_bounded() {
        let names = vec!["a"; 1_000];
        assert_eq!(listed(names.into_iter()).len(), 32 + 31 * 2);
    }
}
