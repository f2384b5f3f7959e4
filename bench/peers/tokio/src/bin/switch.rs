//! switch with Tokio: two tasks take turns by yield_now().

const ROUNDS: usize = 2_000_000;
const WARM_UP: usize = 100_000;

fn main() {
    bench::version();
    bench::run(async {
        bench::yield_among(2, WARM_UP).await;
        for _ in 0..bench::count(1, 1) {
            bench::report("switch", bench::yield_among(2, ROUNDS).await, "ns");
        }
    });
}
