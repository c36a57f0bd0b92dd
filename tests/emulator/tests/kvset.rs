//! The file format of `az appconfig kv export --profile appconfig/kvset`.

use config_azure_emulator::{Emulator, Setting};

const FILE: &str = r#"{
  "items": [
    {"key": "orders:title", "value": "Shop", "label": null, "content_type": null, "tags": {}},
    {"key": "orders:title", "value": "Shop (prod)", "label": "prod", "content_type": "text/plain", "tags": {"team": "blue"}},
    {"key": "orders:limit", "value": "5", "label": "", "content_type": "application/json"}
  ]
}"#;

#[test]
fn a_file_is_read_and_written_back() {
    let emulator = Emulator::builder()
        .store("contoso")
        .store("copy")
        .in_memory();
    let store = emulator.store("contoso");
    assert_eq!(store.import_kvset(FILE).expect("a good file"), 3);
    let prod = store.get("orders:title", "prod").expect("prod");
    assert_eq!(prod.value.as_deref(), Some("Shop (prod)"));
    assert_eq!(prod.content_type.as_deref(), Some("text/plain"));
    assert_eq!(prod.tags["team"].as_deref(), Some("blue"));
    assert!(
        store.get("orders:limit", None).is_some(),
        "the empty label is the null label"
    );
    let copy = emulator.store("copy");
    assert_eq!(
        copy.import_kvset(&store.export_kvset())
            .expect("our own file"),
        3
    );
    let plain = |settings: Vec<Setting>| -> Vec<_> {
        let plain = settings.into_iter();
        plain
            .map(|s| (s.key, s.label, s.value, s.content_type, s.tags))
            .collect()
    };
    assert_eq!(plain(copy.settings()), plain(store.settings()));
}

#[test]
fn a_bad_file_changes_nothing() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let store = emulator.store("contoso");
    for bad in ["", "{}", "[]", r#"{"items":[{"value":"no key"}]}"#] {
        assert!(store.import_kvset(bad).is_err(), "{bad}");
    }
    assert_eq!(store.settings(), []);
}

#[test]
fn a_written_value_keeps_what_it_does_not_name() {
    let emulator = Emulator::builder().store("contoso").in_memory();
    let store = emulator.store("contoso");
    store.import_kvset(FILE).expect("a good file");
    store.set("orders:title", "prod", "New");
    let prod = store.get("orders:title", "prod").expect("prod");
    assert_eq!((prod.value.as_deref(), prod.tags.len()), (Some("New"), 1));
    store.set_reference(
        "orders:password",
        None,
        "https://kv.vault.azure.net/secrets/p",
    );
    let reference = store.get("orders:password", None).expect("a reference");
    assert_eq!(
        reference.value.as_deref(),
        Some(r#"{"uri":"https://kv.vault.azure.net/secrets/p"}"#)
    );
    assert!(
        reference
            .content_type
            .expect("a type")
            .contains("keyvaultref")
    );
}
