//! The floor: plain reqwest, by hand.

use std::collections::HashMap;
use std::time::SystemTime;

use aws_lc_rs::{digest, hmac};
use azure_core::base64;
use futures::StreamExt;

use super::contender::World;

#[derive(serde::Deserialize)]
struct Page {
    items: Vec<Item>,
    #[serde(rename = "@nextLink")]
    next: Option<String>,
}

#[derive(serde::Deserialize)]
struct Item {
    key: String,
    value: String,
    content_type: Option<String>,
}

#[derive(serde::Deserialize)]
struct Reference {
    uri: String,
}

#[derive(serde::Deserialize)]
struct Bundle {
    value: String,
}

pub async fn load(world: &World) -> usize {
    let client = world
        .client(reqwest::Client::builder())
        .build()
        .expect("a client");
    let parts: HashMap<&str, &str> = world
        .connection_string
        .split(';')
        .filter_map(|part| part.split_once('='))
        .collect();
    let key = hmac::Key::new(
        hmac::HMAC_SHA256,
        &base64::decode(parts["Secret"]).expect("base64"),
    );

    let mut values = HashMap::new();
    let mut references = Vec::new();
    let mut next = Some("/kv?api-version=2023-11-01&key=%2A&label=%00".to_owned());
    while let Some(path) = next {
        let page: Page = get(&client, &parts, &key, &path).await;
        for item in page.items {
            if item
                .content_type
                .is_some_and(|kind| kind.contains("keyvaultref"))
            {
                let reference: Reference = serde_json::from_str(&item.value).expect("a reference");
                references.push((item.key, reference.uri));
            } else {
                values.insert(item.key, item.value);
            }
        }
        next = page.next;
    }

    let reads = references.into_iter().map(|(key, uri)| {
        let request = client
            .get(format!("{uri}?api-version=7.4"))
            .bearer_auth(&world.vault_token);
        async move {
            let body = request
                .send()
                .await
                .expect("an answer")
                .bytes()
                .await
                .expect("a body");
            (
                key,
                serde_json::from_slice::<Bundle>(&body)
                    .expect("a secret")
                    .value,
            )
        }
    });
    let mut reads = futures::stream::iter(reads).buffer_unordered(64);
    while let Some((key, value)) = reads.next().await {
        values.insert(key, value);
    }
    values.len()
}

async fn get(
    client: &reqwest::Client,
    parts: &HashMap<&str, &str>,
    key: &hmac::Key,
    path: &str,
) -> Page {
    let host = parts["Endpoint"]
        .trim_start_matches("https://")
        .trim_end_matches('/');
    let date = azure_core::time::to_rfc7231(&SystemTime::now().into());
    let hash = base64::encode(digest::digest(&digest::SHA256, b""));
    let signature = hmac::sign(key, format!("GET\n{path}\n{date};{host};{hash}").as_bytes());
    let authorization = format!(
        "HMAC-SHA256 Credential={}&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={}",
        parts["Id"],
        base64::encode(signature)
    );
    let response = client
        .get(format!("https://{host}{path}"))
        .header("x-ms-date", date)
        .header("x-ms-content-sha256", hash)
        .header("authorization", authorization)
        .send()
        .await
        .expect("an answer");
    serde_json::from_slice(&response.bytes().await.expect("a body")).expect("a page")
}
