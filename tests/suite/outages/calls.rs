//! The cost of every operation, in calls that a provider bills: counted by the proxies for real requests.
//!
//! Two costs are not in the table, since many operations share them. A process reads which provider is behind (two
//! rows) with its first read of an object, and then every five seconds while it reads objects. And sums are written
//! with a commit every ten seconds, which makes that commit a transaction. Here the process has done both before.

use std::collections::BTreeMap;
use std::time::Duration;

use credlink_core::message::{Message, Work};
use credlink_core::object::ObjectKey;
use credlink_core::replica::Replica;
use credlink_ports::Objects as _;
use http::Method;

use super::load::{Manifest, expect, manifest, proof, reads, store, supersede};
use super::site::{Process, Site, with_stack};
use crate::engines::proxy::{Proxy, Seen};
use crate::engines::unique;

/// The billed operation of a request.
fn operation(seen: &Seen) -> String {
    let name = match (&seen.target, seen.method.as_str()) {
        (Some(target), _) => target.split('.').next_back().unwrap_or_default(),
        (None, "GET") if seen.path.contains("list-type=2") => "LIST",
        (None, method) => method,
    };
    match name {
        // A commit is a transaction with the sums of the last ten seconds, and an update without them.
        "UpdateItem" | "TransactWriteItems" => "write".to_owned(),
        name => name.to_owned(),
    }
}

fn counted(name: &str, proxy: &Proxy) -> Option<String> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for seen in proxy.requests() {
        *counts.entry(operation(&seen)).or_default() += 1;
    }
    let counts: Vec<String> = counts.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    (!counts.is_empty()).then(|| format!("{name}: {}", counts.join(", ")))
}

struct Bill<'a> {
    site: &'a Site,
    text: String,
}

impl Bill<'_> {
    /// Attributes the calls since the last line to `what`.
    fn line(&mut self, what: &str) {
        let Site { s3, r2, dynamodb, sqs, .. } = self.site;
        let parts = [("S3", s3), ("R2", r2), ("DynamoDB", dynamodb), ("SQS", sqs)];
        let parts: Vec<String> = parts.iter().filter_map(|(name, proxy)| counted(name, proxy)).collect();
        let parts = if parts.is_empty() { "nothing".to_owned() } else { parts.join(" · ") };
        self.text += &format!("{what:34} {parts}\n");
    }
}

/// A process that has already paid its one-time costs.
async fn warmed_up(site: &Site) -> Process {
    let process = site.process().await;
    expect(&process.send(store(&unique("warm"), &Manifest::Json("warm".into()))).await, &[201], "warm");
    expect(&process.get(&proof("nothing")).await, &[404], "warm");
    process
}

#[test]
fn what_operations_cost() {
    with_stack(async || {
        let site = Site { look_every: Duration::from_secs(3_600), ..Site::new().await };
        let [a, b, c] = ["a", "b", "c"].map(unique);
        let text = |text: &str| Manifest::Json(text.to_owned());
        let process = warmed_up(&site).await;
        let mut bill = Bill { site: &site, text: String::new() };
        bill.line("");
        bill.text.clear();

        expect(&process.send(store(&a, &text("a"))).await, &[201], "store");
        bill.line("store, JSON");
        expect(&process.send(store(&b, &Manifest::C2pa(b.clone()))).await, &[201], "store");
        bill.line("store, C2PA");
        expect(&process.send(store(&a, &text("a"))).await, &[200], "store");
        bill.line("store, duplicate");
        let other = warmed_up(&site).await;
        bill.site.requests();
        expect(&other.send(store(&a, &text("a"))).await, &[200], "store");
        bill.line("store, duplicate, other process");
        expect(&other.send(store(&a, &text("other"))).await, &[200], "store");
        bill.line("store, another manifest");

        let tag = reads(&other, &a, &text("a"), "cold").await;
        bill.line("read of a proof, cold");
        reads(&other, &a, &text("a"), "hot").await;
        bill.line("read of a proof, hot");
        expect(&other.get(&manifest(&b)).await, &[200], "read");
        bill.line("read of a manifest, cold");
        expect(&other.get(&manifest(&b)).await, &[200], "read");
        bill.line("read of a manifest, hot");
        expect(&other.get(&proof(&c)).await, &[404], "read");
        bill.line("read of what is not there");
        expect(&other.get(&proof(&c)).await, &[404], "read");
        bill.line("the same again");

        expect(&other.send(supersede(&a, &text("second"), &tag)).await, &[200], "supersede");
        bill.line("replacement, JSON");
        let tag = reads(&other, &a, &text("second"), "cold").await;
        bill.line("read of it");
        expect(&other.send(supersede(&a, &Manifest::C2pa(a.clone()), &tag)).await, &[200], "supersede");
        bill.line("replacement by C2PA");
        expect(&other.get("/v1/proofs?limit=10").await, &[200], "list");
        bill.line("list of a page");
        expect(&other.get("/v1/stats").await, &[200], "stats");
        bill.line("statistics");
        expect(&other.get("/v1/health").await, &[200], "health");
        bill.line("health");

        let key: ObjectKey = proof(&a).trim_start_matches("/v1/").parse().unwrap();
        let repair = |to| Message {
            request_id: "test".to_owned(),
            work: Work::Replicate { to, keys: vec![key.clone()], mark: None },
        };
        other.0.work(&repair(Replica::Fallback), 1).await.unwrap();
        bill.line("repair of what is there already");
        other.pair().fallback().delete(&key).await.unwrap();
        bill.site.requests();
        other.0.work(&repair(Replica::Fallback), 1).await.unwrap();
        bill.line("repair of an object");

        expect(&other.ask(Method::DELETE, &proof(&b)).await, &[204], "delete");
        bill.line("deletion, C2PA");
        expect(&other.ask(Method::DELETE, &proof(&a)).await, &[204], "delete");
        bill.line("deletion after two replacements");
        expect(&other.ask(Method::DELETE, &proof(&a)).await, &[204], "delete");
        bill.line("deletion again");
        insta::assert_snapshot!(bill.text, @"
    store, JSON                        S3: 1 PUT · R2: 1 PUT · DynamoDB: 1 GetItem, 2 write
    store, C2PA                        S3: 2 PUT · R2: 2 PUT · DynamoDB: 2 GetItem, 2 write
    store, duplicate                   DynamoDB: 1 GetItem
    store, duplicate, other process    DynamoDB: 1 GetItem
    store, another manifest            DynamoDB: 1 GetItem
    read of a proof, cold              S3: 1 GET
    read of a proof, hot               nothing
    read of a manifest, cold           S3: 1 GET
    read of a manifest, hot            nothing
    read of what is not there          S3: 1 GET · R2: 1 GET
    the same again                     nothing
    replacement, JSON                  S3: 1 GET, 2 PUT · R2: 1 HEAD, 2 PUT · DynamoDB: 1 GetItem, 2 write
    read of it                         S3: 1 GET
    replacement by C2PA                S3: 1 GET, 3 PUT · R2: 1 HEAD, 3 PUT · DynamoDB: 2 GetItem, 2 write
    list of a page                     DynamoDB: 1 BatchGetItem, 1 GetItem, 1 Query
    statistics                         DynamoDB: 1 BatchGetItem
    health                             S3: 1 GET, 1 HEAD · R2: 1 GET, 1 HEAD · DynamoDB: 1 GetItem
    repair of what is there already    S3: 1 GET · R2: 1 GET · DynamoDB: 1 GetItem
    repair of an object                S3: 1 GET · R2: 1 GET, 1 HEAD, 1 PUT · DynamoDB: 1 GetItem
    deletion, C2PA                     S3: 2 HEAD, 1 LIST, 2 PUT · R2: 2 HEAD, 1 LIST, 2 PUT · DynamoDB: 5 GetItem, 3 write
    deletion after two replacements    S3: 2 DELETE, 2 HEAD, 1 LIST, 2 PUT · R2: 2 DELETE, 2 HEAD, 1 LIST, 2 PUT · DynamoDB: 5 GetItem, 3 write
    deletion again                     S3: 2 GET · DynamoDB: 2 GetItem
    ");
    });
}
