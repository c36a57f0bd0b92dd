//! This library, as an application would use it.

use config::{Config, ValueKind};
use config_azure::AppConfiguration;

use super::contender::World;

pub async fn load(world: &World) -> usize {
    let hook = {
        let (ca, hosts) = (world.ca.clone(), world.hosts.clone());
        move |builder: reqwest::ClientBuilder| {
            let ca = reqwest::Certificate::from_pem(ca.as_bytes()).expect("the CA");
            hosts
                .iter()
                .fold(builder.tls_certs_only([ca]), |builder, (host, address)| {
                    builder.resolve(host, *address)
                })
        }
    };
    let environment = [
        ("AZURE_TENANT_ID", world.tenant.clone()),
        ("AZURE_CLIENT_ID", world.client_id.clone()),
        ("AZURE_CLIENT_SECRET", world.client_secret.clone()),
    ];
    let azure = AppConfiguration::builder()
        .connection_string(&world.connection_string)
        .default_credential()
        .environment(move |name| {
            let known = environment.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| value.clone())
        })
        .http_client(hook)
        .load()
        .await
        .expect("a load");
    let config = Config::builder()
        .add_source(azure)
        .build()
        .expect("a configuration");
    leaves(&config.cache.kind)
}

fn leaves(kind: &ValueKind) -> usize {
    match kind {
        ValueKind::Table(table) => table.values().map(|value| leaves(&value.kind)).sum(),
        ValueKind::Array(values) => values.iter().map(|value| leaves(&value.kind)).sum(),
        _ => 1,
    }
}
