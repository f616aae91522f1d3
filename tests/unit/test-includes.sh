#!/bin/bash
# Each library that is not ours is included in one directory alone, and only
# the command line tool prints. (That our own directories see only those below
# them is for the compiler to say: -Isee/DIRECTORY.)
set -eu
cd "$QM_SOURCE/src"
failed=0

# only DIRECTORIES PATTERN: no file outside DIRECTORIES (a|b) has PATTERN.
only() {
    if grep -rnE --include='*.[ch]' "$2" . | grep -vE "^\./($1)/"; then
        echo "belongs in src/$1 alone: $2"
        failed=1
    fi
}

only 'base' '^ *# *include *[<"]event'
only 'tls' '^ *# *include *[<"]gnutls'
only 'nbd' '^ *# *include *[<"]libnbd'
only 'qmp|core|cli' '^ *# *include *[<"]json'
only 'cli' '(^|[^a-z_])(printf|puts|putchar|perror|exit) *\('
exit $failed
