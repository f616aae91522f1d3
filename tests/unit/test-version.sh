#!/bin/bash
# The program starts, and says the version it was built as.
set -eu
want=$(sed -n 's/^#define QM_VERSION "\(.*\)"/\1/p' "$QM_BUILD/config.h")
got=$("$QM_BUILD/qmigrate" --version)
case $got in
"qmigrate $want"*) ;;
*)
    echo "built as $want, but it says: $got"
    exit 1
    ;;
esac
