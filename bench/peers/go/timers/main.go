// timers with Go: with a million pending timers, time.AfterFunc and Stop.
// The deadlines and turns of the scheduler are those of tusk's program.
package main

import (
	"runtime"
	"time"

	"bench/measure"
)

const (
	pending      = 1_000_000
	warmUp       = 100_000
	pairs        = 1_000_000
	pairsPerTurn = 1000
)

func mustNotRun() { measure.Die("a timer ran") }

func createAndStop(random *measure.Random, count int) time.Duration {
	stopped := 0
	start := time.Now()

	for i := 1; i <= count; i++ {
		if time.AfterFunc(random.Delay(), mustNotRun).Stop() {
			stopped++
		}
		if i%pairsPerTurn == 0 {
			runtime.Gosched()
		}
	}
	took := time.Since(start)
	measure.Expect("stopped", int64(stopped), int64(count))
	return took
}

func main() {
	runtime.GOMAXPROCS(1)
	measure.Version()
	random := measure.NewRandom()
	timers := make([]*time.Timer, pending)
	for i := range timers {
		timers[i] = time.AfterFunc(random.Delay(), mustNotRun)
	}
	createAndStop(&random, warmUp)
	for i := measure.Count(1, 1); i > 0; i-- {
		measure.Report("timers", measure.PerItem(createAndStop(&random, pairs), pairs), "ns")
	}
	stopped := 0
	for _, timer := range timers {
		if timer.Stop() {
			stopped++
		}
	}
	measure.Expect("pending to the end", int64(stopped), pending)
}
