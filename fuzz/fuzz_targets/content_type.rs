//! Content types: one meaning, whatever the case, the blanks around it and further parameters.
#![no_main]

use config_azure::fuzzing::content_kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let kind = content_kind(text);
    assert_eq!(content_kind(&text.to_ascii_uppercase()), kind);
    assert_eq!(content_kind(&text.to_ascii_lowercase()), kind);
    assert_eq!(content_kind(&format!(" {text};charset=utf-8")), kind);
    if !text.contains('/') {
        assert_eq!(kind, "Text");
    }
});
