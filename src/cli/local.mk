# src/cli: main, one file per subcommand, everything that prints.

noinst_LIBRARIES += libcli.a

libcli_a_SOURCES = \
	src/cli/cmd-cancel.c \
	src/cli/cmd-check.c \
	src/cli/cmd-complete.c \
	src/cli/cmd-copy.c \
	src/cli/cmd-keys.c \
	src/cli/cmd-migrate.c \
	src/cli/cmd-recover.c \
	src/cli/cmd-set.c \
	src/cli/cmd-status.c \
	src/cli/cmd-watch.c \
	src/cli/commands.c \
	src/cli/commands.h \
	src/cli/detach.c \
	src/cli/detach.h \
	src/cli/figures.c \
	src/cli/figures.h \
	src/cli/keys.h \
	src/cli/metrics.c \
	src/cli/metrics.h \
	src/cli/options-control.c \
	src/cli/options-copy.c \
	src/cli/options-keys.c \
	src/cli/options-migrate.c \
	src/cli/options-values.c \
	src/cli/options-values.h \
	src/cli/options.c \
	src/cli/options.h \
	src/cli/output.c \
	src/cli/output.h \
	src/cli/read-record.c \
	src/cli/read-record.h \
	src/cli/remote-watch.c \
	src/cli/remote.c \
	src/cli/remote.h \
	src/cli/run.c \
	src/cli/run.h \
	src/cli/show-bar.c \
	src/cli/show-fold.c \
	src/cli/show-keys.c \
	src/cli/show-lines.c \
	src/cli/show-parts.h \
	src/cli/show-past.c \
	src/cli/show-plan.c \
	src/cli/show-summary.c \
	src/cli/show-verdicts.c \
	src/cli/show.c \
	src/cli/show.h \
	src/cli/supervise-mark.c \
	src/cli/supervise-rules.c \
	src/cli/supervise-told.c \
	src/cli/supervise-told.h \
	src/cli/supervise.c \
	src/cli/supervise.h \
	$(NULL)

libcli_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/cli
libcli_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(JSON_C_CFLAGS)

# main.c alone is not in the library, so that tests can link the rest.
bin_PROGRAMS += qmigrate

qmigrate_SOURCES = src/cli/main.c
qmigrate_CPPFLAGS = $(libcli_a_CPPFLAGS)
qmigrate_CFLAGS = $(libcli_a_CFLAGS)
qmigrate_LDADD = $(ALL_LIBS)
