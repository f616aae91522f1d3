#!/bin/bash
# Each row of the recipe stands in the model of the ownership rules, as a label
# step_NAME, and in the recipe's order; so does each row of recover's table, in
# a comment.
set -u

s=${QM_SOURCE:-.}

rows=$(sed -n 's/^    { "\([a-z -]*\)", step_.*/\1/p' "$s/src/core/recipe.c" |
       tr ' -' '__')
[ -n "$rows" ] || { echo "no row was found in src/core/recipe.c"; exit 1; }

labels=$(sed -n 's/^step_\([a-z_]*\):.*/\1/p' "$s"/doc/model/*.pml)
missing=$(printf '%s\n' "$rows" | grep -vxF -e "$labels")
[ -z "$missing" ] || {
    echo "rows of the recipe that doc/model/ does not know:"
    printf '%s\n' "$missing" | sed 's/^/    step_/'
    exit 1
}

found=$(printf '%s\n' "$labels" | grep -xF -e "$rows")
[ "$rows" = "$found" ] || {
    echo "doc/model/ has the rows of the recipe in another order:"
    diff <(printf '%s\n' "$rows") <(printf '%s\n' "$found")
    exit 1
}

decisions=$(awk '/^\.Sh / { inside = $2 == "DECISIONS" }
                 inside && /^\.Bd -literal/ { table = 1; next }
                 /^\.Ed/ { table = 0 }
                 table && $1 != "owner" { $1 = $1; print }' \
                "$s/doc/qmigrate-recovery.7")
[ -n "$decisions" ] || { echo "qmigrate-recovery(7) has no table"; exit 1; }

found=$(sed -n 's,^ */\* row: \(.*\) \*/$,\1,p' "$s/doc/model/recover.pml")
[ "$decisions" = "$found" ] || {
    echo "doc/model/recover.pml has other rows than qmigrate-recovery(7):"
    diff <(printf '%s\n' "$decisions") <(printf '%s\n' "$found")
    exit 1
}
