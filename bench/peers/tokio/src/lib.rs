//! What the benchmarks with Tokio share: see common/measure.h.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Argument number `index` as a count, or what it is without one.
pub fn count(index: usize, without: usize) -> usize {
    std::env::args()
        .nth(index)
        .map_or(without, |text| text.parse().expect("usage: program [repeats [count]]"))
}

/// bench/run knows which Tokio was built; the program does not.
pub fn version() {
    println!("version 1");
}

pub fn report(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.6} {unit}");
}

pub fn per_item(took: Duration, count: usize) -> f64 {
    took.as_nanos() as f64 / count as f64
}

/// Runs the future as a task of a runtime with one thread, which is what the other peers have.
pub fn run<F>(future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("no runtime");
    runtime.block_on(async { tokio::spawn(future).await.expect("the task failed") })
}

/// Bytes of memory in use now; 0 where there is no /proc.
pub fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|text| text.parse().ok()).unwrap_or(0.0) * 1024.0
}

/// The sequence of delays that all peers use.
pub struct Random(pub u64);

pub const SEED: u64 = 88172645463325252;

impl Random {
    /// Random over an hour, and a minute at least.
    pub fn delay(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let part = self.0 as f64 / 18446744073709551616.0;
        Duration::from_nanos((60e9 + 3600e9 * part) as u64)
    }
}

/// Lets `count` tasks yield `rounds` times each; returns nanoseconds per switch.
pub async fn yield_among(count: usize, rounds: usize) -> f64 {
    let switches = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::with_capacity(count);
    let start = Instant::now();
    for _ in 0..count {
        let switches = switches.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..rounds {
                tokio::task::yield_now().await;
                // There is one thread: no read-modify-write is needed.
                switches.store(switches.load(Relaxed) + 1, Relaxed);
            }
        }));
    }
    for task in tasks {
        task.await.expect("a task failed");
    }
    let took = start.elapsed();
    assert_eq!(switches.load(Relaxed), (count * rounds) as u64);
    per_item(took, count * rounds)
}
