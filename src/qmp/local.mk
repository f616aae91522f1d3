# src/qmp: wire format, addresses, client, typed commands.

noinst_LIBRARIES += libqmp.a

libqmp_a_SOURCES = \
	src/qmp/block-jobs.c \
	src/qmp/block.c \
	src/qmp/block.h \
	src/qmp/json.c \
	src/qmp/json.h \
	src/qmp/migration-commands.c \
	src/qmp/migration.c \
	src/qmp/migration.h \
	src/qmp/nbd-commands.c \
	src/qmp/object.c \
	src/qmp/parse.h \
	src/qmp/settings.c \
	$(NULL)

libqmp_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/qmp
libqmp_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(JSON_C_CFLAGS)
