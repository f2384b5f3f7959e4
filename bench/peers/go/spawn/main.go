// spawn with Go: start a goroutine that returns at once, and receive its result.
// One processor, because one at a time is what is measured.
package main

import (
	"runtime"
	"time"

	"bench/measure"
)

const (
	warmUp = 100_000
	spawns = 1_000_000
)

func spawnAndReceive(count int) time.Duration {
	result := make(chan int)
	sum := 0

	start := time.Now()
	for i := 0; i < count; i++ {
		go func(value int) { result <- value }(i)
		sum += <-result
	}
	took := time.Since(start)
	measure.Expect("sum of the results", int64(sum), int64(count)*int64(count-1)/2)
	return took
}

func main() {
	runtime.GOMAXPROCS(1)
	measure.Version()
	spawnAndReceive(warmUp)
	for i := measure.Count(1, 1); i > 0; i-- {
		measure.Report("spawn", measure.PerItem(spawnAndReceive(spawns), spawns), "ns")
	}
}
