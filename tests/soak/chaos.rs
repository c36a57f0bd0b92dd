//! The network's moods: one after the other, each for a while, on either of the two services.

use std::time::Duration;

use config_azure_emulator::{Direction, Emulator, Proxy, Toxic};

const HOSTS: [&str; 2] = ["contoso.azconfig.io", "kv-orders.vault.azure.net"];

/// The proxies before store and vault, and what is wrong with them.
pub struct Chaos {
    proxies: Vec<Proxy>,
    /// The service whose port is closed.
    closed: Option<&'static str>,
    random: fastrand::Rng,
    moods: usize,
}

impl Chaos {
    /// Clients that are made from now on go through the proxies.
    pub async fn before(emulator: &Emulator) -> Self {
        let mut proxies = Vec::new();
        for host in HOSTS {
            proxies.push(emulator.proxy(host).await.expect("a proxy"));
        }
        Self {
            proxies,
            closed: None,
            random: fastrand::Rng::with_seed(8),
            moods: 0,
        }
    }

    /// Ends the mood before and begins another; says how long it is to last.
    pub async fn next_mood(&mut self, emulator: &Emulator) -> Duration {
        self.heal(emulator).await;
        self.moods += 1;
        let at = self.random.usize(..HOSTS.len());
        let direction = if self.random.bool() {
            Direction::Upstream
        } else {
            Direction::Downstream
        };
        match self.random.u8(..9) {
            0 => {}
            1 => self.proxies[at].reset_all(),
            2 => {
                let closed = emulator.close_port(HOSTS[at]).await;
                closed.expect("a port to close");
                self.closed = Some(HOSTS[at]);
            }
            number => {
                let toxic = self.toxic(number);
                self.proxies[at].add(direction, toxic);
            }
        }
        Duration::from_millis(self.random.u64(100..700))
    }

    fn toxic(&mut self, number: u8) -> Toxic {
        let mut milliseconds = |most| Duration::from_millis(self.random.u64(1..most));
        match number {
            3 => Toxic::Latency {
                latency: milliseconds(200),
                jitter: milliseconds(100),
            },
            4 => Toxic::Bandwidth { rate: 2_000 },
            5 => Toxic::Slicer {
                size: 3,
                delay: Duration::from_millis(1),
            },
            6 => Toxic::Timeout {
                after: Some(milliseconds(300)),
            },
            7 => Toxic::ResetPeer {
                after: milliseconds(50),
            },
            _ => Toxic::LimitData { bytes: 1_500 },
        }
    }

    async fn heal(&mut self, emulator: &Emulator) {
        self.proxies.iter().for_each(Proxy::clear);
        if let Some(host) = self.closed.take() {
            emulator.reopen_port(host).await.expect("the port again");
        }
    }

    /// The network is well again. Connections that a toxic has stopped are ended.
    pub async fn end(&mut self, emulator: &Emulator) {
        self.heal(emulator).await;
        self.proxies.iter().for_each(Proxy::reset_all);
    }

    pub fn moods(&self) -> usize {
        self.moods
    }
}
