#!/bin/bash
# Each row of the recipe stands in the model of the ownership rules, as a label
# step_NAME, and in the recipe's order.
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
