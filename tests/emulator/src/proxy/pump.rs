//! One direction of one proxied connection.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::Shared;
use super::toxic::{Direction, Mixture, Stop};

const CHUNK: usize = 16 << 10;
/// Chunks on their way: enough for latency not to limit the rate.
const ON_THE_WAY: usize = 64;

/// How a toxic (or a broken socket) ends a connection, both directions of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Close,
    Reset,
}

type Chunk = (Instant, Bytes);

/// Passes bytes on until their end, then passes the end on.
pub(super) async fn pump(
    from: OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
    direction: Direction,
) -> Result<(), Ending> {
    let (sender, receiver) = mpsc::channel(ON_THE_WAY);
    let write = write(receiver, to, shared, direction);
    tokio::try_join!(read(from, sender), write).map(|_| ())
}

async fn read(mut from: OwnedReadHalf, sender: mpsc::Sender<Chunk>) -> Result<(), Ending> {
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        match from.read_buf(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(_) => {
                let chunk = (Instant::now(), buffer.freeze());
                if sender.send(chunk).await.is_err() {
                    return Ok(());
                }
            }
            Err(_) => return Err(Ending::Reset),
        }
    }
}

async fn write(
    mut receiver: mpsc::Receiver<Chunk>,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
    direction: Direction,
) -> Result<(), Ending> {
    let mut passed = 0;
    while let Some((arrived, chunk)) = receiver.recv().await {
        let mixture = Mixture::of(&shared.toxics_on(direction));
        if let Some(stop) = mixture.stop {
            return Err(stopped(stop).await);
        }
        sleep_until(arrived + mixture.latency).await;
        let room = mixture.limit.map(|limit| limit.saturating_sub(passed));
        let allowed = chunk.len().min(room.unwrap_or(usize::MAX));
        passed += allowed;
        pieces(to, chunk.slice(..allowed), &mixture).await?;
        if mixture.limit.is_some_and(|limit| passed >= limit) {
            return Err(Ending::Close);
        }
    }
    let mixture = Mixture::of(&shared.toxics_on(direction));
    sleep(mixture.slow_close).await;
    // The other side may have gone first.
    let _ = to.shutdown().await;
    Ok(())
}

async fn stopped(stop: Stop) -> Ending {
    match stop {
        Stop::Timeout(None) => std::future::pending().await,
        Stop::Timeout(Some(after)) => {
            sleep(after).await;
            Ending::Close
        }
        Stop::Reset(after) => {
            sleep(after).await;
            Ending::Reset
        }
    }
}

async fn pieces(to: &mut OwnedWriteHalf, mut rest: Bytes, mixture: &Mixture) -> Result<(), Ending> {
    while !rest.is_empty() {
        let piece = rest.split_to(mixture.next_piece(rest.len()));
        let size = piece.len();
        to.write_all(&piece).await.map_err(|_| Ending::Close)?;
        let pause = mixture.pause_after(size);
        if pause > Duration::ZERO {
            sleep(pause).await;
        }
    }
    Ok(())
}
