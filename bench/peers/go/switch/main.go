// switch with Go: two goroutines take turns by runtime.Gosched() on one processor.
package main

import (
	"runtime"

	"bench/measure"
)

const (
	warmUp = 100_000
	rounds = 3_000_000
)

func main() {
	runtime.GOMAXPROCS(1)
	measure.Version()
	measure.YieldAmong(2, warmUp)
	for i := measure.Count(1, 1); i > 0; i-- {
		measure.Report("switch", measure.YieldAmong(2, rounds), "ns")
	}
}
