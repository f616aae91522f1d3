# src/nbd: probe an export, compare two, copy one to another.

noinst_LIBRARIES += libnbd.a

libnbd_a_SOURCES = \
	src/nbd/attach.c \
	src/nbd/compare.c \
	src/nbd/compare.h \
	src/nbd/copy-window.c \
	src/nbd/copy-window.h \
	src/nbd/copy.c \
	src/nbd/copy.h \
	src/nbd/disk-map.c \
	src/nbd/disk-private.h \
	src/nbd/disk-request.c \
	src/nbd/disk.c \
	src/nbd/disk.h \
	src/nbd/internal.h \
	src/nbd/link.c \
	src/nbd/probe.c \
	src/nbd/probe.h \
	src/nbd/ranges.c \
	src/nbd/ranges.h \
	src/nbd/relay.c \
	src/nbd/starttls.c \
	src/nbd/uri.c \
	src/nbd/uri.h \
	$(NULL)

libnbd_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/nbd
libnbd_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(LIBNBD_CFLAGS)
