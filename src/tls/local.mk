# src/tls: credentials and what can be wrong with them.

noinst_LIBRARIES += libtls.a

libtls_a_SOURCES = \
	$(NULL)

libtls_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/tls
libtls_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(GNUTLS_CFLAGS)
