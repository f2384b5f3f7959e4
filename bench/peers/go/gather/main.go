// gather with Go: start 100,000 goroutines that return at once, and wait for all.
// One processor, as for all others.
package main

import (
	"runtime"
	"sync"
	"time"

	"bench/measure"
)

const (
	tasks  = 100_000
	rounds = 5
)

var results [tasks]int

func startAndWait() {
	var group sync.WaitGroup

	group.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func(value int) {
			results[value] = value
			group.Done()
		}(i)
	}
	group.Wait()
	sum := 0
	for i := range results {
		sum += results[i]
		results[i] = 0
	}
	measure.Expect("sum of the results", int64(sum), tasks*(tasks-1)/2)
}

func main() {
	runtime.GOMAXPROCS(1)
	measure.Version()
	startAndWait()
	startAndWait()
	for i := measure.Count(1, 1); i > 0; i-- {
		start := time.Now()
		for round := 0; round < rounds; round++ {
			startAndWait()
		}
		measure.Report("gather", measure.PerItem(time.Since(start), tasks*rounds), "ns")
	}
}
