# src/base: error, loop, stream, child process, buffers.

noinst_LIBRARIES += libbase.a

libbase_a_SOURCES = \
	src/base/buffer.c \
	src/base/buffer.h \
	src/base/child-private.h \
	src/base/child-run.c \
	src/base/child.c \
	src/base/child.h \
	src/base/clock.c \
	src/base/clock.h \
	src/base/connect.c \
	src/base/cut.c \
	src/base/cut.h \
	src/base/error.c \
	src/base/error.h \
	src/base/folder.c \
	src/base/folder.h \
	src/base/listen.c \
	src/base/loop.c \
	src/base/loop.h \
	src/base/printable.c \
	src/base/process.c \
	src/base/process.h \
	src/base/resolve.c \
	src/base/secret.c \
	src/base/secret.h \
	src/base/stream.c \
	src/base/stream.h \
	src/base/util.c \
	src/base/util.h \
	$(NULL)

libbase_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/base
libbase_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(LIBEVENT_CFLAGS)
