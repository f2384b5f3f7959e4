"""What the benchmarks with asyncio share: see common/measure.h."""

import platform
import resource
import sys

MASK = (1 << 64) - 1


def repeats():
    return int(sys.argv[1]) if len(sys.argv) > 1 else 1


def count(without):
    return int(sys.argv[2]) if len(sys.argv) > 2 else without


def report(name, value, unit):
    print(f"{name} {value:.6g} {unit}", flush=True)


def version():
    print(f"version {platform.python_version()}", flush=True)


def expect(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got}, want {want}")


def random_delays(number):
    """Seconds, random over an hour, by the sequence that all peers use."""
    state = 88172645463325252
    delays = []
    for _ in range(number):
        state ^= (state << 13) & MASK
        state ^= state >> 7
        state ^= (state << 17) & MASK
        delays.append(60 + 3600 * state / 2**64)
    return delays


def resident():
    """Bytes of memory in use now; without /proc, the most there ever was."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
