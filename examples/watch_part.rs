//! Three ways to follow what changes, none of which polls.
//!
//! `cargo run --example watch_part` needs no Azure: the store is in memory, and the clock is paused, so that the
//! minutes until a rotated secret is read again pass in no time.

use config::Config;
use config_azure::{Derived, Live, Part, Secret};
use serde::Deserialize;

#[derive(Deserialize)]
struct Settings {
    limits: Limits,
    mail: Mail,
}

#[derive(Deserialize, PartialEq)]
struct Limits {
    per_minute: u32,
}

#[derive(Deserialize, PartialEq)]
struct Mail {
    server: String,
    password: Secret,
}

/// What is built from [`Mail`]: in a real service a connection that has logged in.
struct Mailer {
    login: String,
}

impl Mailer {
    async fn connect(mail: &Mail) -> Result<Self, std::io::Error> {
        if mail.server.is_empty() {
            return Err(std::io::Error::other("no server"));
        }
        let length = mail.password.expose_secret().len();
        Ok(Self {
            login: format!("{} with a password of {length} characters", mail.server),
        })
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (builder, store) = config_azure::in_memory();
    store.set("app:limits:per_minute", "100");
    store.set("app:mail:server", "smtp.contoso.example");
    store.set_secret("app:mail:password", "old");
    let azure = builder.trim_key_prefix("app:").load().await?;
    let settings: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;

    // A part wakes only if that part changed.
    let mut limits: Part<Settings, Limits> = settings.part(|settings| &settings.limits);
    // What is derived from a part is rebuilt when it changes, and swapped in when it is ready.
    let mut mailer: Derived<Mailer> = settings
        .derive(
            |settings| &settings.mail,
            |mail| async move { Mailer::connect(&mail).await },
        )
        .await?;
    // And what changed, by name.
    let mut changes = azure.changes();
    println!("at first: {} per minute", limits.load().per_minute);
    println!("at first: {}", mailer.load().login);

    store.set("app:limits:per_minute", "250");
    println!("\nthe limit changes in the store");
    println!("a part: {} per minute", limits.changed().await?.per_minute);
    println!("changes: {}", changes.next().await.ok_or("closed")?);

    store.rotate("app:mail:password", "much longer");
    println!("\nthe password is rotated in the vault");
    println!("derived: {}", mailer.changed().await?.login);
    println!("changes: {}", changes.next().await.ok_or("closed")?);

    store.set("app:mail:server", "");
    println!("\nsomebody empties the server's name");
    println!("changes: {}", changes.next().await.ok_or("closed")?);
    while mailer.status().is_current() {
        tokio::task::yield_now().await;
    }
    println!("derived: {}", mailer.status());
    println!("still: {}", mailer.load().login);

    azure.shutdown().await;
    Ok(())
}
