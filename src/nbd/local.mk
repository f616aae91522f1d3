# src/nbd: probe an export.

noinst_LIBRARIES += libnbd.a

libnbd_a_SOURCES = \
	$(NULL)

libnbd_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/nbd
libnbd_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(LIBNBD_CFLAGS)
