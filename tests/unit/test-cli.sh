#!/bin/bash
# The program itself: what it says where, and its exit status, when nothing
# but its command line is asked for.
set -u
qmigrate=$QM_BUILD/qmigrate
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

fail()
{
    echo "FAILED: $*"
    cat "$tmp/out" "$tmp/err"
    failed=1
}

# expect STATUS ARGUMENT...
expect()
{
    local want=$1 got
    shift
    case_is="qmigrate $*"
    "$qmigrate" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    got=$?
    [ "$got" = "$want" ] || fail "$case_is: exit $got, not $want"
}

# says out|err REGEX
says()
{
    grep -qE -- "$2" "$tmp/$1" || fail "$case_is: not on std$1: $2"
}

silent()
{
    [ ! -s "$tmp/$1" ] || fail "$case_is: std$1 is not empty"
}

# Help and version go to stdout and are no errors.
for help in --help -h help; do
    expect 0 "$help"
    says out '^  qmigrate migrate \[options\] SOURCE DESTINATION$'
    says out '^  9  nowhere'
    silent err
done
expect 0 --version
says out '^qmigrate [0-9]'
for command in migrate check; do
    expect 0 "$command" --help
    says out "^usage: qmigrate $command "
    says out '^  --max-downtime-ms N '
    silent err
done

# A wrong command line touches nothing, says so on stderr, and is a 2.
expect 2
says err '^qmigrate: which command\?$'
silent out
expect 2 migrat
says err "^qmigrate: there is no command 'migrat'$"
says err '^  hint: did you mean qmigrate migrate\?$'
expect 2 --json
says err '^qmigrate: there is no option --json before a command$'
expect 2 recover
says err '^qmigrate: recover is not built yet$'
expect 2 migrate
says err '^qmigrate: SOURCE and DESTINATION are needed$'
expect 2 migrate --insecur "$tmp/a" "$tmp/b"
says err '^qmigrate: there is no option --insecur$'
says err '^  hint: did you mean --insecure\?$'
expect 2 check --ports 1 "$tmp/a" "$tmp/b"
says err '^qmigrate: --ports .1. is not LOW-HIGH'
silent out
expect 2 migrate --postcopy "$tmp/a" "$tmp/b"
says err '^qmigrate: --postcopy is not built yet$'
says err '^  hint: '
expect 2 migrate $'/\e[31m' /b
if grep -q $'\e' "$tmp/err"; then
    fail "an escape sequence of the command line reached the terminal"
fi

# Programs are told too.
expect 2 migrate --json "$tmp/a"
says out '^\{"event":"RESULT","data":\{"outcome":"refused".*"exit":2'
says err '^qmigrate: SOURCE'

# Nobody there: refused, not undone.
expect 3 migrate "$tmp/a" "$tmp/b"
says err '^qmigrate: connect: source: '
silent out
expect 3 check --json "$tmp/a" "$tmp/b"
says out '^\{"event":"STEP","data":\{"step":"connect","state":"begins"\}'
says out '^\{"event":"RESULT".*"code":"connect".*"exit":3'

# Nobody who listens: the exit status is as it would be.
for closed in '>&- 2>&-' '>/dev/full 2>/dev/full' '2>&1 | true'; do
    case_is="migrate $closed"
    : >"$tmp/out"
    : >"$tmp/err"
    (
        set -o pipefail
        eval "\"\$qmigrate\" migrate --json \"\$tmp/a\" \"\$tmp/b\" $closed"
    ) </dev/null
    got=$?
    [ "$got" = 3 ] || fail "$case_is: exit $got, not 3"
done
exit "$failed"
