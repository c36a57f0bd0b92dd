//! T8: no piece of a connection string's secret in any error, whatever is wrong with the string.

#[path = "../../src/testing/canary.rs"]
mod canary;

use canary::Canaries;
use config_azure::{AppConfiguration, Secret};
use config_azure_emulator::Emulator;
use proptest::prelude::*;

/// A secret as the service makes it: base64 of 32 bytes.
const SECRET: &str = "R3pXb0tQc1l2TjdoQ2RVdzRmTGFaZTlxVG1Kc0JpOHg=";
const ID: &str = "l9-s0:0a1B2c3D4e5F6g7H8i9J";

fn canaries() -> Canaries {
    let mut canaries = Canaries::with_window(6);
    canaries.plant("the secret", SECRET);
    canaries
}

/// What somebody makes of a connection string: parts left out, doubled, swapped, cut, or with other names.
fn mutations() -> impl Strategy<Value = String> {
    let endpoint = prop_oneof![
        Just("Endpoint=https://contoso.azconfig.io".to_owned()),
        Just("Endpoint=http://contoso.azconfig.io".to_owned()),
        Just(format!("Endpoint={SECRET}")),
        Just(format!("Endpoint=https://{SECRET}")),
        Just(format!("Endpoint=https://x:{SECRET}@contoso.azconfig.io")),
        Just(format!(
            "Endpoint=https://contoso.azconfig.io/{SECRET}?{SECRET}#{SECRET}"
        )),
        Just(String::new()),
    ];
    let id = prop_oneof![
        Just(format!("Id={ID}")),
        Just(format!("Id={SECRET}")),
        Just("Id=".to_owned()),
        Just(String::new())
    ];
    let secret = prop_oneof![
        Just(format!("Secret={SECRET}")),
        Just(format!("Secret=!{SECRET}")),
        Just(format!("Secret={SECRET} {SECRET}")),
        Just(format!("Password={SECRET}")),
        Just(format!("{SECRET}=Secret")),
        Just(SECRET.to_owned()),
        (1..SECRET.len()).prop_map(|length| format!("Secret={}", &SECRET[..length])),
        (0..SECRET.len()).prop_map(|at| format!("Secret={}\u{fc}{}", &SECRET[..at], &SECRET[at..])),
    ];
    let extra = prop_oneof![
        Just(String::new()),
        Just(format!("Secret={SECRET}")),
        Just(format!("Note={SECRET}"))
    ];
    let parts = (endpoint, id, secret, extra)
        .prop_map(|(a, b, c, d)| vec![a, b, c, d])
        .prop_shuffle();
    (
        parts,
        prop_oneof![Just(";"), Just(";;"), Just(","), Just(" ; ")],
    )
        .prop_map(|(parts, between)| parts.join(between))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn t08_a_connection_string_never_shows_its_secret(text in mutations()) {
        let canaries = canaries();
        // No client of our own: making one reads the certificates of the system every time.
        let network = Emulator::builder().in_memory().transport();
        let builder = AppConfiguration::builder().connection_string(&text).transport(network.clone());
        canaries.assert_hidden("the builder", &builder);
        match builder.build() {
            Ok(azure) => canaries.assert_hidden("the handle", &azure),
            Err(error) => canaries.assert_silent("the error", &error),
        }
        // Swapped arguments.
        let builder = AppConfiguration::builder().endpoint(&text).anonymous().transport(network);
        if let Err(error) = builder.build() {
            canaries.assert_silent("the error of an endpoint", &error);
        }
    }
}

#[test]
fn t08_a_good_one_is_hidden_too() {
    let canaries = canaries();
    let text = format!("Endpoint=https://contoso.azconfig.io;Id={ID};Secret={SECRET}");
    let builder = AppConfiguration::builder().connection_string(text);
    canaries.assert_hidden("the builder", &builder);
    let azure = builder.build().expect("a handle");
    canaries.assert_hidden("the handle", &azure);
    canaries.assert_hidden("the status", &azure.status());
    canaries.assert_hidden("a secret", &Secret::from(SECRET));
    let planted = Canaries::text(1);
    assert!(canaries.seen_in(&planted).is_empty() && !canaries.seen_in(&SECRET[7..14]).is_empty());
    canaries.assert_not_in("an endpoint", "https://contoso.azconfig.io");
}
