#!/usr/bin/env bash
# The random tests of tasks, locks and queues, with tasks in random order: each of
# fifty seeds makes a schedule of its own. A failing seed repeats it exactly:
# TUSK_SCHEDULE_SEED=<seed> build/default/tests/sync/test_stress
set -u

seeds=50
# Under valgrind or qemu each run takes a hundred times as long.
[ -z "$TUSK_TEST_WRAPPER" ] || seeds=3
status=0
for program in task/test_random sync/test_stress; do
    for ((seed = 1; seed <= seeds; seed++)); do
        # shellcheck disable=SC2086 # the wrapper is a command with its arguments
        if ! output=$(TUSK_SCHEDULE_SEED=$seed $TUSK_TEST_WRAPPER \
            "$TUSK_BUILD_DIR/tests/$program" 2>&1); then
            echo "failed: TUSK_SCHEDULE_SEED=$seed $program"
            echo "$output"
            status=1
        fi
    done
    echo "$program: $seeds schedules"
done
exit $status
