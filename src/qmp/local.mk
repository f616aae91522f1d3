# src/qmp: wire format, addresses, client, typed commands.

noinst_LIBRARIES += libqmp.a

libqmp_a_SOURCES = \
	src/qmp/address.c \
	src/qmp/address.h \
	src/qmp/batch.c \
	src/qmp/batch.h \
	src/qmp/bitmaps.c \
	src/qmp/bitmaps.h \
	src/qmp/block-encryption.c \
	src/qmp/block-graph.c \
	src/qmp/block-image.c \
	src/qmp/block-jobs.c \
	src/qmp/block-protocol.c \
	src/qmp/block-waiting.c \
	src/qmp/block.c \
	src/qmp/block.h \
	src/qmp/bus.c \
	src/qmp/bus.h \
	src/qmp/client-forward.c \
	src/qmp/client-forward.h \
	src/qmp/client-internal.h \
	src/qmp/client-link.c \
	src/qmp/client-request.c \
	src/qmp/client-secure.c \
	src/qmp/client-socket.c \
	src/qmp/client-talk.c \
	src/qmp/client.c \
	src/qmp/client.h \
	src/qmp/feature-names.c \
	src/qmp/json.c \
	src/qmp/json.h \
	src/qmp/machine-cpu.c \
	src/qmp/machine-devices.c \
	src/qmp/machine-private.h \
	src/qmp/machine.c \
	src/qmp/machine.h \
	src/qmp/migration-commands.c \
	src/qmp/migration.c \
	src/qmp/migration.h \
	src/qmp/nbd-commands.c \
	src/qmp/object.c \
	src/qmp/parse.h \
	src/qmp/place.c \
	src/qmp/place.h \
	src/qmp/schema.c \
	src/qmp/schema.h \
	src/qmp/settings.c \
	src/qmp/wire-scan.c \
	src/qmp/wire-scan.h \
	src/qmp/wire.c \
	src/qmp/wire.h \
	$(NULL)

libqmp_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/qmp
libqmp_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(JSON_C_CFLAGS)
