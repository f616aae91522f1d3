# src/core: plan, preflight, recipe and its steps, journal.

noinst_LIBRARIES += libcore.a

libcore_a_SOURCES = \
	$(NULL)

libcore_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/core
libcore_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(JSON_C_CFLAGS)
