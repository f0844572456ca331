//! Shows which migrations are begun and when, in the runtime's time.

use bytes::Bytes;
use credlink_core::hash::MediaHash;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_ports::FailureKind;
use credlink_ports::migration::Content;
use credlink_ports::migration::target::Payload;
use tokio::time::{Instant, advance};

use super::*;
use crate::incoming::{Owners, incoming};
use crate::testing::{Fault, Sent, World, legacy, spec};

/// One process: its messages, the ledger with the job, and the queue.
struct Process {
    world: World,
    queue: Sent,
    messages: Messages,
    record: Draft,
}

impl Process {
    fn new() -> Self {
        let world = World::new();
        let queue = Sent { faults: world.faults.clone(), ..Sent::default() };
        let content = Content::Legacy(Bytes::from(legacy("p", 0, "{}")));
        let owners = Owners { tenant: Tenant::default(), keep: true, from: None };
        let Payload::Proof(mut drafts) = incoming(&content, &owners, world.time.now()).unwrap().payload
        else {
            panic!()
        };
        let record = drafts.pop().unwrap();
        Self { world, queue, messages: Messages::new(request(), spec().to), record }
    }

    /// The proof of the legacy record with this number.
    fn proof(&self, number: u64) -> ProofId {
        let media_hash = MediaHash::of(&number.to_be_bytes());
        Draft { media_hash, ..self.record.clone() }.id()
    }

    fn begin(&self, number: u64) -> bool {
        self.messages.begin(self.proof(number), &number.to_string(), &self.world.time)
    }

    async fn send(&self) -> u64 {
        self.messages.send(&self.world.ledger, &self.queue, &self.world.time).await
    }

    /// The items in the messages that were sent since the last call.
    fn sent(&self) -> Vec<String> {
        let lots = self.queue.lots().concat();
        self.queue.messages.lock().unwrap().clear();
        lots
    }
}

fn request() -> AllowedRequest {
    let spec = spec();
    let (name, from, tenant) = (spec.name, spec.from, spec.tenant);
    AllowedRequest {
        name,
        from,
        tenant,
        keep_tenants: false,
        from_tenant: None,
        batch_size: 100,
        request_id: String::new(),
    }
}

async fn wait(milliseconds: u64) {
    advance(Duration::from_millis(milliseconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_proof_is_begun_once_in_five_minutes() {
    let process = Process::new();
    assert!(process.begin(1));
    assert!(!process.begin(1));
    assert_eq!((process.send().await, process.sent()), (1, vec!["1".to_owned()]));
    wait(299_999).await;
    assert!(!process.begin(1) && process.begin(2));
    assert_eq!((process.send().await, process.sent()), (1, vec!["2".to_owned()]));
    wait(1).await;
    assert!(process.begin(1) && !process.begin(2));
    assert_eq!((process.send().await, process.sent()), (1, vec!["1".to_owned()]));
    // The interval counts from the second time that the proof was begun, and not from the first.
    wait(299_999).await;
    assert!(!process.begin(1) && process.begin(2));
}

#[tokio::test(start_paused = true)]
async fn one_caller_sends_for_all() {
    let process = Process::new();
    assert!(process.begin(1) && !process.begin(2) && !process.begin(3));
    assert_eq!((process.send().await, process.sent()), (3, ["1", "2", "3"].map(str::to_owned).to_vec()));
    // No `send` is running, so the next caller has to start one.
    assert!(process.begin(4));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_proofs_are_remembered_and_no_more() {
    const MOST: u64 = 10_000;
    let process = Process::new();
    for number in 0..MOST - 1 {
        process.begin(number);
    }
    wait(100_000).await;
    process.begin(MOST - 1);
    assert_eq!((process.send().await, process.sent().len()), (MOST, 10_000));
    assert!(!process.begin(MOST), "it does not fit");
    assert_eq!(process.send().await, 0);
    wait(199_999).await;
    assert!(!process.begin(MOST), "it does not fit yet");
    wait(1).await;
    // Most proofs are forgotten, but not the one that was begun later.
    assert!(process.begin(MOST));
    assert!(!process.begin(MOST - 1) && !process.begin(0));
    process.send().await;
    assert_eq!(process.sent(), [MOST.to_string(), "0".to_owned()]);
}

#[tokio::test(start_paused = true)]
async fn a_message_names_job_item_and_request() {
    let process = Process::new();
    within_request("trace-1".into(), async { process.begin(7) }).await;
    process.send().await;
    let work = Work::Migrate { job: spec().name, keys: vec!["7".to_owned()] };
    let messages = process.queue.messages.lock().unwrap().clone();
    assert_eq!(messages, [Message { request_id: "trace-1".to_owned(), work }]);
    let job = process.world.ledger.job().await.unwrap().unwrap();
    assert_eq!((job.name, job.from, job.to, job.queued), (spec().name, spec().from, spec().to, true));
}

#[tokio::test(start_paused = true)]
async fn the_job_is_looked_up_once() {
    let process = Process::new();
    process.begin(1);
    process.send().await;
    process.world.faults.none();
    process.begin(2);
    process.begin(3);
    process.send().await;
    assert_eq!(process.world.faults.calls(), 2, "two messages, and nothing of the ledger");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_loses_nothing() {
    let process = Process::new();
    process.begin(1);
    process.send().await;
    process.world.faults.at(1, Fault::Lost(FailureKind::TimedOut));
    process.begin(2);
    let began = Instant::now();
    assert_eq!(process.send().await, 1);
    assert_eq!((process.sent(), began.elapsed()), (["1", "2"].map(str::to_owned).to_vec(), WAIT));
    assert!(!process.begin(2));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_is_begun_by_the_next_read() {
    for down in ["queue", "ledger"] {
        let process = Process::new();
        process.world.faults.down(down, FailureKind::Unavailable);
        process.begin(1);
        process.begin(2);
        let began = Instant::now();
        assert_eq!(process.send().await, 0);
        // Three attempts at the first message, and none at those that waited after it.
        assert_eq!(began.elapsed(), 2 * WAIT, "{down}");
        process.world.faults.none();
        assert!(process.begin(2) && !process.begin(1), "{down}");
        assert_eq!((process.send().await, process.sent()), (2, ["2", "1"].map(str::to_owned).to_vec()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_run_has_is_waited_for() {
    let process = Process::new();
    process.world.ledger.claim("another", 3_600).await.unwrap();
    process.begin(1);
    assert_eq!(process.send().await, 0);
    process.world.ledger.release("another").await.unwrap();
    assert!(process.begin(1));
    assert_eq!(process.send().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_moves_something_else_gets_no_message_ever() {
    let process = Process::new();
    let elsewhere = AllowedRequest { from: "dir:elsewhere".to_owned(), ..request() };
    ensure(&process.world.ledger, &process.world.time, &elsewhere, &spec().to).await.unwrap();
    process.begin(1);
    process.begin(2);
    process.world.faults.none();
    assert_eq!(process.send().await, 0);
    assert_eq!(process.world.faults.calls(), 1, "the job is looked at once");
    wait(600_000).await;
    assert!(!process.begin(1) && !process.begin(2) && !process.begin(3));
    assert_eq!((process.send().await, process.sent()), (0, Vec::new()));
}
