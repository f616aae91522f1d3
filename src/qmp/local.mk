# src/qmp: wire format, addresses, client, typed commands.

noinst_LIBRARIES += libqmp.a

libqmp_a_SOURCES = \
	$(NULL)

libqmp_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/qmp
libqmp_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(JSON_C_CFLAGS)
