//! Values read from Redis or from a folder are checked before they are used.

use std::fs;

use redis::AsyncCommands as _;

use super::{a_clock, a_folder, a_redis, layer, process, raw, value_name};
use crate::contracts::cache::{key, read};
use crate::engines::redis::shared;

#[tokio::test]
async fn a_flipped_bit_in_redis_is_noticed_and_removed() {
    let (clock, redis, key) = (a_clock(), a_redis(), key("x"));
    let (mut server, name) = (raw(&shared().url()).await, value_name(&redis, &key));
    read(&process(&clock, Some(&redis), None), &key, "old").await;
    let value: Vec<u8> = server.get(&name).await.unwrap();
    // A digit of the header's digest, a byte somewhere in the header, and the last byte of the body.
    for at in [20, 200, value.len() - 1] {
        let mut flipped = value.clone();
        flipped[at] ^= 1;
        let _: () = server.pset_ex(&name, flipped, 200_000).await.unwrap();
        let cache = process(&clock, Some(&redis), None);
        assert_eq!(read(&cache, &key, "loaded").await.stored(), "loaded", "byte {at}");
        assert_eq!(layer(&cache, "l2").errors, 1);
        assert!(!server.exists::<_, bool>(&name).await.unwrap(), "byte {at}");
    }
}

#[tokio::test]
async fn a_value_of_something_else_is_noticed() {
    let (clock, redis) = (a_clock(), a_redis());
    let mut server = raw(&shared().url()).await;
    read(&process(&clock, Some(&redis), None), &key("y"), "other").await;
    let other: Vec<u8> = server.get(value_name(&redis, &key("y"))).await.unwrap();
    let name = value_name(&redis, &key("x"));
    for value in [other, Vec::new(), b"hello".to_vec()] {
        let _: () = server.pset_ex(&name, value, 200_000).await.unwrap();
        let cache = process(&clock, Some(&redis), None);
        assert_eq!(read(&cache, &key("x"), "loaded").await.stored(), "loaded");
        assert_eq!(layer(&cache, "l2").errors, 1);
    }
    // A lease that would never end.
    let cache = process(&clock, Some(&redis), None);
    let _: () = server.persist(value_name(&redis, &key("y"))).await.unwrap();
    assert_eq!(read(&cache, &key("y"), "loaded").await.stored(), "loaded");
}

#[tokio::test]
async fn a_flipped_bit_in_the_folder_is_noticed_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, folder, key) = (a_clock(), a_folder(directory.path()), key("x"));
    read(&process(&clock, None, Some(&folder)), &key, "old").await;
    let path = fs::read_dir(&folder.path).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&path).unwrap();
    let mut damaged: Vec<_> = [20, 200, bytes.len() - 1]
        .map(|at| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            flipped
        })
        .into();
    damaged.push(bytes[..bytes.len() / 2].to_vec());
    damaged.push(Vec::new());
    for bytes in damaged {
        fs::write(&path, bytes).unwrap();
        let cache = process(&clock, None, Some(&folder));
        assert_eq!(read(&cache, &key, "loaded").await.stored(), "loaded");
        assert_eq!(layer(&cache, "l3").errors, 1);
        let again = process(&clock, None, Some(&folder));
        assert_eq!(read(&again, &key, "never loaded").await.stored(), "loaded", "in the damaged one's place");
    }
}
