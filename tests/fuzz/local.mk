# tests/fuzz: one libFuzzer target for everything that reads bytes from
# outside. Built by ./configure --enable-fuzzers CC=clang, run by ./dev fuzz.
# A target is a file fuzz-NAME.c; add fuzz-NAME to the list, and its first
# inputs, if any, as files to tests/fuzz/corpus/NAME/.

fuzzers = \
	$(NULL)

if FUZZERS
noinst_PROGRAMS += $(fuzzers)
endif

EXTRA_DIST += $(fuzzers:=.c)
