//! timers with Tokio: with a million pending timers, create one and drop it.
//!
//! A Sleep registers itself when it is polled for the first time. The budget that
//! Tokio gives a task would end that after 128 polls, hence unconstrained(). The
//! deadlines and turns of the runtime are those of tusk's program.

use std::future::{poll_fn, Future};
use std::pin::{pin, Pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use bench::Random;
use tokio::time::{sleep, Sleep};

const PENDING: usize = 1_000_000;
const WARM_UP: usize = 100_000;
const PAIRS: usize = 1_000_000;
const PAIRS_PER_TURN: usize = 1000;

async fn register(mut timer: Pin<&mut Sleep>) -> bool {
    poll_fn(|context| Poll::Ready(timer.as_mut().poll(context).is_pending())).await
}

async fn create_and_drop(random: &mut Random, count: usize) -> Duration {
    let mut registered = 0;
    let start = Instant::now();
    for i in 1..=count {
        let timer = pin!(sleep(random.delay()));
        registered += register(timer).await as usize;
        if i % PAIRS_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    let took = start.elapsed();
    assert_eq!(registered, count);
    took
}

async fn measure() {
    let mut random = Random(bench::SEED);
    let mut pending = Vec::with_capacity(PENDING);
    for _ in 0..PENDING {
        let mut timer = Box::pin(sleep(random.delay()));
        assert!(register(timer.as_mut()).await);
        pending.push(timer);
    }
    create_and_drop(&mut random, WARM_UP).await;
    for _ in 0..bench::count(1, 1) {
        let took = create_and_drop(&mut random, PAIRS).await;
        bench::report("timers", bench::per_item(took, PAIRS), "ns");
    }
    assert!(pending.iter().all(|timer| !timer.is_elapsed()));
}

fn main() {
    bench::version();
    bench::run(tokio::task::unconstrained(measure()));
}
