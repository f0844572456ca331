//! The removal of a migration's job: its ledger is deleted, and the proofs that it created stay.

use credlink_embedded::ledger::FileLedger;
use credlink_ports::migration::Ledger as _;
use credlink_ports::migration::ledger::{Job, JobName};
use credlink_runtime::clock::SystemClock;

use crate::world::{Server, World};

/// A world with a job that has copied one record.
fn migrated() -> World {
    let world = World::new();
    std::fs::create_dir(world.path("old")).unwrap();
    let hash = "c2b55f6e556023c411f16132f9d93dc0f97d71dd77c37e90343950db5fe9aab8";
    let record = format!(
        r#"{{"proofId":"old-1","imageHash":"{hash}","manifest":{{"title":"x"}},"signature":"c2ln","timestamp":1767225600000}}"#
    );
    world.write("old/old-1.json", record.as_bytes());
    world.run("migrate run --from dir:old --to dir:data --job archive").ends(0).says(&["1 copied"]);
    world
}

#[test]
fn a_job_that_is_over_is_removed_and_its_proofs_stay() {
    let world = migrated();
    world
        .run("migrate remove --job archive")
        .ends(2)
        .says(&["Confirm it with --confirm archive", "The proofs stay"]);
    world.run("migrate remove --job archive --confirm other").ends(2).says(&["nothing was done"]);
    world.run("migrate status --job archive").ends(0);
    let removed = world.run("migrate remove --job archive --confirm archive").ends(0);
    removed.says(&["archive: removed; its name is free again, and proofs stay"]);
    world.run("migrate status --job archive").ends(1).says(&["there is no job `archive`"]);
    world.run("migrate remove --job archive --confirm archive").ends(1).says(&["there is no job `archive`"]);
    world.run("list --data-dir data").ends(0).says(&["application/json"]);
    // The name belongs to another job.
    std::fs::rename(world.path("old"), world.path("older")).unwrap();
    world.run("migrate run --from dir:older --to dir:data --job archive").ends(0).says(&["0 copied"]);
}

#[test]
fn a_job_that_cannot_begin_leaves_no_ledger() {
    let world = migrated();
    for places in ["--from dir:none --to dir:data", "--from dir:old --to dir:photo.jpg"] {
        world.run(&format!("migrate run {places} --job second")).ends(1);
        assert!(!world.path("credlink-jobs/second.redb").exists(), "{places}");
        // A job that has begun stays.
        world.run(&format!("migrate run {places} --job archive"));
        world.run("migrate status --job archive").ends(0);
    }
}

/// A dry run has nothing to resume, and a caller that is refused is told which options to use.
#[test]
fn a_plan_that_is_refused_names_the_options() {
    let world = migrated();
    world.write("tokens.json", b"[]");
    let server = Server::start(&world, " --tokens tokens.json");
    let source = server.address().replace("--url ", "credlink:");
    let refused = world.run(&format!("migrate plan --from {source} --to dir:new")).ends(1);
    let refused = refused.says(&["--token (CREDLINK_TOKEN)"]);
    assert!(!refused.report().contains("resumed"), "{}", refused.report());
}

#[tokio::test]
async fn a_job_that_is_not_over_is_removed_where_it_is_abandoned() {
    let world = migrated();
    let name: JobName = "archive".parse().unwrap();
    {
        let ledger = FileLedger::open(&world.path("credlink-jobs"), &name, SystemClock).unwrap();
        let job = ledger.job().await.unwrap().unwrap();
        // The state after a run that was cut off while it listed the source.
        ledger.keep_job(&Job { listed: None, ..job }).await.unwrap();
    }
    let refused = world.run("migrate remove --job archive --confirm archive").ends(1);
    refused.says(&["is not over: its source is not listed to the end", "--abandon"]);
    let removed = world.run("migrate remove --job archive --confirm archive --abandon --json").ends(0).json();
    assert_eq!(removed, serde_json::json!({"job": "archive", "removed": true}));
    world.run("migrate status --job archive").ends(1);
}

/// An object that verify finds damaged is copied again once it is gone: exactly the record that was there.
#[test]
fn a_record_that_is_lost_comes_back_with_a_run() {
    let world = World::new();
    std::fs::create_dir(world.path("old")).unwrap();
    for name in ["a", "b"] {
        let hash = name.repeat(64);
        let record = format!(
            r#"{{"proofId":"old-{name}","imageHash":"{hash}","manifest":{{"n":1}},"signature":"c2ln","timestamp":1767225600000}}"#
        );
        world.write(&format!("old/{name}.json"), record.as_bytes());
    }
    let run = "migrate run --from dir:old --to dir:data --job all";
    world.run(run).ends(0).says(&["2 copied"]);
    world.run("migrate verify --job all").ends(0);
    let before = world.run("get old-a --data-dir data").ends(0).stdout();
    let id = serde_json::from_str::<serde_json::Value>(&before).unwrap()["id"].as_str().unwrap().to_owned();
    let file = world.path(&format!("data/objects/proofs/{}/{id}", &id[..2]));
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    world.run("migrate verify --job all --deep").ends(7).says(&["corrupted         1"]);
    world.run("migrate status --job all").ends(0).says(&["failed       1", "1 failed: lost"]);
    world.run(&format!("storage rm folder:proofs/{id} --data-dir data")).ends(0).says(&["1 deleted"]);
    let again = world.run(&format!("storage rm folder:proofs/{id} --data-dir data")).ends(3);
    again.says(&["0 deleted", &format!("there is nothing at folder:proofs/{id}")]);
    // A job that has begun knows its source and its store.
    world.run("migrate run --job all --to dir:other").ends(2).says(&["has --to dir:"]);
    world.run("migrate run --job all").ends(0).says(&["1 copied"]);
    world.run("migrate verify --job all --deep").ends(0).says(&["all is well"]);
    assert_eq!(world.run("get old-a --data-dir data").ends(0).stdout(), before);
    world.run("fsck --data-dir data").ends(0);
}

/// A place that cannot be reached at the start has probably been mistyped.
#[test]
fn a_place_that_is_not_there_is_told_at_once() {
    let world = World::new();
    std::fs::create_dir(world.path("old")).unwrap();
    for action in ["plan", "run --job all"] {
        let refused =
            world.run(&format!("migrate {action} --from dir:old --to credlink:http://127.0.0.1:1")).ends(1);
        refused.says(&["127.0.0.1:1", "refused"]);
        let refused =
            world.run(&format!("migrate {action} --from credlink:http://127.0.0.1:1 --to dir:new")).ends(1);
        refused.says(&["127.0.0.1:1", "refused"]);
    }
}

/// A run reports that the obstacle to restoring a lost object is still there, and a rollback withdraws items that a
/// verification has found lost.
#[test]
fn what_is_lost_stays_lost_until_it_is_there() {
    let world = World::new();
    let picture = include_bytes!("../../../tests/pictures/waves.jpg");
    let id = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
    let signed = crate::signed::sign("image/jpeg", picture, crate::signed::Way::Embedded, id).unwrap();
    world.write("signed.jpg", &signed.file);
    world.run("put signed.jpg --data-dir source").ends(0);
    let run = "migrate run --from dir:source --to dir:data --job all";
    world.run(run).ends(0).says(&["1 copied"]);
    let found = world.run("storage ls folder:manifests/ -r --data-dir data --json").ends(0).stdout();
    let key = found.split('"').find(|text| text.starts_with("manifests/")).unwrap().to_owned();
    let file = walk(&world.path("data/objects/manifests")).pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    world.run("migrate verify --job all --deep").ends(7).says(&["corrupted         1"]);
    world.run(run).ends(7).says(&["1 failed: lost"]);
    world.run("migrate report --job all").says(&["it was copied again, and cannot be read all the same"]);
    world.run("migrate status --job all").ends(0).says(&["1 failed: lost"]);
    world.run(&format!("storage rm folder:{key} --data-dir data")).ends(0);
    world.run("migrate verify --job all --deep").ends(7).says(&["missing           1"]);
    // The rollback proceeds as if there had been no verification.
    let undone = world.run("migrate rollback --job all --confirm all").ends(0);
    undone.says(&["1 deleted"]);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

/// A job that has begun can be rolled back without its source, and a run that is resumed retries a missing source.
#[test]
fn a_rollback_needs_no_source() {
    let world = World::new();
    let mut server = Server::start(&world, "");
    world.run(&format!("put photo.jpg {}", server.address())).ends(0);
    let from = server.address().replace("--url ", "credlink:");
    world.run(&format!("migrate run --from {from} --to dir:copy --job all")).ends(0).says(&["1 copied"]);
    server.signal();
    server.wait();
    world.run("migrate rollback --job all --confirm all").ends(0).says(&["1 deleted"]);
    let ended =
        world.run(&format!("migrate run --from {from} --to dir:copy --job all --patience 0s")).ends(1);
    ended.says(&["it was ended, and can be resumed"]);
}

/// From a folder with several tenants, a job for one tenant imports nothing of another's, and says so.
#[test]
fn what_is_another_tenants_becomes_nobody_elses() {
    let world = World::new();
    for (name, tenant) in [("a.bin", "acme"), ("b.bin", "team")] {
        world.write(name, name.as_bytes());
        world.write("manifest.json", b"{}");
        world
            .run(&format!("put {name} --manifest manifest.json --data-dir source --tenant {tenant}"))
            .ends(0);
    }
    let several = |typed: &str| {
        let mut command = world.command(typed);
        crate::world::Ran::of(typed, command.env("CREDLINK_TENANTS", "several"))
    };
    // A plan reports why a run would be refused.
    world
        .run("migrate plan --from dir:source --to dir:new --job x")
        .ends(2)
        .says(&["has one tenant, `default`, and the job brings others"]);
    assert!(!world.path("new").exists());
    let refused = several("migrate run --from dir:source --to dir:one --job one --tenant acme").ends(7);
    refused.says(&["1 copied", "other-tenant", "it is the tenant `team`'s at the source"]);
    let left =
        several("migrate run --from dir:source --to dir:two --job two --tenant acme --from-tenant team")
            .ends(0);
    left.says(&["1 copied"]);
    several("migrate report --job two").ends(0).says(&["left-out"]);
    several("migrate run --from dir:source --to dir:all --job all").ends(0).says(&["2 copied"]);
    let other = several("migrate run --from dir:source --to dir:all --job all --tenant acme").ends(1);
    other.says(&["a job keeps its source, destination and tenant for ever"]);
}

/// A source that is the store itself under another name is refused, because a cleanup would delete the only copy.
#[test]
fn a_store_is_no_source_of_itself_under_another_name() {
    let world = World::new();
    let server = Server::start(&world, "");
    world.run(&format!("put photo.jpg {}", server.address())).ends(0);
    let from = server.address().replace("--url ", "credlink:");
    let to = from.replace("127.0.0.1", "localhost");
    for action in ["plan", "run --job self"] {
        let refused = world.run(&format!("migrate {action} --from {from} --to {to}")).ends(2);
        refused.says(&["are one CredLink under two names"]);
    }
    assert!(!world.path("credlink-jobs/self.redb").exists());
    drop(server);
}

/// Every step checks the tenant of its tokens, so that another tenant's view of a store is not mistaken for its
/// contents.
#[test]
fn a_token_of_another_tenant_is_refused_by_every_step() {
    let world = World::new();
    let server = crate::tenants::server(&world);
    let there = server.address().replace("--url ", "credlink:");
    world.run(&format!("put photo.jpg --private --token secret --tenant team {}", server.address())).ends(0);
    let job = format!("--job a --from {there} --to dir:copy");
    let refused = world.run(&format!("migrate run {job} --tenant team --from-token key")).ends(2);
    refused.says(&["is one of the tenant `acme`, and the job is for `team` there"]);
    world.run(&format!("migrate run {job} --tenant team --from-token secret")).ends(0).says(&["1 copied"]);
    for step in ["verify", "cleanup --keep 0s --confirm a"] {
        let refused = world.run(&format!("migrate {step} --job a --from-token key")).ends(2);
        refused.says(&["is one of the tenant `acme`"]);
    }
    world.run("migrate status --job a").ends(0).says(&["copied       1"]);
    world.run("migrate verify --job a --from-token secret").ends(0).says(&["all is well"]);
    let forth = format!("--job b --from dir:copy --to {there} --tenant acme --from-tenant team");
    world.run(&format!("migrate run {forth} --token secret")).ends(2).says(&["is one of the tenant `team`"]);
    world.run(&format!("migrate run {forth} --token key")).ends(0).says(&["1 copied"]);
    for step in ["verify", "rollback --confirm b"] {
        world
            .run(&format!("migrate {step} --job b --token secret"))
            .ends(2)
            .says(&["is one of the tenant `team`"]);
    }
    world
        .run("migrate run --job b --token key --from-tenant acme")
        .ends(2)
        .says(&["of what is `team`'s at the source"]);
    world.write("old.jsonl", b"{}\n");
    let legacy =
        world.run("migrate run --job d --from jsonl:old.jsonl --to dir:more --from-tenant team").ends(2);
    legacy.says(&["holds legacy records, which have no tenant: --tenant says whose they become"]);
    std::os::unix::fs::symlink("copy", world.path("alias")).unwrap();
    let one = world.run("migrate run --job e --from dir:copy --to dir:alias").ends(2);
    one.says(&["is the source and the store"]);
    let vain = world
        .run("migrate run --job c --from dir:copy --to dir:other --tenant acme --from-tenant nobody")
        .ends(7);
    vain.says(&["is --from-tenant right?"]);
}
