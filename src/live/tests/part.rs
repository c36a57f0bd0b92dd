use super::*;

#[derive(Deserialize)]
struct Two {
    left: String,
    right: Vec<String>,
}

async fn two(store: &TestStore) -> Live<Two> {
    let layers = layers(store).set_default("right", vec!["x"]).unwrap();
    LiveBuilder::new(store.feed.clone(), layers)
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn it_wakes_only_if_that_part_changed() {
    let store = TestStore::with(&[("left", "a"), ("other", "1")]);
    let mut live = two(&store).await;
    let mut left = live.part(|two| two.left.as_str());
    let mut right = live.part(|two| two.right.as_slice());
    store.publish(&[("left", "a"), ("other", "2")]);
    live.changed().await.unwrap();
    assert!(futures::poll!(std::pin::pin!(left.changed())).is_pending());

    store.publish(&[("left", "b"), ("other", "2")]);
    live.changed().await.unwrap();
    let now = left.changed().await.unwrap();
    assert_eq!(&*now, "b");
    assert_eq!(now.current().generation(), 3);
    assert!(futures::poll!(std::pin::pin!(left.changed())).is_pending());
    assert!(futures::poll!(std::pin::pin!(right.changed())).is_pending());
    assert_eq!(*right.load(), ["x"]);
}

#[tokio::test]
async fn the_caller_says_what_is_the_same() {
    let store = TestStore::with(&[("left", "a")]);
    let mut live = two(&store).await;
    let mut length = live.part_by(|two| &two.left, |old, new| old.len() == new.len());
    store.publish(&[("left", "b")]);
    live.changed().await.unwrap();
    assert!(futures::poll!(std::pin::pin!(length.changed())).is_pending());
    assert_eq!(
        *length.load(),
        "b",
        "the part is read from the newest snapshot"
    );
    store.publish(&[("left", "bb")]);
    assert_eq!(*length.changed().await.unwrap(), "bb");
}

#[tokio::test]
async fn there_and_back_while_nobody_waited_is_no_change() {
    let store = TestStore::with(&[("left", "a")]);
    let mut live = two(&store).await;
    let mut left = live.part(|two| &two.left);
    for value in ["b", "a"] {
        store.publish(&[("left", value)]);
        live.changed().await.unwrap();
    }
    assert!(futures::poll!(std::pin::pin!(left.changed())).is_pending());
    let mut late = left.clone();
    store.publish(&[("left", "c")]);
    assert_eq!(*late.changed().await.unwrap(), "c");
}

#[tokio::test]
async fn the_end_reaches_a_part() {
    let store = TestStore::with(&[("left", "a")]);
    let live = two(&store).await;
    let mut left = live.part(|two| &two.left);
    store.feed.publication.close();
    assert_eq!(left.changed().await.err(), Some(crate::Closed));
}
