// switch_many with Go: runtime.Gosched() among more and more goroutines on one processor.
package main

import (
	"fmt"
	"runtime"

	"bench/measure"
)

const (
	switches = 5_000_000
	mostOf   = 100_000
)

func main() {
	runtime.GOMAXPROCS(1)
	measure.Version()
	measure.YieldAmong(mostOf, 2)
	for i := measure.Count(1, 1); i > 0; i-- {
		for _, count := range []int{2, 10, 100, 1000, 10_000, mostOf} {
			name := fmt.Sprintf("switch_many/%d", count)
			measure.Report(name, measure.YieldAmong(count, switches/count), "ns")
		}
	}
}
