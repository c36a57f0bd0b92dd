//! What can be wrong with a network.

use std::time::Duration;

use aws_lc_rs::rand;

/// Which way data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

/// A fault of the network, named as in Toxiproxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toxic {
    /// All data arrives `latency` later, give or take `jitter`.
    Latency {
        /// Mean delay.
        latency: Duration,
        /// Largest difference from it, both ways.
        jitter: Duration,
    },
    /// So many bytes a second at most.
    Bandwidth {
        /// Bytes a second, at least 1.
        rate: usize,
    },
    /// The end of the connection is passed on so much later.
    SlowClose {
        /// How much later.
        delay: Duration,
    },
    /// Data stops, and the connection is closed after `after`; never without it.
    Timeout {
        /// How long the connection stays open.
        after: Option<Duration>,
    },
    /// The client's connection is reset (RST) so long after data came.
    ResetPeer {
        /// How long after.
        after: Duration,
    },
    /// Data is cut into pieces of `size` bytes with a pause between them.
    Slicer {
        /// Bytes a piece, at least 1.
        size: usize,
        /// The pause.
        delay: Duration,
    },
    /// The connection is closed once so many bytes have passed.
    LimitData {
        /// How many bytes.
        bytes: usize,
    },
}

/// What all toxics of one direction mean for a piece of data.
#[derive(Debug, Default)]
pub(super) struct Mixture {
    pub(super) latency: Duration,
    pub(super) piece: Option<usize>,
    pub(super) pause: Duration,
    pub(super) rate: Option<usize>,
    pub(super) limit: Option<usize>,
    pub(super) stop: Option<Stop>,
    pub(super) slow_close: Duration,
}

/// A toxic that lets nothing more pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Timeout(Option<Duration>),
    Reset(Duration),
}

impl Mixture {
    pub(super) fn of(toxics: &[Toxic]) -> Self {
        let mut mixture = Self::default();
        for toxic in toxics {
            match *toxic {
                Toxic::Latency { latency, jitter } => mixture.latency += around(latency, jitter),
                Toxic::Bandwidth { rate } => mixture.rate = Some(rate.max(1)),
                Toxic::SlowClose { delay } => mixture.slow_close += delay,
                Toxic::Timeout { after } => mixture.stop = Some(Stop::Timeout(after)),
                Toxic::ResetPeer { after } => mixture.stop = Some(Stop::Reset(after)),
                Toxic::Slicer { size, delay } => {
                    mixture.piece = Some(size.max(1));
                    mixture.pause = delay;
                }
                Toxic::LimitData { bytes } => mixture.limit = Some(bytes),
            }
        }
        mixture
    }

    /// The size of the next piece of `left` bytes: small enough for pauses and rate to be felt.
    pub(super) fn next_piece(&self, left: usize) -> usize {
        const PIECES_A_SECOND: usize = 20;
        let by_rate = self.rate.map(|rate| (rate / PIECES_A_SECOND).max(1));
        let piece = self.piece.unwrap_or(usize::MAX);
        left.min(piece).min(by_rate.unwrap_or(usize::MAX))
    }

    /// How long to wait after a piece of this size.
    pub(super) fn pause_after(&self, bytes: usize) -> Duration {
        let by_rate = self.rate.map(|rate| {
            let seconds = bytes as f64 / rate as f64;
            Duration::from_secs_f64(seconds)
        });
        self.pause + by_rate.unwrap_or_default()
    }
}

fn around(mean: Duration, jitter: Duration) -> Duration {
    let mut bytes = [0; 4];
    rand::fill(&mut bytes).expect("the system has a random source");
    let share = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    (mean + jitter.mul_f64(2.0 * share)).saturating_sub(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bounds() {
        let (mean, jitter) = (Duration::from_millis(10), Duration::from_millis(4));
        for _ in 0..100 {
            let latency = around(mean, jitter);
            assert!(
                latency >= mean - jitter && latency <= mean + jitter,
                "{latency:?}"
            );
        }
        assert_eq!(around(mean, Duration::ZERO), mean);
    }

    #[test]
    fn pieces_are_as_small_as_the_strictest_toxic_wants() {
        let delay = Duration::from_millis(5);
        let mixture = Mixture::of(&[
            Toxic::Bandwidth { rate: 1000 },
            Toxic::Slicer { size: 7, delay },
        ]);
        assert_eq!(mixture.next_piece(100), 7);
        assert_eq!(mixture.next_piece(3), 3);
        assert_eq!(mixture.pause_after(10), Duration::from_millis(15));
        assert_eq!(Mixture::of(&[]).next_piece(100), 100);
        assert_eq!(
            Mixture::of(&[Toxic::Bandwidth { rate: 1 }]).next_piece(100),
            1
        );
    }
}
