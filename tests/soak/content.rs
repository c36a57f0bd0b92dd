//! What store and vault hold, and what must be true of every snapshot of it.

use std::time::Duration;

use config_azure::{Live, Secret};
use config_azure_emulator::Emulator;
use config_azure_emulator::vault::NewSecret;
use serde::Deserialize;
use tokio::sync::watch;

/// Between two looks of a reader: short beside everything that happens.
const PAUSE: Duration = Duration::from_micros(500);

/// One page, written in the order `first`, `pinned`, `last`, so that a list shows `last <= pinned <= first <= last + 1`.
#[derive(Debug, Deserialize)]
pub struct Settings {
    first: u64,
    /// By a reference that names a version.
    pinned: Secret,
    last: u64,
    /// A JSON secret that is rotated: both members are of one round.
    login: Login,
}

#[derive(Debug, Deserialize)]
struct Login {
    user: String,
    password: Secret,
}

/// Changes everything.
pub fn write(emulator: &Emulator, round: u64) {
    let (store, vault) = (emulator.store("contoso"), emulator.vault("kv-orders"));
    if round == 1 {
        rotate(emulator, round);
        store.set_reference("login", None, &vault.secret_uri("login"));
    }
    let text = round.to_string();
    store.set("first", None, text.as_str());
    let version = vault.set_secret("pinned", text.as_str());
    store.set_reference("pinned", None, &version.id);
    store.set("last", None, text.as_str());
    rotate(emulator, round);
}

fn rotate(emulator: &Emulator, round: u64) {
    let login = format!(r#"{{"user":"{round}","password":"{round}"}}"#);
    let login = NewSecret::new(login).content_type("application/json");
    emulator.vault("kv-orders").set_secret_with("login", login);
}

impl Settings {
    /// The rounds that its parts are of: `first`, `pinned`, `last`, user and password.
    pub fn rounds(&self) -> [u64; 5] {
        let number = |text: &str| text.parse().unwrap_or(0);
        let pinned = number(self.pinned.expose_secret());
        let password = number(self.login.password.expose_secret());
        [
            self.first,
            pinned,
            self.last,
            number(&self.login.user),
            password,
        ]
    }

    pub fn is_of(&self, round: u64) -> bool {
        self.rounds() == [round; 5]
    }
}

/// What a reader saw.
#[derive(Debug, Default)]
pub struct Watched {
    reads: u64,
    breaks: Vec<String>,
}

impl Watched {
    /// Reads until told to stop, as a worker would.
    pub fn read(live: &Live<Settings>, stopped: &watch::Receiver<bool>) -> Self {
        let (mut watched, mut reader) = (Self::default(), live.reader());
        let (mut generation, mut rounds) = (0, [0; 5]);
        while !*stopped.borrow() {
            let now = reader.load();
            watched.reads += 1;
            if now.generation() == generation {
                std::thread::sleep(PAUSE);
                continue;
            }
            let seen = now.rounds();
            if now.generation() < generation {
                watched.found(format!(
                    "generation {} after {generation}",
                    now.generation()
                ));
            }
            if seen.iter().zip(rounds).any(|(now, before)| *now < before) {
                watched.found(format!("{seen:?} after {rounds:?}"));
            }
            let [first, pinned, last, user, password] = seen;
            let whole = last <= pinned && pinned <= first && first <= last + 1 && user == password;
            if !whole || last == 0 {
                watched.found(format!("half: {seen:?}"));
            }
            (generation, rounds) = (now.generation(), seen);
        }
        watched
    }

    fn found(&mut self, what: String) {
        if self.breaks.len() < 20 {
            self.breaks.push(what);
        }
    }

    pub fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.breaks.extend(other.breaks);
    }

    pub fn reads(&self) -> u64 {
        self.reads
    }

    pub fn breaks(&self) -> &[String] {
        &self.breaks
    }
}
