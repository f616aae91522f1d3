#!/bin/bash
# The hardening flags reached the program: read it and see.
set -eu

if [ "$QM_SANITIZERS" = yes ]; then
    echo "skipped: the sanitizers replace some of this"
    exit 77
fi
case " $QM_CFLAGS " in
*" -O0 "*)
    echo "skipped: not optimised, so not fortified"
    exit 77
    ;;
esac
if ! command -v "$READELF" >/dev/null; then
    echo "skipped: no readelf"
    exit 77
fi

text=$(LC_ALL=C "$READELF" --wide --file-header --program-headers --dynamic \
    --dyn-syms "$QM_BUILD/qmigrate")
failed=0

# has WHAT PATTERN, hasnt WHAT PATTERN: what readelf must or must not say.
has() {
    grep -qE "$2" <<<"$text" || {
        echo "missing: $1"
        failed=1
    }
}

hasnt() {
    if grep -E "$2" <<<"$text"; then
        echo "should not be there: $1"
        failed=1
    fi
}

has "position independent (PIE)" '\(FLAGS_1\).* PIE'
has "relocations made read-only (RELRO)" '^ *GNU_RELRO'
has "all symbols bound at start (BIND_NOW)" '\(FLAGS_1\).* NOW'
has "stack protector" ' __stack_chk_fail(@| |$)'
has "fortified functions" ' __[a-z]+_chk(@| |$)'
has "a stack that is declared" '^ *GNU_STACK'
hasnt "an executable stack" '^ *GNU_STACK .* RWE '
hasnt "a segment both writable and executable" '^ *LOAD .* RWE '
hasnt "relocations in code" '\(TEXTREL\)'
hasnt "a library path" '\((RPATH|RUNPATH)\)'
exit $failed
