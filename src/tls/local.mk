# src/tls: credentials and what can be wrong with them.

noinst_LIBRARIES += libtls.a

libtls_a_SOURCES = \
	src/tls/check-chain.c \
	src/tls/check-pair.c \
	src/tls/check-priority.c \
	src/tls/check-time.c \
	src/tls/check-usage.c \
	src/tls/check.c \
	src/tls/check.h \
	src/tls/client.c \
	src/tls/client.h \
	src/tls/describe.c \
	src/tls/describe.h \
	src/tls/files.c \
	src/tls/findings.c \
	src/tls/internal.h \
	src/tls/look.c \
	src/tls/make-ca.c \
	src/tls/make-host.c \
	src/tls/make-names.c \
	src/tls/make-private.h \
	src/tls/make.c \
	src/tls/make.h \
	src/tls/parse.c \
	src/tls/psk.c \
	src/tls/psk.h \
	$(NULL)

libtls_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/tls
libtls_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(GNUTLS_CFLAGS)
