#!/bin/bash
# The manual pages name what the program has, all of it, and nothing else:
# options and their defaults, exit codes, error codes, verdicts, events and
# their members, the rows of the recipe. Each list is read from the table in
# the source that the program itself uses.
set -u

s=${QM_SOURCE:-.}
page=$s/doc/qmigrate.1
events=$s/doc/qmigrate-events.7
protocol=$s/doc/qmigrate-protocol.7
recovery=$s/doc/qmigrate-recovery.7
storage=$s/doc/qmigrate-storage.7
tls=$s/doc/qmigrate-tls.7
convergence=$s/doc/qmigrate-convergence.7
security=$s/doc/qmigrate-security.7
status=0

fail()
{
    echo "$*"
    status=1
}

# section TITLE [PAGE]: the lines of that .Sh or .Ss of the page
section()
{
    awk -v title="$1" '
        /^\.S[hs] / { inside = substr($0, 5) == title; next }
        inside' "${2:-$page}"
}

# expect WHAT LIST1 LIST2: two lists, a word a line, are the same set
expect()
{
    [ -n "$2" ] || fail "$1: nothing was found in the source"
    for word in $2; do
        printf '%s\n' "$3" | grep -qxF -e "$word" ||
            fail "$1: $word is in the source, but not in the manual"
    done
    for word in $3; do
        printf '%s\n' "$2" | grep -qxF -e "$word" ||
            fail "$1: $word is in the manual, but not in the source"
    done
}

# What stands behind an .It of the lines on stdin, one a line
items()
{
    sed -n 's/^\.It L\{0,1\}i\{0,1\} *\([a-zA-Z0-9-]*\).*/\1/p'
}

# --- policies ----------------------------------------------------------------

expect policies \
    "$(sed -n 's/^ *{ *\.name = "\([a-z]*\)",.*/\1/p' "$s"/src/core/policy.c |
        sort)" \
    "$(section POLICIES "$convergence" | sed -n 's/^\.It Ta //p' | tr -d ' ' |
        sed 's/Ta/\n/g' | sort)"

# --- options -----------------------------------------------------------------

options=$(sed -n 's/^    { "\([a-z-]*\)", .*/\1/p' "$s"/src/cli/options*.c)
expect options "$(printf '%s\nversion\n' "$options" | sort -u)" \
    "$(cat "$page" "$events" "$protocol" "$recovery" "$storage" "$tls" "$convergence" "$security" | grep -o 'Fl -[a-z][a-z-]*' |
        sed 's/Fl -//' | sort -u)"

# In examples options have their dashes; lines that end in \e go on.
for file in "$page" "$events" "$protocol" "$recovery" "$storage" "$tls" "$convergence" "$security" "$s/README.md"; do
    # shellcheck disable=SC2013 # words it is
    for word in $(sed -e ':again' -e '/\\e*$/N' -e 's/\\e*\n/ /' -e 'tagain' \
                      "$file" |
                  sed -n '/^ *qmigrate [a-z]/p' | grep -o -e ' --[a-z][a-z-]*')
    do
        printf '%s\nversion\n' "$options" | grep -qxF -e "${word#--}" ||
            fail "$file: an example has the option $word, which is none"
    done
done

# "--name ... (default: value)", a line each
trap 'rm -f "manual.$$"' EXIT
"${QM_BUILD:-.}/qmigrate" migrate --help |
    awk '/^  -/ { print line; line = "" } { line = line " " $0 }
         END { print line }' | tr -s ' ' |
    sed -n 's/^ --\([a-z-]*\) .*(default: \([^()]*\)).*/\1 \2/p' >"manual.$$"
[ "$(wc -l <"manual.$$")" -gt 10 ] || fail "defaults: --help shows too few"
while read -r name value; do
    text=$(awk -v name="$name" '
        /^\.S[hs] / { inside = 0 }
        /^\.It / { inside = index($0 " ", "Fl -" name " ") }
        inside' "$page" | sed 's/^\.Fl -/--/; s/^\.Cm //' | tr '\n' ' ')
    case ${text##*Default: } in
    "$value"[\ .,\;:]*|*" $value"[\ .,\;:]*) [ -n "$text" ] ;;
    *) false ;;
    esac || fail "defaults: --$name is not said to be '$value' by default"
done <"manual.$$"

# --- tables ------------------------------------------------------------------

exits=$(sed -n 's/^    X([A-Z_]*, \([0-9]*\),.*/\1/p' "$s/src/core/result.h")
expect "exit codes" "$exits" "$(section 'EXIT STATUS' | items)"

expect "error codes" "$(sed -n 's/^    X([A-Z]*, "\([a-z-]*\)".*/\1/p' \
        "$s/src/base/error.h")" "$(section 'ERROR CODES' | items)"

expect verdicts "$(sed -n 's/^    { "\([a-z-]*\)", preflight_.*/\1/p' \
        "$s/src/core/preflight.c")" "$(section Verdicts | items)"

# The rows of the recipe, in their order
recipe=$(sed -n 's/^    { "\([a-z ]*\)", step_.*/\1/p' "$s/src/core/recipe.c")
told=$(awk '/^\.Sh / { inside = $2 == "STEPS" }
            inside && /^\.Ss / { print substr($0, 5) }' "$protocol")
[ -n "$recipe" ] || fail "recipe: no row was found in the source"
[ "$recipe" = "$told" ] || {
    fail "the steps of the recipe and those of qmigrate-protocol(7) differ:"
    printf '%s\n' "$recipe" >"manual.$$"
    printf '%s\n' "$told" | diff "manual.$$" -
}

# --- events ------------------------------------------------------------------

told=$(sed -n -e 's/^    \[NARRATE_[A-Z]*\] = { "\([A-Z]*\)".*/\1/p' \
             -e 's/.*record_event(b, "\(RESULT\)".*/\1/p' "$s"/src/core/record.c)
expect events "$told" "$(section EVENTS "$events" | items)"

words=$(sed -n 's/^\.\(It \)\{0,1\}Li //p' "$events" |
        tr -cs 'a-z-' '\n' | sort -u)
for key in $({ grep -h '"[a-z-]*",' "$s"/src/core/record*.c
               grep json_add "$s"/src/core/steer.c; } |
             grep -o '"[a-z-]*",' | tr -d '",' |
             sort -u) ram disks handover verdicts steps error; do
    case $key in
    event|data|timestamp|seconds|microseconds) continue ;; # QMP's own
    begins|done|failed|cancelled|undone|ok|warning|blocker|source|destination|both)
        continue ;; # values
    esac
    printf '%s\n' "$words" | grep -qxF -e "$key" ||
        fail "JSON: the member $key is not in the manual"
done

# --- the control socket --------------------------------------------------------

commands=$(sed -n 's/^    X([A-Z_]*, "\([a-z-]*\)").*/\1/p' \
               "$s/src/core/control-request.h")
expect "control commands" "$commands" \
    "$(section 'THE CONTROL SOCKET' "$events" | sed -n 's/^\.It Ic //p')"

for key in $(sed -n 's/^    X([A-Z_]*, "\([a-z-]*\)").*/\1/p' \
                 "$s/src/core/limits.h"); do
    printf '%s\n' "$words" | grep -qxF -e "$key" ||
        fail "limits: $key is not in qmigrate-events(7)"
    section 'A MIGRATION THAT RUNS' | grep -qwF -e "$key" ||
        fail "limits: $key is not in qmigrate(1)"
done

metrics=$(grep -oE 'put(_word)?\(b, f, "[a-z_]*"' "$s/src/cli/metrics.c" |
          sed 's/.*"\(.*\)"/qmigrate_\1/')
expect metrics "$metrics" "$(section METRICS "$events" | grep '^\.It Li ' |
    grep -o 'qmigrate_[a-z_]*')"

# --- what the program tells to do -------------------------------------------

# Only commands that are built are recommended: in strings, not in comments.
built=$(sed -n 's/^    { "\([a-z]*\)", .*/\1/p' "$s/src/cli/commands.c")
[ -n "$built" ] || fail "commands: none was found in the source"
for word in $(grep -ho '`qmigrate [a-z]*' "$s"/src/*/*.c | sort -u |
              sed 's/.* //'); do
    printf '%s\n' "$built" | grep -qxF -e "$word" ||
        fail "commands: a hint says \`qmigrate $word', which is not built"
done

# "qmigrate(1) says under AFTER A CRASH": it has that section. Strings may go
# on in the next line.
named=$(cat "$s"/src/*/*.c | tr -d '\n' | sed 's/"  *"//g' |
        grep -o 'qmigrate(1)[^"]*' | grep -oE '[A-Z]{4,}( [A-Z]+)*' | sort -u)
[ -n "$named" ] || fail "sections: none was found in the source"
while read -r title; do
    grep -qxF -e ".Sh $title" "$page" ||
        fail "sections: a hint names $title, which qmigrate(1) does not have"
done <<<"$named"

# --- watchdogs ---------------------------------------------------------------

# Each limit is that of the source, and each phrase is in one of its strings.
watchdogs=$(section WATCHDOGS "$protocol")
strings=$(cat "$s"/src/*/*.c | tr -d '\n' | sed 's/"  *"//g')

# watchdog ITEM FILE CONSTANT...
watchdog()
{
    local item=$1 file=$s/src/$2 name ms words
    shift 2
    words=$(printf '%s\n' "$watchdogs" | awk -v item="$item" '
        /^\.It Sy / { inside = substr($0, 8) == item; next }
        inside')
    for name in "$@"; do
        ms=$(sed -n "s/^#define $name \([0-9]*\).*/\1/p" "$file")
        [ -n "$ms" ] || fail "watchdogs: $file has no $name"
        printf '%s\n' "$words" | tr '\n' ' ' | grep -qw -e "$((ms / 1000)) s" ||
            fail "watchdogs: $item: not $((ms / 1000)) s, which is $name"
    done
}

watchdog 'the QMP link is up' core/side.c LINK_PATIENCE_MS
watchdog 'the QMP link is up' core/migration-private.h OWNER_PATIENCE_MS
watchdog 'both QEMUs live' core/wait.c LOOK_INTERVAL_MS
watchdog 'an NBD server answers the engine' core/step-probe.c PROBE_LIMIT_MS
watchdog 'an NBD server answers the source' core/step-mirror.c \
    ADD_NODE_LIMIT_MS ADD_NODE_UNPROVED_LIMIT_MS
watchdog 'each mirror advances' core/mirror-policy.c BACKGROUND_LIMIT_MS \
    BLOCKING_LIMIT_MS PATIENT_LIMIT_MS PREPARE_LIMIT_MS
watchdog 'the destination lives before the source is sent to it' \
    core/step-door.c ANSWER_LIMIT_MS
watchdog 'RAM begins to move' core/step-stream.c SETUP_LIMIT_MS
watchdog 'RAM moves' core/step-converge.c STREAM_STALL_MS POSTCOPY_STALL_MS
watchdog 'the destination lives at pre-switchover' core/step-handover.c \
    ALIVE_LIMIT_MS
watchdog 'the source completes' core/plan.c DEVICE_LIMIT_MS
watchdog 'the source completes' core/step-postcopy.c GIVE_UP_LIMIT_MS
watchdog 'the destination completes' core/step-handover.c PAUSED_LIMIT_MS
watchdog 'the destination completes' core/step-postcopy.c LOAD_LIMIT_MS
watchdog 'the guest runs at the destination' core/step-handover.c RUN_LIMIT_MS
watchdog 'post-copy moves' core/postcopy-stream.c SILENCE_MS
watchdog 'what is undone ends' core/mirror-undo.c JOB_END_LIMIT_MS
watchdog 'what is undone ends' core/step-stream.c CANCEL_LIMIT_MS \
    CANCEL_PATIENCE_MS
watchdog 'what is undone ends' core/step-retire.c END_LIMIT_MS

while read -r words; do
    grep -qF -e "$words" <<<"$strings" ||
        fail "watchdogs: nothing in the source says $words"
done < <(printf '%s\n' "$watchdogs" | sed -n 's/^\.Dq \([^U].*\) \.$/\1/p')

# --- security ----------------------------------------------------------------

# What is shown by a test has that test; QM_SOURCE is a release's tree, too.
shown=$(section 'SHOWN BY' "$security" | sed -n 's/^\.It Li //p')
[ -n "$shown" ] || fail "security: no test was found in the manual"
for name in $shown; do
    grep -qE "^def $name\(" "$s"/tests/live/test_*.py ||
        fail "security: the manual names the test $name, which is none"
done

# --- trouble -----------------------------------------------------------------

# Every sentence about a certificate is in the table of qmigrate-tls(7), and
# every phrase of the table is in a sentence. The cases of the unit test have
# all sentences there are.
said=$(tr -d '\n' <"$s/tests/unit/tls-cases.c" | sed 's/"  *"//g' |
       grep -o '\.what = *"[^"]*\(\\"[^"]*\)*"' |
       sed 's/^.what = *"//; s/"$//; s/\\"/"/g')
phrases=$(awk '/^\.Sh / { inside = $2 == "TROUBLE" } inside' "$tls" |
          sed -n 's/^\.It Li \(.*\)/\1/p' | sed 's/\\&//g')
[ -n "$said" ] && [ -n "$phrases" ] || fail "trouble: nothing was found"
while read -r phrase; do
    grep -qF -e "$phrase" <<<"$said" ||
        fail "trouble: the manual has '$phrase', which is never said"
done <<<"$phrases"
while read -r sentence; do
    while read -r phrase; do
        case $sentence in *"$phrase"*) continue 2 ;; esac
    done <<<"$phrases"
    fail "trouble: the manual does not have '$sentence'"
done <<<"$said"

# --- recovery ------------------------------------------------------------------

# The table itself is held against the code by test-core-recovery.
# recovery WHAT: the words of the list RECOVERY_WHAT.
recovery()
{
    sed -n "/^#define RECOVERY_$1(X)/,/^enum/"'s/^    X([A-Z_]*, "\([a-z-]*\)").*/\1/p' \
        "$s/src/core/recovery.h"
}
expect "recovery: what is found" "$(recovery SEEN)" \
    "$(section 'WHAT IS FOUND' "$recovery" | sed -n 's/^\.It \([a-z-]*\)$/\1/p' |
        sed '/^$/d')"
expect "recovery: actions" "$(recovery ACTIONS)" \
    "$(section DECISIONS "$recovery" | sed -n 's/^\.It //p')"

# --- tests -----------------------------------------------------------------------

# A rule that names the test that shows it names one that is there.
shown=$(sed -n 's/^\.\\" shown by: //p' "$s"/doc/*.7)
[ -n "$shown" ] || fail "no rule names its test"
for one in $shown; do
    grep -q "^def ${one#*::}(" "$s/${one%%::*}" || fail "no test $one"
done

# --- units ---------------------------------------------------------------------

# systemd accepts them as they stand there.
if command -v systemd-analyze >/dev/null; then
    units=$(mktemp -d)
    section 'UNDER SYSTEMD' "$recovery" | sed 's/\\e$/\\/' |
        awk -v dir="$units" '
            /^\.Ed/ { file = "" }
            /^\[Unit\]/ { file = dir "/" (n++ ? "recover" : "vm@1") ".service" }
            file { print > file }'
    sed -i "s,/usr/bin/qmigrate,$(realpath "${QM_BUILD:-.}")/qmigrate," \
        "$units"/*
    said=$(systemd-analyze verify "$units"/vm@1.service \
        "$units"/recover.service 2>&1) || fail "units: $said"
    case $said in *"$units"*) fail "units: $said" ;; esac
    rm -r "$units"
fi

# --- form --------------------------------------------------------------------

if command -v mandoc >/dev/null; then
    mandoc -Tlint -Wwarning "$page" "$events" "$protocol" "$recovery" "$storage" "$tls" "$convergence" "$security" || fail "mandoc complains"
fi

exit $status
