#!/bin/bash
# What a developer's build fails on request is not in a release.
set -eu

s=${QM_SOURCE:-.}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# compiled WORD: what of the environment failpoint.c asks for, with 0 or 1.
compiled() {
    echo "#define QM_FAILPOINTS $1" >"$dir/config.h"
    ${CC:-cc} -D_GNU_SOURCE -I"$dir" -I"$s/src" -c -o "$dir/failpoint.o" \
        "$s/src/core/failpoint.c"
    grep -ao 'QMIGRATE_[A-Z]*' "$dir/failpoint.o" || true
}

[ -n "$(compiled 1)" ] || {
    echo "this test looks for what is no longer there"
    exit 1
}
found=$(compiled 0)
[ -z "$found" ] || {
    echo "without failpoints it asks for $found"
    exit 1
}
