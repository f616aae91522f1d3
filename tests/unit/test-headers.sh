#!/bin/bash
# Every header compiles alone, with what its directory may see and no more.
set -eu
cd "$QM_BUILD"
failed=0
for header in "$QM_SOURCE"/src/*/*.h; do
    [ -e "$header" ] || continue
    name=${header#"$QM_SOURCE/src/"}
    # shellcheck disable=SC2086 # both are lists of flags
    echo "#include \"$name\"" |
        $QM_COMPILE $QM_FOREIGN_CFLAGS -I"see/${name%%/*}" \
            -Werror -fsyntax-only -x c - || {
        echo "does not compile alone: $name"
        failed=1
    }
done
exit $failed
