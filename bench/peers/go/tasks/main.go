// tasks with Go: the life of a goroutine among more and more of them, on one processor.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"bench/measure"
)

const (
	lives  = 1_000_000
	warmUp = 100_000
)

func live(count, rounds int) float64 {
	var group sync.WaitGroup
	lived := 0

	start := time.Now()
	for round := 0; round < rounds; round++ {
		group.Add(count)
		for i := 0; i < count; i++ {
			go func() {
				runtime.Gosched()
				lived++
				group.Done()
			}()
		}
		group.Wait()
	}
	took := time.Since(start)
	measure.Expect("lives", int64(lived), int64(count)*int64(rounds))
	return measure.PerItem(took, lived)
}

func main() {
	runtime.GOMAXPROCS(1)
	measure.Version()
	live(warmUp, 1)
	for i := measure.Count(1, 1); i > 0; i-- {
		for count := 1; count <= lives; count *= 10 {
			measure.Report(fmt.Sprintf("tasks/%d", count), live(count, lives/count), "ns")
		}
	}
}
