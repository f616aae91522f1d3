#!/bin/bash
# What build-aux/test-summary makes of results: a failure that does not happen
# again is flaky, more than three of them fail the run, and the time of each
# file is told.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# report FILE NAME[:failed]...
report()
{
    local file=$1 one
    shift
    {
        echo '<testsuite>'
        for one; do
            echo "<testcase classname='tests.live.test_a' time='1.5'" \
                "name='${one%:failed}'>"
            case $one in *:failed) echo '<failure/>' ;; esac
            echo '</testcase>'
        done
        echo '</testsuite>'
    } >"$file"
}

# says STATUS TEXT... -- OPTION...: the summary ends so, and has these lines.
says()
{
    local want=$1 text=() line rc=0
    shift
    while [ "$1" != -- ]; do
        text+=("$1")
        shift
    done
    shift
    /usr/bin/python3 "$QM_SOURCE/build-aux/test-summary" "$@" \
        >"$dir/out" || rc=$?
    [ $rc -eq "$want" ] || fail "it ended with $rc, not $want"
    for line in "${text[@]}"; do
        grep -qxF -- "$line" "$dir/out" || fail "it does not say: $line"
    done
    [ "$(tail -n 1 "$dir/out")" = "${text[-1]}" ] || fail "the last line"
}

fail()
{
    echo "$1"
    cat "$dir/out"
    exit 1
}

report "$dir/good" one two
report "$dir/bad" one two:failed
report "$dir/two" two
says 0 "     3.0 s     2 tests  tests/live/test_a.py" \
    "2 passed, 0 failed, 0 skipped" -- "$dir/good"
says 1 "failed: tests/live/test_a.py::two" \
    "1 passed, 1 failed, 0 skipped" -- "$dir/bad"
says 0 "flaky: tests/live/test_a.py::two" "2 passed, 0 failed, 0 skipped" \
    -- --flaky "$dir/flaky" --again "$dir/two" "$dir/bad"
[ "$(cat "$dir/flaky")" = tests/live/test_a.py::two ] || fail "flaky.txt"
says 0 "2 passed, 0 failed, 0 skipped" -- --flaky "$dir/flaky" "$dir/good"
[ ! -e "$dir/flaky" ] || fail "flaky.txt of an earlier run"

# Again: it failed once more; it was not reached.
report "$dir/again" two:failed
says 1 "1 passed, 1 failed, 0 skipped" -- --again "$dir/again" "$dir/bad"
report "$dir/again" one
says 1 "1 passed, 1 failed, 0 skipped" -- --again "$dir/again" "$dir/bad"
says 1 "1 passed, 1 failed, 0 skipped" -- --again "$dir/none" "$dir/bad"

# Three are a debt, four are red.
report "$dir/bad" a:failed b:failed c:failed d
report "$dir/again" a b c
says 0 "4 passed, 0 failed, 0 skipped" -- --again "$dir/again" "$dir/bad"
report "$dir/bad" a:failed b:failed c:failed d:failed
report "$dir/again" a b c d
says 1 "broken: 4 tests are flaky, more than 3" \
    "4 passed, 1 failed, 0 skipped" -- --again "$dir/again" "$dir/bad"

# A run that broke, and one in which nothing ran.
says 1 "broken: why" "2 passed, 1 failed, 0 skipped" \
    -- --broken why "$dir/good"
says 1 "0 passed, 0 failed, 0 skipped" -- "$dir/none"

# The page of a whole run.
says 0 "2 passed, 0 failed, 0 skipped" -- --page "$dir/page" \
    --command "./dev test --long --write" --minutes 7 "$dir/good"
grep -q 'took 7 minutes' "$dir/page" || fail "the page: minutes"
grep -q '^| tests/live/test_a.py | 2     | 3       |$' "$dir/page" ||
    fail "the page: $(cat "$dir/page")"
