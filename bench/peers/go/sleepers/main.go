// sleepers with Go: a million goroutines asleep for a second, on all processors.
//
// A new process for each measurement. The first ones wake before the last ones
// start, so the memory of all is that of another process, whose goroutines sleep longer.
package main

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"bench/measure"
)

const usual = 1_000_000

func timeThem(count int) {
	var group sync.WaitGroup
	var ended atomic.Int64

	start := time.Now()
	group.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			time.Sleep(time.Second)
			ended.Add(1)
			group.Done()
		}()
	}
	group.Wait()
	took := time.Since(start)
	measure.Expect("ended", ended.Load(), int64(count))
	measure.Report("sleepers", took.Seconds(), "s")
}

func weighThem(count int) {
	var started atomic.Int64

	before := measure.Resident()
	for i := 0; i < count; i++ {
		go func() {
			started.Add(1)
			time.Sleep(time.Hour)
		}()
	}
	for started.Load() < int64(count) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	measure.Report("sleepers_kib", (measure.Resident()-before)/1024/float64(count), "KiB")
}

func inChild(what string, count int) {
	child := exec.Command(os.Args[0], "1", strconv.Itoa(count), what)
	child.Stdout = os.Stdout
	child.Stderr = os.Stderr
	if err := child.Run(); err != nil {
		measure.Die("%s: %v", what, err)
	}
}

func main() {
	count := measure.Count(2, usual)
	if len(os.Args) > 3 {
		map[string]func(int){"time": timeThem, "weigh": weighThem}[os.Args[3]](count)
		return
	}
	measure.Version()
	for i := measure.Count(1, 1); i > 0; i-- {
		for _, what := range []string{"time", "weigh"} {
			inChild(what, count)
		}
	}
}
