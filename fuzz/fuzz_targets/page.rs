//! The JSON of a page: what is accepted is JSON with these items, in this order; everything else is an error.
#![no_main]

use config_azure::fuzzing::list_page;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let Ok((items, next)) = list_page(body) else {
        return;
    };
    let page: Value = serde_json::from_slice(body).expect("a page is JSON");
    assert_eq!(
        page.get("@nextLink").and_then(Value::as_str),
        next.as_deref()
    );
    let listed = page["items"].as_array().expect("a page has items");
    assert_eq!(listed.len(), items.len());
    for (listed, item) in listed.iter().zip(&items) {
        assert_eq!(listed["key"].as_str(), Some(item.key()));
        assert_eq!(listed.get("value").and_then(Value::as_str), item.value());
        assert_eq!(
            listed.get("content_type").and_then(Value::as_str),
            item.content_type()
        );
    }
});
