//! The command line.

use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Azure App Configuration, Key Vault and Entra ID on loopback, for development and tests.

Usage: config-azure-emulator [OPTIONS]

Every store, every vault and the authority answer on a port of their own as https://localhost:PORT, with
certificates of a private authority that is made anew at each start. The command prints the addresses, a
connection string, a client id with its secret, and the file that holds the authority's certificate; it runs
until Ctrl-C.

Services
  --store NAME[:PORT]       a store (repeatable; default: contoso, any free port)
  --vault NAME[:PORT]       a key vault (repeatable; default: those of --vault-seed, or kv-contoso)
  --identity-port PORT      the port of the authority and of the managed identity endpoint

Content
  --seed [STORE=]FILE       import settings, in the format of 'az appconfig kv export --profile appconfig/kvset'
                            (repeatable; default store: the first)
  --vault-seed FILE         secrets and keys: {\"VAULT\": {\"secrets\": {\"NAME\": \"VALUE\"}, \"keys\": {\"NAME\": {\"kty\": \"EC\"}}}}
  --local-references        point imported Key Vault references of the emulated vaults at https://localhost:PORT
  --export [STORE=]FILE     write the settings to a file of the same format when the command ends (repeatable)

Behaviour
  --anonymous               stores let everybody in, without signature or token
  --serve-expired           vaults serve secrets outside 'nbf' and 'exp', as Azure documents, instead of refusing them
  --token-lifetime SECONDS  how long access tokens are good (default: 3600)
  --page-size N             settings on a page (default: 100)
  --latency MILLISECONDS    every answer takes so long
  --webhook URL             deliver events in the Event Grid schema (repeatable)
  --webhook-cloudevents URL deliver events as CloudEvents (repeatable)

Output
  --ca-file FILE            where the certificate goes (default: config-azure-emulator-ca.pem in the temporary folder)
  --env-file FILE           also write NAME=VALUE lines for a shell or a dotenv loader
  --json                    print one line of JSON instead of a table
  --stop-on-eof             end when the standard input is closed, for scripts
  -h, --help                print this help
  -V, --version             print the version

How to point services and SDKs of other languages at it: docs/emulator.md.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Version,
    Run(Box<Options>),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) stores: Vec<Service>,
    pub(crate) vaults: Vec<Service>,
    pub(crate) identity_port: Option<u16>,
    pub(crate) seeds: Vec<StoreFile>,
    pub(crate) vault_seed: Option<PathBuf>,
    pub(crate) local_references: bool,
    pub(crate) exports: Vec<StoreFile>,
    pub(crate) anonymous: bool,
    pub(crate) serve_expired: bool,
    pub(crate) token_lifetime: Option<u64>,
    pub(crate) page_size: Option<usize>,
    pub(crate) latency: Option<u64>,
    pub(crate) webhooks: Vec<String>,
    pub(crate) cloud_webhooks: Vec<String>,
    pub(crate) ca_file: PathBuf,
    pub(crate) env_file: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) stop_on_eof: bool,
}

/// `NAME[:PORT]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) port: Option<u16>,
}

/// `[STORE=]FILE`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoreFile {
    store: Option<String>,
    pub(crate) path: PathBuf,
}

impl StoreFile {
    pub(crate) fn store_or<'a>(&'a self, first: &'a str) -> &'a str {
        self.store.as_deref().unwrap_or(first)
    }
}

/// Reads the arguments after the command's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut options = Options {
        ca_file: std::env::temp_dir().join("config-azure-emulator-ca.pem"),
        ..Options::default()
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => {
                (name.to_owned(), Some(value.to_owned()))
            }
            _ => (argument, None),
        };
        match name.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "-V" | "--version" => return Ok(Command::Version),
            _ => {}
        }
        if let Some(flag) = options.flag(&name) {
            if inline.is_some() {
                return Err(format!("{name} takes no value"));
            }
            *flag = true;
            continue;
        }
        let value = || {
            inline
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{name} wants a value"))
        };
        options.set(&name, value)?;
    }
    options.check()?;
    Ok(Command::Run(Box::new(options)))
}

impl Options {
    fn flag(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "--local-references" => &mut self.local_references,
            "--anonymous" => &mut self.anonymous,
            "--serve-expired" => &mut self.serve_expired,
            "--json" => &mut self.json,
            "--stop-on-eof" => &mut self.stop_on_eof,
            _ => return None,
        })
    }

    fn set(
        &mut self,
        name: &str,
        value: impl FnOnce() -> Result<String, String>,
    ) -> Result<(), String> {
        match name {
            "--store" => self.stores.push(service(name, &value()?)?),
            "--vault" => self.vaults.push(service(name, &value()?)?),
            "--identity-port" => self.identity_port = Some(number(name, &value()?)?),
            "--seed" => self.seeds.push(store_file(&value()?)),
            "--vault-seed" => self.vault_seed = Some(value()?.into()),
            "--export" => self.exports.push(store_file(&value()?)),
            "--token-lifetime" => self.token_lifetime = Some(number(name, &value()?)?),
            "--page-size" => self.page_size = Some(number(name, &value()?)?),
            "--latency" => self.latency = Some(number(name, &value()?)?),
            "--webhook" => self.webhooks.push(value()?),
            "--webhook-cloudevents" => self.cloud_webhooks.push(value()?),
            "--ca-file" => self.ca_file = value()?.into(),
            "--env-file" => self.env_file = Some(value()?.into()),
            _ => return Err(format!("there is no option {name}")),
        }
        Ok(())
    }

    /// What only the options together can tell.
    fn check(&self) -> Result<(), String> {
        if self.page_size == Some(0) {
            return Err("--page-size wants at least 1".to_owned());
        }
        let first = self
            .stores
            .first()
            .map_or("contoso", |store| store.name.as_str());
        for file in self.seeds.iter().chain(&self.exports) {
            let store = file.store_or(first);
            if store != first && !self.stores.iter().any(|known| known.name == store) {
                return Err(format!("there is no --store {store}"));
            }
        }
        Ok(())
    }
}

fn service(option: &str, text: &str) -> Result<Service, String> {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(number(option, port)?)),
        None => (text, None),
    };
    let is_label = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_label {
        return Err(format!(
            "{option} wants a name of letters, digits and dashes, not '{name}'"
        ));
    }
    Ok(Service {
        name: name.to_ascii_lowercase(),
        port,
    })
}

fn store_file(text: &str) -> StoreFile {
    match text.split_once('=') {
        Some((store, path)) => StoreFile {
            store: Some(store.to_ascii_lowercase()),
            path: path.into(),
        },
        None => StoreFile {
            store: None,
            path: text.into(),
        },
    }
}

fn number<N: std::str::FromStr>(option: &str, text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("{option} wants a number, not '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_in_both_forms() {
        let line = "--store Contoso:8081 --store=fabrikam --vault kv:8443 --identity-port=8440 --seed a.json \
                    --seed fabrikam=b.json --export=fabrikam=c.json --anonymous --page-size 7 --json --ca-file ca.pem";
        let Ok(Command::Run(options)) = options(line) else {
            panic!("the line is valid");
        };
        let service = |name: &str, port| Service {
            name: name.to_owned(),
            port,
        };
        assert_eq!(
            options.stores,
            [service("contoso", Some(8081)), service("fabrikam", None)]
        );
        assert_eq!(options.vaults, [service("kv", Some(8443))]);
        assert_eq!(options.identity_port, Some(8440));
        let stores: Vec<_> = options
            .seeds
            .iter()
            .map(|file| file.store_or("contoso"))
            .collect();
        assert_eq!(stores, ["contoso", "fabrikam"]);
        assert_eq!(options.exports[0].path, PathBuf::from("c.json"));
        assert!(options.anonymous && options.json && !options.stop_on_eof);
        assert_eq!(
            (options.page_size, options.ca_file.clone()),
            (Some(7), "ca.pem".into())
        );
    }

    #[test]
    fn complaints_name_the_option() {
        let cases = [
            ("--stores a", "there is no option --stores"),
            ("--store", "--store wants a value"),
            ("--store a:b", "--store wants a number, not 'b'"),
            ("--store a.b", "--store wants a name"),
            ("--vault :8443", "--vault wants a name"),
            ("--json=yes", "--json takes no value"),
            ("--page-size 0", "--page-size"),
            ("--seed other=x.json", "there is no --store other"),
            ("extra", "there is no option extra"),
        ];
        for (line, words) in cases {
            let complaint = options(line).expect_err(line);
            assert!(complaint.contains(words), "{complaint}");
        }
    }

    #[test]
    fn help_names_every_option() {
        assert_eq!(options("--json -h"), Ok(Command::Help));
        assert_eq!(options("--version"), Ok(Command::Version));
        let words = HELP
            .split_whitespace()
            .map(|word| word.trim_end_matches(','));
        for word in words.filter(|word| word.starts_with("--") && *word != "--profile") {
            let mut values = Options::default();
            let known = ["--help", "--version"].contains(&word)
                || values.flag(word).is_some()
                || values.set(word, || Ok("1".to_owned())).is_ok();
            assert!(known, "{word}");
        }
    }
}
