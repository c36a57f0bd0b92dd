//! Which number stands for which reference.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::state::SecretId;
use crate::reference::ReferenceId;

/// Names and numbers of everything that a candidate refers to.
#[derive(Debug, Default)]
pub(super) struct Directory {
    vaults: BTreeMap<Box<str>, u32>,
    numbers: HashMap<ReferenceId, SecretId>,
    names: BTreeMap<SecretId, ReferenceId>,
    last_vault: u32,
    last: u32,
}

impl Directory {
    /// The number of a reference, a new one if it has none.
    pub(super) fn number(&mut self, name: &ReferenceId) -> SecretId {
        if let Some(id) = self.numbers.get(name) {
            return *id;
        }
        let vault = self.vault(name.vault_host());
        self.last = self.last.wrapping_add(1);
        let id = SecretId::new(vault, self.last, name.is_versioned());
        self.numbers.insert(name.clone(), id);
        self.names.insert(id, name.clone());
        id
    }

    fn vault(&mut self, host: &str) -> u32 {
        if let Some(number) = self.vaults.get(host) {
            return *number;
        }
        self.last_vault = self.last_vault.wrapping_add(1);
        self.vaults.insert(host.into(), self.last_vault);
        self.last_vault
    }

    pub(super) fn name(&self, id: SecretId) -> Option<&ReferenceId> {
        self.names.get(&id)
    }

    /// The numbers of those whose name passes the test.
    pub(super) fn matching(&self, test: impl Fn(&ReferenceId) -> bool) -> Vec<SecretId> {
        let matching = self.names.iter().filter(|(_, name)| test(name));
        matching.map(|(id, _)| *id).collect()
    }

    /// The host of a vault.
    pub(super) fn host(&self, vault: u32) -> Option<&str> {
        let mut hosts = self.vaults.iter();
        hosts
            .find(|(_, number)| **number == vault)
            .map(|(host, _)| &**host)
    }

    /// Forgets all names but these, and the vaults that none of them stands in and of which the machine knows nothing any more.
    pub(super) fn retain(&mut self, names: &BTreeSet<ReferenceId>, knows: impl Fn(u32) -> bool) {
        let hosts: BTreeSet<&str> = names.iter().map(ReferenceId::vault_host).collect();
        self.vaults
            .retain(|host, number| hosts.contains(&**host) || knows(*number));
        self.numbers.retain(|name, _| names.contains(name));
        self.names.retain(|_, name| names.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::SecretIdentifier;

    fn name(text: &str) -> ReferenceId {
        let text = format!("https://{text}");
        ReferenceId::Secret(SecretIdentifier::parse(&text).unwrap())
    }

    #[test]
    fn a_name_keeps_its_number_until_it_is_forgotten() {
        let mut directory = Directory::default();
        let names = [
            name("kv-a.vault.azure.net/secrets/x"),
            name("kv-a.vault.azure.net/secrets/x/1"),
            name("kv-b.vault.azure.net/secrets/x"),
        ];
        let ids = names.each_ref().map(|name| directory.number(name));
        assert_eq!(ids, names.each_ref().map(|name| directory.number(name)));
        assert_eq!(ids[0].vault(), ids[1].vault());
        assert_ne!(ids[0].vault(), ids[2].vault());
        assert_eq!(ids.map(SecretId::is_versioned), [false, true, false]);
        assert_eq!(directory.name(ids[1]), Some(&names[1]));
        assert_eq!(directory.host(ids[2].vault()), Some("kv-b.vault.azure.net"));
        assert_eq!(directory.matching(|name| !name.is_versioned()).len(), 2);

        directory.retain(&names[2..].iter().cloned().collect(), |_| false);
        assert_eq!(directory.name(ids[0]), None);
        assert_eq!(directory.number(&names[2]), ids[2]);
        assert_ne!(
            directory.number(&names[0]),
            ids[0],
            "numbers are not used again"
        );
    }
}
