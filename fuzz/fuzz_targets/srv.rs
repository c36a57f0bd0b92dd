//! SRV answers: whatever a name server says, only names of the store's own family are believed, and not many.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use config_azure::fuzzing::replicas;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

#[derive(Arbitrary, Debug)]
enum Target {
    Primary,
    Replica(String),
    Foreign(String),
}

#[derive(Arbitrary, Debug)]
struct Input {
    store: String,
    answers: Vec<Vec<(u16, u16, Target)>>,
}

const SUFFIX: &str = ".azconfig.io";

thread_local! {
    static RUNTIME: RefCell<Runtime> =
        RefCell::new(Builder::new_current_thread().enable_time().build().expect("a runtime"));
}

fuzz_target!(|input: Input| {
    let host = format!("{}{SUFFIX}", input.store);
    let name = |target: Target| match target {
        Target::Primary => host.clone(),
        Target::Replica(text) => format!("{}-{text}{SUFFIX}.", input.store),
        Target::Foreign(text) => text,
    };
    let answers = input
        .answers
        .into_iter()
        .map(|answer| {
            answer
                .into_iter()
                .map(|(priority, weight, target)| (priority, weight, name(target)))
                .collect()
        })
        .collect();
    let found = RUNTIME.with_borrow(|runtime| runtime.block_on(replicas(&host, answers)));
    assert!(found.len() <= 17, "{found:?}");
    assert_eq!(
        found.iter().collect::<BTreeSet<_>>().len(),
        found.len(),
        "{found:?}"
    );
    for replica in &found {
        let label = replica
            .strip_suffix(SUFFIX)
            .expect("the store's own domain");
        assert!(!label.is_empty(), "{replica}");
        assert!(
            label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
            "{replica}"
        );
        // `contoso` and `contoso-eu` are of one family, `contoso` and `contosoevil` are not.
        let family = |label: &str| {
            label
                .split('-')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        assert_eq!(family(label), family(&input.store), "{replica}");
    }
});
