# src/cli: main, one file per subcommand, everything that prints.

noinst_LIBRARIES += libcli.a

libcli_a_SOURCES = \
	$(NULL)

libcli_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/cli
libcli_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(JSON_C_CFLAGS)

# main.c alone is not in the library, so that tests can link the rest.
bin_PROGRAMS += qmigrate

qmigrate_SOURCES = src/cli/main.c
qmigrate_CPPFLAGS = $(libcli_a_CPPFLAGS)
qmigrate_CFLAGS = $(libcli_a_CFLAGS)
qmigrate_LDADD = $(ALL_LIBS)
