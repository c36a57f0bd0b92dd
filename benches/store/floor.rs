//! What one would write by hand: page after page.

use serde_json::Value;

use super::HOST;

/// Walks all pages; how many there were.
pub async fn walk(client: &reqwest::Client) -> usize {
    let mut next = Some("/kv?api-version=2023-11-01&key=%2A&label=%00".to_owned());
    let (mut pages, mut settings) = (0, Vec::new());
    while let Some(line) = next {
        let answer = client
            .get(format!("https://{HOST}{line}"))
            .send()
            .await
            .expect("an answer");
        let body = answer.bytes().await.expect("a body");
        let mut page: Value = serde_json::from_slice(&body).expect("a page");
        next = page["@nextLink"].as_str().map(str::to_owned);
        if let Value::Array(items) = page["items"].take() {
            settings.extend(items);
        }
        pages += 1;
    }
    assert!(!settings.is_empty());
    pages
}
