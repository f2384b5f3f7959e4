//! switch_many with Tokio: yield_now() among more and more tasks.

const SWITCHES: usize = 5_000_000;
const COUNTS: [usize; 6] = [2, 10, 100, 1000, 10_000, 100_000];

fn main() {
    bench::version();
    bench::run(async {
        bench::yield_among(100_000, 2).await;
        for _ in 0..bench::count(1, 1) {
            for count in COUNTS {
                let took = bench::yield_among(count, SWITCHES / count).await;
                bench::report(&format!("switch_many/{count}"), took, "ns");
            }
        }
    });
}
