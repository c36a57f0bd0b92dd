use std::sync::Arc;

use async_trait::async_trait;
use config::{AsyncSource, Config, ConfigError, Map, Value};

use super::*;
use crate::ErrorKind;

#[tokio::test]
async fn a_publication_becomes_a_snapshot() {
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    let first = live.load();
    assert_eq!((first.title.as_str(), first.port), ("one", 1));
    assert_eq!((first.generation(), first.loaded().generation()), (1, 1));
    assert!(live.status().is_current());

    store.publish(&pairs("two", "2"));
    let second = live.changed().await.unwrap();
    assert_eq!((second.title.as_str(), second.port), ("two", 2));
    assert_eq!((second.generation(), second.loaded().generation()), (2, 2));
    assert!(Arc::ptr_eq(&second, &live.load()));
    assert_eq!(first.title, "one", "a held snapshot stays as it was");
    assert_eq!(live.as_arc_swap().load().generation(), 2);
    assert_eq!(live.reader().load().generation(), 2);
}

#[tokio::test]
async fn layers_without_the_handle_are_refused_by_name() {
    let store = TestStore::with(&pairs("one", "1"));
    let stranger = TestStore::with(&pairs("other", "2"));
    let builder: LiveBuilder<Settings> = LiveBuilder::new(store.feed.clone(), layers(&stranger));
    let error = builder.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingSource);
    assert!(error.to_string().contains("add_source(azure.clone())"));
}

#[tokio::test]
async fn a_handle_that_has_not_loaded_says_how_to() {
    let store = TestStore::empty();
    let error = live(&store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotLoaded);
    let text = error.to_string();
    assert!(text.contains("load()") && text.contains("load_blocking()"));
}

#[tokio::test]
async fn other_layers_keep_their_precedence() {
    let store = TestStore::with(&pairs("store", "1"));
    let layers = Config::builder()
        .set_default("port", 9)
        .unwrap()
        .add_source(store.clone())
        .set_override("title", "override")
        .unwrap();
    let mut live: Live<Settings> = LiveBuilder::new(store.feed.clone(), layers)
        .start()
        .await
        .unwrap();
    assert_eq!(live.load().title, "override");
    store.publish(&[("title", "ignored")]);
    assert_eq!(live.changed().await.unwrap().port, 9);
}

#[tokio::test]
async fn several_stores_move_one_snapshot() {
    let base = TestStore::with(&[("title", "base")]);
    let named = TestStore::with(&[("port", "1")]);
    let layers = layers(&base).add_source(named.clone());
    let mut live: Live<Settings> = LiveBuilder::new(base.feed.clone(), layers)
        .following(named.feed.clone())
        .start()
        .await
        .unwrap();
    named.publish(&[("port", "2")]);
    assert_eq!(live.changed().await.unwrap().port, 2);
    base.publish(&[("title", "moved")]);
    let now = live.changed().await.unwrap();
    assert_eq!((now.title.as_str(), now.port), ("moved", 2));
    assert_eq!(now.loaded().generation(), 2, "the primary store's");
    assert_eq!(now.generation(), 3);
}

#[tokio::test]
async fn a_second_store_in_the_layers_is_followed_though_nobody_named_it() {
    let base = TestStore::with(&[("title", "base")]);
    let silent = TestStore::with(&[("port", "1")]);
    let layers = layers(&base).add_source(silent.clone());
    let mut live: Live<Settings> = LiveBuilder::new(base.feed.clone(), layers)
        .start()
        .await
        .unwrap();
    silent.publish(&[("port", "2")]);
    assert_eq!(live.changed().await.unwrap().port, 2);
}

/// A source of the application that reads a store on another task, where the build cannot see it.
#[derive(Debug)]
struct Elsewhere(TestStore);

#[async_trait]
impl AsyncSource for Elsewhere {
    async fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let store = self.0.clone();
        let runtime = tokio::runtime::Handle::current();
        runtime
            .spawn(async move { AsyncSource::collect(&store).await })
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_store_that_is_read_out_of_sight_is_named_with_follow() {
    let store = TestStore::with(&pairs("one", "1"));
    let hidden = || Config::builder().add_async_source(Elsewhere(store.clone()));
    let unnamed: LiveBuilder<Settings> = LiveBuilder::new(store.feed.clone(), hidden());
    assert_eq!(
        unnamed.start().await.unwrap_err().kind(),
        ErrorKind::MissingSource
    );
    let mut live: Live<Settings> = LiveBuilder::new(store.feed.clone(), hidden())
        .following(store.feed.clone())
        .start()
        .await
        .unwrap();
    store.publish(&pairs("two", "2"));
    assert_eq!(live.changed().await.unwrap().port, 2);
}

/// Publishes while the layers are being collected.
#[derive(Debug)]
struct Meddler(TestStore);

#[async_trait]
impl AsyncSource for Meddler {
    async fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        if self.0.feed.publication.generation() == 1 {
            self.0.publish(&pairs("two", "2"));
        }
        Ok(Map::new())
    }
}

#[tokio::test]
async fn one_build_sees_one_generation_and_the_next_follows_at_once() {
    let store = TestStore::with(&pairs("one", "1"));
    let layers = Config::builder()
        .add_async_source(store.clone())
        .add_async_source(Meddler(store.clone()))
        .add_async_source(store.clone());
    let mut live: Live<Settings> = LiveBuilder::new(store.feed.clone(), layers)
        .start()
        .await
        .unwrap();
    let first = live.load();
    assert_eq!(first.title, "one");
    assert_eq!(first.loaded().generation(), 1);
    let second = live.changed().await.unwrap();
    assert_eq!(second.title, "two");
    assert_eq!(second.loaded().generation(), 2);
}

#[tokio::test]
async fn f94_a_storm_of_publications_is_coalesced_and_the_newest_wins() {
    let store = TestStore::with(&pairs("0", "0"));
    let mut live = live(&store).await.unwrap();
    let mut last = live.load();
    for number in 1..=1_000 {
        store.publish(&pairs("n", &number.to_string()));
        if number % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    while last.port != 1_000 {
        let next = live.changed().await.unwrap();
        assert!(next.generation() > last.generation());
        assert!(next.port > last.port);
        last = next;
    }
    assert!(last.generation() < 1_000, "{}", last.generation());
}

#[tokio::test]
async fn a_changed_generation_reaches_generic_code() {
    fn port(access: &impl arc_swap::access::Access<Settings>) -> u16 {
        access.load().port
    }
    let store = TestStore::with(&pairs("one", "1"));
    let mut live = live(&store).await.unwrap();
    assert_eq!(port(&live), 1);
    store.publish(&pairs("two", "2"));
    live.changed().await.unwrap();
    assert_eq!(port(&live), 2);
    let only_port = arc_swap::access::Map::new(live, |settings: &Settings| &settings.port);
    assert_eq!(*arc_swap::access::Access::<u16>::load(&only_port), 2);
}

#[tokio::test]
async fn explain_names_the_setting_and_the_layer_over_it() {
    let store = TestStore::with(&pairs("one", "1"));
    let file = config::File::from_str("port = 9\nextra = 1", config::FileFormat::Toml);
    let other = TestStore::with(&[("title", "other")]);
    let layers = layers(&store)
        .add_source(file)
        .add_source(other.clone())
        .set_override("title", "mine")
        .unwrap();
    let live: Live<Settings> = LiveBuilder::new(store.feed.clone(), layers)
        .start()
        .await
        .unwrap();
    let title = live.explain("title").unwrap();
    assert!(title.to_string().contains("contoso"), "{title}");
    assert!(
        title
            .overridden_by()
            .unwrap()
            .starts_with("a layer without a name")
    );
    assert!(live.explain("port").unwrap().overridden_by().is_some());
    assert!(live.explain("extra").is_none(), "the store gives none");
    assert!(live.load().explain("nothing").is_none());
    assert!(live.load().layer("extra").is_some());
    assert!(live.load().layer("nothing").is_none());

    let plain = super::live(&store).await.unwrap();
    assert!(plain.explain("title").unwrap().overridden_by().is_none());
    assert!(plain.explain("title").unwrap().loaded_at().is_some());
}

#[tokio::test]
async fn explain_tells_stores_of_one_name_apart() {
    let lower = TestStore::with(&[("title", "low"), ("port", "1"), ("only_lower", "x")]);
    let store = TestStore::with(&[("title", "one"), ("port", "2"), ("hosts:0", "a")]);
    let upper = TestStore::with(&[("title", "high"), ("hosts:0", "b")]);
    let layers = Config::builder()
        .add_source(store.clone())
        .add_source(lower)
        .add_source(store.clone())
        .add_source(upper);
    let live: Live<Settings> = LiveBuilder::new(store.feed.clone(), layers)
        .start()
        .await
        .unwrap();
    assert_eq!((live.load().title.as_str(), live.load().port), ("high", 2));
    let title = live.explain("title").unwrap();
    assert_eq!(title.overridden_by(), Some("azappconfig://contoso/title"));
    assert!(live.explain("port").unwrap().overridden_by().is_none());
    assert!(live.explain("hosts[0]").unwrap().overridden_by().is_some());
    assert!(live.load().layer("only_lower").is_some());
    assert!(live.load().layer("port").is_none());
}
