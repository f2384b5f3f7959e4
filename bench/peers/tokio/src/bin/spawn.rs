//! spawn with Tokio: spawn a task that returns at once, and await its result.

use std::time::{Duration, Instant};

const SPAWNS: u64 = 1_000_000;
const WARM_UP: u64 = 100_000;

async fn spawn_and_await(count: u64) -> Duration {
    let mut sum = 0;
    let start = Instant::now();
    for value in 0..count {
        sum += tokio::spawn(async move { value }).await.expect("a task failed");
    }
    let took = start.elapsed();
    assert_eq!(sum, count * (count - 1) / 2);
    took
}

fn main() {
    bench::version();
    bench::run(async {
        spawn_and_await(WARM_UP).await;
        for _ in 0..bench::count(1, 1) {
            let took = spawn_and_await(SPAWNS).await;
            bench::report("spawn", bench::per_item(took, SPAWNS as usize), "ns");
        }
    });
}
