//! tasks with Tokio: the life of a task among more and more of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Instant;

const LIVES: usize = 1_000_000;
const WARM_UP: usize = 100_000;

async fn live(count: usize, rounds: usize) -> f64 {
    let lived = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::with_capacity(count);
    let start = Instant::now();
    for _ in 0..rounds {
        for _ in 0..count {
            let lived = lived.clone();
            tasks.push(tokio::spawn(async move {
                tokio::task::yield_now().await;
                // There is one thread: no read-modify-write is needed.
                lived.store(lived.load(Relaxed) + 1, Relaxed);
            }));
        }
        for task in tasks.drain(..) {
            task.await.expect("a task failed");
        }
    }
    let took = start.elapsed();
    assert_eq!(lived.load(Relaxed), (count * rounds) as u64);
    bench::per_item(took, count * rounds)
}

fn main() {
    bench::version();
    bench::run(async {
        live(WARM_UP, 1).await;
        for _ in 0..bench::count(1, 1) {
            let mut count = 1;
            while count <= LIVES {
                bench::report(&format!("tasks/{count}"), live(count, LIVES / count).await, "ns");
                count *= 10;
            }
        }
    });
}
