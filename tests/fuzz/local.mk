# tests/fuzz: one libFuzzer target for everything that reads bytes from
# outside. Built by ./configure --enable-fuzzers CC=clang, run by ./dev fuzz.
# A target is a file fuzz-NAME.c; add fuzz-NAME to the list, and its first
# inputs, if any, as files to tests/fuzz/corpus/NAME/.

fuzzers = \
	tests/fuzz/fuzz-address \
	tests/fuzz/fuzz-control \
	tests/fuzz/fuzz-journal \
	tests/fuzz/fuzz-psk \
	tests/fuzz/fuzz-schema \
	tests/fuzz/fuzz-tls-files \
	tests/fuzz/fuzz-wire \
	$(NULL)

if FUZZERS
noinst_PROGRAMS += $(fuzzers)
endif

EXTRA_DIST += $(fuzzers:=.c)
EXTRA_DIST += \
	tests/fuzz/corpus/address/blanks \
	tests/fuzz/corpus/address/bracket \
	tests/fuzz/corpus/address/controls \
	tests/fuzz/corpus/address/folder \
	tests/fuzz/corpus/address/long-path \
	tests/fuzz/corpus/address/no-port \
	tests/fuzz/corpus/address/path \
	tests/fuzz/corpus/address/percent \
	tests/fuzz/corpus/address/port-large \
	tests/fuzz/corpus/address/port-zero \
	tests/fuzz/corpus/address/ssh \
	tests/fuzz/corpus/address/ssh-dash \
	tests/fuzz/corpus/address/ssh-user-dash \
	tests/fuzz/corpus/address/ssh-v6 \
	tests/fuzz/corpus/address/tcp \
	tests/fuzz/corpus/address/tls \
	tests/fuzz/corpus/address/tls-v6 \
	tests/fuzz/corpus/address/unix \
	tests/fuzz/corpus/control/others \
	tests/fuzz/corpus/control/set \
	tests/fuzz/corpus/journal/finished \
	tests/fuzz/corpus/journal/postcopy \
	tests/fuzz/corpus/journal/returned \
	tests/fuzz/corpus/journal/torn \
	tests/fuzz/corpus/psk/capitals \
	tests/fuzz/corpus/psk/key \
	tests/fuzz/corpus/psk/no-break \
	tests/fuzz/corpus/psk/no-colon \
	tests/fuzz/corpus/psk/no-digits \
	tests/fuzz/corpus/psk/no-name \
	tests/fuzz/corpus/psk/nul \
	tests/fuzz/corpus/psk/odd \
	tests/fuzz/corpus/psk/two-lines \
	tests/fuzz/corpus/schema/small \
	tests/fuzz/corpus/tls-files/chain \
	tests/fuzz/corpus/tls-files/cut-short \
	tests/fuzz/corpus/tls-files/der-ca-as-host \
	tests/fuzz/corpus/tls-files/der-client \
	tests/fuzz/corpus/tls-files/der-odd-names \
	tests/fuzz/corpus/tls-files/der-other-key \
	tests/fuzz/corpus/tls-files/der-revoked \
	tests/fuzz/corpus/tls-files/der-server \
	tests/fuzz/corpus/tls-files/encrypted \
	tests/fuzz/corpus/tls-files/revoked \
	tests/fuzz/corpus/tls-files/server \
	tests/fuzz/corpus/wire/conversation \
	tests/fuzz/corpus/wire/pretty \
	$(NULL)
