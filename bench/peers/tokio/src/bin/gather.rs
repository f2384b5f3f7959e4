//! gather with Tokio: spawn 100,000 tasks that return at once, and await them all.

use std::time::Instant;

const TASKS: u64 = 100_000;
const ROUNDS: u64 = 5;

async fn spawn_and_await_all() {
    let mut sum = 0;
    let tasks: Vec<_> = (0..TASKS).map(|value| tokio::spawn(async move { value })).collect();
    for task in tasks {
        sum += task.await.expect("a task failed");
    }
    assert_eq!(sum, TASKS * (TASKS - 1) / 2);
}

fn main() {
    bench::version();
    bench::run(async {
        spawn_and_await_all().await;
        spawn_and_await_all().await;
        for _ in 0..bench::count(1, 1) {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                spawn_and_await_all().await;
            }
            let took = start.elapsed();
            bench::report("gather", bench::per_item(took, (TASKS * ROUNDS) as usize), "ns");
        }
    });
}
