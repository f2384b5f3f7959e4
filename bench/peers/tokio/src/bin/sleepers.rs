//! sleepers with Tokio: a million tasks asleep for a second, on one thread.
//!
//! A new process for each measurement. The first ones may wake before the last ones
//! start, so the memory of all is that of another process, whose tasks sleep longer.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

static STARTED: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);

async fn time_them(count: usize) {
    let start = Instant::now();
    let mut tasks = Vec::with_capacity(count);
    for _ in 0..count {
        tasks.push(tokio::spawn(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ENDED.fetch_add(1, Relaxed);
        }));
    }
    for task in tasks {
        task.await.expect("a task failed");
    }
    let took = start.elapsed();
    assert_eq!(ENDED.load(Relaxed), count);
    bench::report("sleepers", took.as_secs_f64(), "s");
}

async fn weigh_them(count: usize) {
    let before = bench::resident();
    for _ in 0..count {
        tokio::spawn(async {
            STARTED.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_secs(3600)).await;
        });
    }
    while STARTED.load(Relaxed) < count {
        tokio::task::yield_now().await;
    }
    let bytes = bench::resident() - before;
    bench::report("sleepers_kib", bytes / 1024.0 / count as f64, "KiB");
    // Not by the end of main: dropping them takes longer than all of it.
    std::process::exit(0);
}

fn in_child(what: &str, count: usize) {
    let program = std::env::current_exe().expect("no program");
    let child = Command::new(program).args(["1", &count.to_string(), what]).status();
    assert!(child.expect("no child process").success());
}

fn main() {
    let count = bench::count(2, 1_000_000);
    match std::env::args().nth(3).as_deref() {
        Some("time") => return bench::run(time_them(count)),
        Some(_) => return bench::run(weigh_them(count)),
        None => bench::version(),
    }
    for _ in 0..bench::count(1, 1) {
        in_child("time", count);
        in_child("weigh", count);
    }
}
