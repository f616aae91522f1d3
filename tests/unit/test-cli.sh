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
    says out '^  qmigrate migrate  \[options\] SOURCE DESTINATION$'
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

expect 0 copy --help
says out '^usage: qmigrate copy \[options\] SOURCE-URI DESTINATION-URI$'
says out '^  nbds://host\[:port\]/EXPORT'
says out '^  --connections N '
if grep -q -e '--disks' "$tmp/out"; then
    fail "$case_is: it shows options of migrate"
fi

# A wrong command line touches nothing, says so on stderr, and is a 2.
expect 2
says err '^qmigrate: no command given$'
silent out
expect 2 migrat
says err "^qmigrate: there is no command 'migrat'$"
says err '^  hint: did you mean qmigrate migrate\?$'
expect 2 --json
says err '^qmigrate: there is no option --json before a command$'
expect 2 cpu
says err '^qmigrate: cpu is not built yet$'
expect 2 recover ../vm1
says err "^qmigrate: '../vm1' is not a valid name of a migration$"
expect 2 recover --i-have-checked both-are-down vm1
says err "^qmigrate: --i-have-checked 'both-are-down' is not source-is-down or"
expect 2 recover --all --metrics file
says err '^qmigrate: --all and --metrics exclude each other$'
expect 2 recover --dry-run --metrics file vm1
says err '^qmigrate: --metrics is for a recovery, not for --dry-run$'
expect 3 recover nobody
says err '^qmigrate: there is nothing to recover: .*/nobody.journal is not there$'
expect 2 migrate
says err '^qmigrate: SOURCE and DESTINATION are needed$'
expect 2 check
says err '^  hint: qmigrate check \[options\] SOURCE DESTINATION'
expect 2 migrate --insecur "$tmp/a" "$tmp/b"
says err '^qmigrate: there is no option --insecur$'
says err '^  hint: did you mean --insecure\?$'
expect 2 check --ports 1 "$tmp/a" "$tmp/b"
says err '^qmigrate: --ports .1. is not LOW-HIGH'
silent out
expect 2 migrate $'/\e[31m' /b
if grep -q $'\e' "$tmp/err"; then
    fail "an escape sequence of the command line reached the terminal"
fi

# Programs are told too.
expect 2 migrate --json "$tmp/a"
says out '^\{"event":"RESULT","data":\{"outcome":"refused".*"exit":2'
says err '^qmigrate: SOURCE'

expect 2 recover --json vm1 vm2
says out '^\{"event":"RESULT","data":\{"outcome":"refused".*"exit":2'

# Nobody there: refused, not undone.
expect 3 migrate "$tmp/a" "$tmp/b"
says err '^qmigrate: connect: source: '
silent out
expect 3 check --json "$tmp/a" "$tmp/b"
says out '^\{"event":"STEP","data":\{"step":"connect","state":"begins"\}'
says out '^\{"event":"RESULT".*"code":"connect".*"exit":3'

# A migration that runs: names, limits, and nobody there.
expect 2 cancel
says err '^qmigrate: qmigrate cancel takes NAME$'
expect 2 watch vm1 vm2
expect 2 status ../vm1
says err "^qmigrate: '../vm1' is not a valid name of a migration$"
expect 2 complete --mode now vm1
says err "^qmigrate: --mode 'now' is not pause or postcopy$"
expect 2 set vm1
says err '^qmigrate: qmigrate set takes NAME key=value\.\.\.$'
expect 2 set vm1 bandwith=1M
says err "^qmigrate: there is no 'bandwith' to set$"
says err '^  hint: did you mean bandwidth\?$'
expect 2 set vm1 bandwidth
says err '^qmigrate: bandwidth needs a value: bandwidth=\.\.\.$'
expect 2 set vm1 bandwidth=1M bandwidth=2M
says err '^qmigrate: bandwidth was given twice$'
expect 2 set vm1 disk-bandwidth=much
says err "^qmigrate: disk-bandwidth 'much' is not a size: "
expect 2 set vm1 max-downtime-ms=0
says err '^qmigrate: max-downtime-ms 0: not between 1 and 2000000$'
expect 2 set vm1 timeout-s=soon
says err "^qmigrate: timeout-s 'soon' is not a whole number$"
expect 2 set vm1 on-timeout=pray
says err '^qmigrate: on-timeout is abort, pause or postcopy$'
expect 3 watch no-such-migration-$$
says err '^qmigrate: no migration called no-such-migration-[0-9]* is under way$'
silent out

# Copies: what is wrong with the words, and with what they name.
disk="nbd+unix:///disk?socket=$tmp"
expect 2 copy
says err '^qmigrate: SOURCE and DESTINATION are needed$'
says err '^  hint: qmigrate copy \[options\] SOURCE-URI DESTINATION-URI'
expect 2 copy --disks all "$disk/a" "$disk/b"
says err '^qmigrate: there is no option --disks$'
expect 2 copy "$disk/a" /run/vm.qmp
says err '^qmigrate: destination: /run/vm.qmp: that is not an NBD URI$'
for number in 0 5; do
    expect 2 copy --connections "$number" "$disk/a" "$disk/b"
    says err '^qmigrate: --connections must be 1 to 4$'
done
expect 2 copy --tls-hostname x "$disk/a" "$disk/b"
says err '^qmigrate: --tls-hostname is for one server, and none '
expect 2 copy --json nbd://host nbd://
says out '"outcome":"refused","exit":2,.*"code":"usage"'
expect 3 copy "$disk/a" "$disk/b"
says err "^qmigrate: source: export \"disk\" at $tmp/a: cannot connect to"
silent out
expect 3 copy "$disk/a" "$disk/a"
says err '^qmigrate: SOURCE and DESTINATION are one export: '
expect 3 copy --json nbd://192.0.2.1 "$disk/a"
says out '"outcome":"refused","exit":3,.*"code":"refused"'

# And one that is made.
if command -v qemu-nbd >/dev/null; then
    head -c 300000 /dev/urandom >"$tmp/a.raw"
    truncate -s 8M "$tmp/a.raw" "$tmp/b.raw"
    for one in a b; do
        env -u MALLOC_PERTURB_ qemu-nbd --fork --persistent --format=raw \
            --export-name=disk --socket="$tmp/$one" --shared=4 \
            --pid-file="$tmp/$one.pid" "$tmp/$one.raw"
    done
    expect 0 copy "$disk/a" "$disk/b"
    says out '^the disk is copied: 8.0 MiB in '
    cmp "$tmp/a.raw" "$tmp/b.raw" || fail "$case_is: the disks differ"
    expect 0 copy --json "$disk/a" "$disk/b"
    says out '"outcome":"completed","exit":0,.*"size-bytes":8388608,'
    kill "$(cat "$tmp/a.pid")" "$(cat "$tmp/b.pid")"
fi

# Keys.
expect 0 keys --help
says out '^  qmigrate keys create-host \[options\] NAME$'
expect 0 keys create-host --help
says out '^usage: qmigrate keys create-host \[options\] NAME$'
says out '^  --days N .*\(default: 365\)$'
expect 2 keys
expect 2 keys create
says err '^  hint: did you mean qmigrate keys create-ca\?$'
expect 2 keys create-host --dir "$tmp/keys"
says err '^qmigrate: NAME is needed$'
expect 2 keys create-host --dir "$tmp/keys" a b
says err "^qmigrate: there is a word too many: 'b'$"
expect 3 keys create-host --dir "$tmp/keys" hostb
says err '^  hint: make a CA first: qmigrate keys create-ca$'
for name in ../x a/b .. '' 2001:db8::1; do
    expect 2 keys create-host --dir "$tmp/keys" "$name"
done
[ ! -e "$tmp/keys" ] || fail "something was made"
(umask 0 && expect 0 keys create-ca --dir "$tmp/keys" --name 'my CA')
expect 3 keys create-ca --dir "$tmp/keys"
says err "/keys/ca is there already$"
expect 2 keys create-host --dir "$tmp/keys" --address 'x,a b' hostb
says err "^qmigrate: 'a b' is neither a host name nor an address$"
expect 2 keys create-host --dir "$tmp/keys" --days 0 hostb
expect 0 keys create-host --dir "$tmp/keys" --address hostb.example,192.0.2.2 \
    --dh-params off --days 5000 hostb
says out '^the certificate of hostb, hostb.example and 192.0.2.2 is made, good '
says out 'that is when its CA ends'
says out "^  scp -p $tmp/keys/hosts/hostb/\*.pem root@hostb:/etc/pki/qemu/$"
silent err
case_is="folders of keys"
(cd "$tmp/keys" && find . -printf '%P %m\n' | sort) >"$tmp/out"
cat >"$tmp/err" <<'END'
 700
ca 700
ca/ca-cert.pem 644
ca/ca-key.pem 600
hosts 700
hosts/hostb 700
hosts/hostb/ca-cert.pem 644
hosts/hostb/client-cert.pem 644
hosts/hostb/client-key.pem 600
hosts/hostb/server-cert.pem 644
hosts/hostb/server-key.pem 600
END
cmp -s "$tmp/out" "$tmp/err" || fail "other files or modes than expected"
expect 0 keys show "$tmp/keys/hosts/hostb"
says out '^    CN=hostb$'
says out '^      signed by CN=my CA$'
says out '^      for       hostb, hostb.example and 192.0.2.2$'
says out 'server-key.pem: a private key, RSA, 3072 bits, mode 0600, of the cert'
expect 0 keys check "$tmp/keys/hosts/hostb"
says out '^2 ok, 0 warnings, 0 blockers$'
expect 0 keys check --address 192.0.2.2 --qemu 11.1 "$tmp/keys/hosts/hostb"
expect 3 keys check --address 192.0.2.3 "$tmp/keys/hosts/hostb"
says err 'server-cert.pem is not for "192.0.2.3": it carries hostb, hostb.example'
chmod 644 "$tmp/keys/hosts/hostb/server-key.pem"
rm "$tmp/keys/hosts/hostb/client-cert.pem"
expect 3 keys check "$tmp/keys/hosts/hostb"
says out 'warning .*server-key.pem can be read by everybody \(mode 0644\)$'
says out 'BLOCKER .*client-cert.pem is missing$'
expect 0 keys check --role server "$tmp/keys/hosts/hostb"
expect 2 keys check --role peer "$tmp/keys/hosts/hostb"
expect 2 keys check --qemu new "$tmp/keys/hosts/hostb"
for verb in check show; do
    expect 3 keys $verb "$tmp/nosuch"
    says err '^qmigrate: look into .*/nosuch: No such file or directory$'
    expect 3 keys $verb "$tmp/keys/ca/ca-cert.pem"
    says err '^qmigrate: look into .*/ca-cert.pem: Not a directory$'
done
expect 3 keys show "$tmp/nowhere"

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
