//! The pure functions under divan, with the allocations of each: `cargo bench -p credlink-benches`.

use credlink_benches::functions::{Case, cases};
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench(args = cases())]
fn functions(bencher: Bencher<'_, '_>, case: &Case) {
    let bencher = bencher.counter(BytesCount::new(case.bytes.unwrap_or(0)));
    bencher.bench(|| (case.call)());
}
