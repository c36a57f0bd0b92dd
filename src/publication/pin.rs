//! One build of an application's layers sees one generation of each store, and tells which stores it read.
//!
//! The layers are opaque: a handle inside them is asked only through `config`'s own traits. So a build runs in
//! a scope, and a handle that is collected inside it leaves a mark here. The first read of a store pins its
//! generation for the rest of the build, however many layers the handle stands in and whatever is published
//! meanwhile.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use super::Publication;
use crate::loaded::Loaded;

tokio::task_local! {
    static BUILD: Pins;
}

/// The stores read by one build, with the generation that it saw.
#[derive(Clone, Default)]
pub(crate) struct Pins(Arc<Mutex<Vec<Pin>>>);

/// One store as one build saw it.
#[derive(Clone)]
pub(crate) struct Pin {
    pub(crate) publication: Arc<Publication>,
    pub(crate) loaded: Arc<Loaded>,
}

impl Pins {
    /// What the build saw of `publication`, if it read it.
    pub(crate) fn of(&self, publication: &Arc<Publication>) -> Option<Arc<Loaded>> {
        self.all()
            .into_iter()
            .find(|pin| Arc::ptr_eq(&pin.publication, publication))
            .map(|pin| pin.loaded)
    }

    /// All stores that the build read, in the order of their last read: of one path, the later gives the value.
    pub(crate) fn all(&self) -> Vec<Pin> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn read(&self, publication: &Arc<Publication>) -> Option<Arc<Loaded>> {
        let loaded = self.of(publication).or_else(|| publication.current())?;
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pins.retain(|pin| !Arc::ptr_eq(&pin.publication, publication));
        pins.push(Pin {
            publication: Arc::clone(publication),
            loaded: Arc::clone(&loaded),
        });
        Some(loaded)
    }
}

/// Runs one build, and tells what it read.
pub(crate) async fn scope<F: Future>(build: F) -> (F::Output, Pins) {
    let pins = Pins::default();
    let output = BUILD.scope(pins.clone(), build).await;
    (output, pins)
}

/// The generation that a layer gives: inside a build the pinned one, elsewhere the current one.
pub(crate) fn read(publication: &Arc<Publication>) -> Option<Arc<Loaded>> {
    BUILD
        .try_with(|pins| pins.read(publication))
        .unwrap_or_else(|_outside| publication.current())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{loaded, publication};

    #[tokio::test]
    async fn a_build_sees_one_generation() {
        let store = publication();
        let other = publication();
        store.publish(loaded(&[("a", "1")]));
        let (numbers, pins) = scope(async {
            let first = read(&store).unwrap().generation();
            store.publish(loaded(&[("a", "2")]));
            tokio::task::yield_now().await;
            (first, read(&store).unwrap().generation())
        })
        .await;
        assert_eq!(numbers, (1, 1));
        assert_eq!(pins.of(&store).unwrap().generation(), 1);
        assert!(pins.of(&other).is_none());
        assert_eq!(pins.all().len(), 1);
        other.publish(loaded(&[]));
        let (_, pins) = scope(async { [&store, &other, &store].map(read) }).await;
        let order = pins.all().into_iter().map(|pin| pin.loaded.len());
        assert!(order.eq([0, 1]), "by the last read");
        assert_eq!(read(&store).unwrap().generation(), 2);
    }
}
