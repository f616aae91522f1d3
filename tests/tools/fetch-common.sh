# shellcheck shell=sh
# Shared by the fetch-* scripts: where things are kept, one fetcher at a
# time, and apt with sources, lists and cache of our own, so that nothing
# is installed and the machine's configuration stays as it is.
#
# The archive is always the one this machine already uses: apt itself is
# asked which (both styles of source files are thus understood).

set -eu

cache=${QMIGRATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qmigrate}
mkdir -p "$cache"

say() { echo "${0##*/}: $*" >&2; }
die() { say "$@"; exit 1; }

# lock NAME: one at a time; held until the script ends.
lock()
{
    exec 9>"$cache/.$1.lock"
    flock 9
}

# make_tmp: a directory beside the final one, gone however we end.
make_tmp()
{
    tmp=
    trap '[ -z "$tmp" ] || rm -rf "$tmp"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    tmp=$(mktemp -d "$cache/.tmp.XXXXXX")
    chmod 755 "$tmp"
}

# archive SUITE: the URI of the source that has SUITE's main component.
archive()
{
    # apt fills these in, not the shell
    # shellcheck disable=SC2016
    apt-get indextargets \
        --format '$(CREATED_BY)|$(COMPONENT)|$(RELEASE)|$(CODENAME)|$(REPO_URI)' |
    awk -F'|' -v s="$1" '
        $1 == "Packages" && $2 == "main" && ($3 == s || $4 == s) {
            print $5; exit
        }'
}

# need_archive: sets uri, or ends.
need_archive()
{
    uri=$(archive bookworm)
    [ -n "$uri" ] ||
        die "apt knows no source for bookworm (Debian 12);" \
            "it may need: apt-get update"
}

# private_apt SUITE...: writes sources for those suites of the bookworm
# archive and reads their lists; then use apt_get.
private_apt()
{
    need_archive
    mkdir -p "$tmp/lists/partial" "$tmp/archives/partial"
    for suite in "$@"; do
        echo "deb $uri $suite main"
    done > "$tmp/sources.list"
    apt_get -qq update >&2
}

apt_get()
{
    apt-get -o Dir::Etc::sourcelist="$tmp/sources.list" \
            -o Dir::Etc::sourceparts=/dev/null \
            -o Dir::Etc::preferencesparts=/dev/null \
            -o Dir::State::lists="$tmp/lists" \
            -o Dir::Cache="$tmp" -o Dir::Cache::archives="$tmp/archives" \
            -o APT::Sandbox::User=root -o Debug::NoLocking=true "$@"
}

# unpack_into DIR: every package that was downloaded.
unpack_into()
{
    for deb in "$tmp"/archives/*.deb; do
        [ -e "$deb" ] || die "nothing was downloaded"
        dpkg -x "$deb" "$1"
    done
}
