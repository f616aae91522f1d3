# src/core: plan, preflight, recipe and its steps, journal.

noinst_LIBRARIES += libcore.a

libcore_a_SOURCES = \
	src/core/block-ids.c \
	src/core/copy.c \
	src/core/copy.h \
	src/core/converge.c \
	src/core/converge.h \
	src/core/facts-digest.c \
	src/core/facts-host.c \
	src/core/facts-network.c \
	src/core/facts-private.h \
	src/core/facts-storage.c \
	src/core/facts-tls.c \
	src/core/facts.c \
	src/core/facts.h \
	src/core/failpoint.c \
	src/core/host-addresses.c \
	src/core/host-digest.c \
	src/core/host-files.c \
	src/core/host-kill.c \
	src/core/host-private.h \
	src/core/host-process.c \
	src/core/host-storage.c \
	src/core/host-unit.c \
	src/core/host.c \
	src/core/host.h \
	src/core/journal.c \
	src/core/journal.h \
	src/core/migration-private.h \
	src/core/migration.c \
	src/core/migration.h \
	src/core/mirror-failure.c \
	src/core/mirror-policy.c \
	src/core/mirror-policy.h \
	src/core/mirror-undo.c \
	src/core/mirror-watch.c \
	src/core/mirror.h \
	src/core/narration.h \
	src/core/nodes.c \
	src/core/nodes.h \
	src/core/plan.c \
	src/core/plan.h \
	src/core/preflight-address.c \
	src/core/preflight-bitmaps.c \
	src/core/preflight-cpu.c \
	src/core/preflight-devices.c \
	src/core/preflight-disks.c \
	src/core/preflight-host.c \
	src/core/preflight-left.c \
	src/core/preflight-machine.c \
	src/core/preflight-pairs.c \
	src/core/preflight-private.h \
	src/core/preflight-read-only.c \
	src/core/preflight-state.c \
	src/core/preflight-storage.c \
	src/core/preflight-tls.c \
	src/core/preflight-version.c \
	src/core/preflight.c \
	src/core/preflight.h \
	src/core/progress.c \
	src/core/recipe.c \
	src/core/record-private.h \
	src/core/record-result.c \
	src/core/record-copy.c \
	src/core/record.c \
	src/core/record.h \
	src/core/result.c \
	src/core/resume.c \
	src/core/result.h \
	src/core/rundir.c \
	src/core/rundir.h \
	src/core/side-do.c \
	src/core/side.c \
	src/core/side.h \
	src/core/step-connect.c \
	src/core/step-export.c \
	src/core/step-handover.c \
	src/core/step-mirror.c \
	src/core/step-prepare.c \
	src/core/step-probe.c \
	src/core/step-retire.c \
	src/core/step-stream.c \
	src/core/step-verify.c \
	src/core/verdicts.c \
	src/core/verdicts.h \
	src/core/verify-source.c \
	src/core/verify-source.h \
	src/core/wait.c \
	$(NULL)

libcore_a_CPPFLAGS = $(COMMON_CPPFLAGS) -I$(builddir)/see/core
libcore_a_CFLAGS = $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(JSON_C_CFLAGS)
