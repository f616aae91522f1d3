# tests/fuzz: one libFuzzer target for everything that reads bytes from
# outside. Built by ./configure --enable-fuzzers CC=clang, run by ./dev fuzz.
# A target is a file fuzz-NAME.c; add fuzz-NAME to the list, and its first
# inputs, if any, as files to tests/fuzz/corpus/NAME/.

fuzzers = \
	tests/fuzz/fuzz-tls-files \
	$(NULL)

if FUZZERS
noinst_PROGRAMS += $(fuzzers)
endif

EXTRA_DIST += $(fuzzers:=.c)
EXTRA_DIST += \
	tests/fuzz/corpus/tls-files/encrypted \
	tests/fuzz/corpus/tls-files/revoked \
	tests/fuzz/corpus/tls-files/server \
	$(NULL)
