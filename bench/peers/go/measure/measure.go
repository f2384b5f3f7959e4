// Package measure is what the benchmarks in Go share: see common/measure.h.
package measure

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Count is argument number index as a count, or what it is without one.
func Count(index, without int) int {
	if len(os.Args) <= index {
		return without
	}
	count, err := strconv.Atoi(os.Args[index])
	if err != nil || count < 1 {
		Die("usage: %s [repeats [count]]", os.Args[0])
	}
	return count
}

func Die(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func Version() {
	fmt.Printf("version %s\n", strings.TrimPrefix(runtime.Version(), "go"))
}

func Report(name string, value float64, unit string) {
	fmt.Printf("%s %.6g %s\n", name, value, unit)
}

// Expect ends the program if the work was not done in full.
func Expect(what string, got, want int64) {
	if got != want {
		Die("%s: got %d, want %d", what, got, want)
	}
}

// PerItem is what a time is for each of count things, in nanoseconds.
func PerItem(took time.Duration, count int) float64 {
	return float64(took.Nanoseconds()) / float64(count)
}

// Resident is how many bytes of memory are in use now; without /proc, the most there ever were.
func Resident() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for _, line := range strings.Split(string(status), "\n") {
			fields := strings.Fields(line)
			if len(fields) > 1 && fields[0] == "VmRSS:" {
				kib, _ := strconv.ParseFloat(fields[1], 64)
				return kib * 1024
			}
		}
	}
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Maxrss) * 1024
}

// Random is the sequence of delays that all peers use.
type Random uint64

func NewRandom() Random { return 88172645463325252 }

// Delay is random over an hour, and a minute at least.
func (r *Random) Delay() time.Duration {
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	return time.Minute + time.Duration(float64(time.Hour)*0x1p-64*float64(*r))
}

// YieldAmong lets count goroutines yield rounds times each, on one processor.
// It returns nanoseconds per switch.
func YieldAmong(count, rounds int) float64 {
	var group sync.WaitGroup
	var switches int64
	gate := make(chan struct{})

	start := time.Now()
	group.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			<-gate
			for i := 0; i < rounds; i++ {
				runtime.Gosched()
				switches++
			}
			group.Done()
		}()
	}
	close(gate)
	group.Wait()
	took := time.Since(start)
	Expect("switches", switches, int64(count)*int64(rounds))
	return PerItem(took, count*rounds)
}
