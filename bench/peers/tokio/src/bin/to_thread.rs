//! to_thread with Tokio: spawn_blocking with a function that returns at once, one after the other.

use std::time::{Duration, Instant};

const TRIPS: u64 = 20_000;
const WARM_UP: u64 = 1_000;

async fn round_trips(trips: u64) -> Duration {
    let mut sum = 0;
    let start = Instant::now();
    for value in 0..trips {
        sum += tokio::task::spawn_blocking(move || value).await.expect("the function failed");
    }
    let took = start.elapsed();
    assert_eq!(sum, trips * (trips - 1) / 2);
    took
}

fn main() {
    bench::version();
    bench::run(async {
        round_trips(WARM_UP).await;
        for _ in 0..bench::count(1, 1) {
            let took = round_trips(TRIPS).await;
            bench::report("to_thread", bench::per_item(took, TRIPS as usize), "ns");
        }
    });
}
