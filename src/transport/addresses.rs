//! The addresses of a name, listed so that a dead one costs little.
//!
//! The connector tries the addresses of a family one after the other and gives each an equal share of the time for
//! connecting, so the first of two, if it swallows packets, would cost half of it. Each address of several is therefore
//! listed more than once: short turns, and as much time in all. Of two families the second is tried beside the first after
//! 300 ms anyway.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::task::blocking;

/// For TCP and TLS together.
pub(super) const CONNECT: Duration = Duration::from_secs(8);
/// The longest turn of one address of several. A lost SYN is sent again after one second anyway.
const TURN: Duration = Duration::from_secs(1);

/// The system's own resolver, with the addresses in turns.
#[derive(Debug)]
pub(super) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let look_up = move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                found.map(Iterator::collect::<Vec<_>>)
            };
            let found = blocking(look_up).await;
            let found = found.map_err(|_| io::Error::other("the look-up of a name panicked"))??;
            let addresses: Addrs = Box::new(in_turns(&found).into_iter());
            Ok(addresses)
        })
    }
}

/// The same addresses, those of the first one's family first, each so often that no turn is longer than [`TURN`].
pub(crate) fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let of_family = |ipv6: bool| {
        let all = addresses.iter().copied();
        all.filter(move |address| address.is_ipv6() == ipv6)
            .collect::<Vec<_>>()
    };
    let mut turns = repeated(&of_family(preferred));
    turns.extend(repeated(&of_family(!preferred)));
    turns
}

/// One address alone has all the time.
fn repeated(family: &[SocketAddr]) -> Vec<SocketAddr> {
    let rounds = match family.len() {
        0 | 1 => 1,
        many => most_turns().div_ceil(many),
    };
    family.repeat(rounds)
}

fn most_turns() -> usize {
    usize::try_from(CONNECT.as_millis() / TURN.as_millis()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::str::FromStr;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        let parsed = texts.iter().map(|text| format!("{text}:0").parse());
        parsed.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn f55_no_address_of_several_has_more_than_a_second() {
        for many in 2..20_u8 {
            let texts: Vec<String> = (1..=many).map(|last| format!("10.0.0.{last}")).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let turns = in_turns(&addresses(&texts));
            let share = CONNECT / u32::try_from(turns.len()).unwrap();
            assert!(share <= TURN, "{many}: {share:?}");
            let first: BTreeSet<_> = turns.iter().take(many.into()).collect();
            assert_eq!(first.len(), usize::from(many), "each once before any twice");
        }
    }

    #[test]
    fn f55_one_address_of_a_family_has_all_the_time() {
        assert!(in_turns(&[]).is_empty());
        let both = addresses(&["[::1]", "10.0.0.1"]);
        assert_eq!(in_turns(&both), both);
        let mixed = addresses(&["10.0.0.1", "[::1]", "10.0.0.2"]);
        let turns = in_turns(&mixed);
        assert!(turns.starts_with(&addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.1"])));
        assert_eq!(turns.len(), 8 + 1);
        assert_eq!(turns.last(), mixed.get(1));
    }

    #[tokio::test]
    async fn the_system_is_asked() {
        let name = Name::from_str("localhost").unwrap();
        let mut found = SystemNames.resolve(name).await.unwrap();
        assert!(found.all(|address| address.ip().is_loopback()));
        // Longer than a name can be, so that no server is asked for it.
        let name = Name::from_str(&"x".repeat(300)).unwrap();
        assert!(SystemNames.resolve(name).await.is_err());
    }
}
