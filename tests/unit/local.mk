# tests/unit: one cmocka program per file test-NAME.c; add tests/unit/test-NAME
# to the list. It is linked with all of src/ and sees all of its headers. More
# than one source: tests_unit_test_NAME_SOURCES = ...

unit_tests = \
	tests/unit/test-base-child \
	tests/unit/test-base-cut \
	tests/unit/test-base-error \
	tests/unit/test-base-folder \
	tests/unit/test-base-secret \
	tests/unit/test-base-loop \
	tests/unit/test-base-process \
	tests/unit/test-base-resolve \
	tests/unit/test-base-stream \
	tests/unit/test-base-util \
	tests/unit/test-cli-options \
	tests/unit/test-cli-output \
	tests/unit/test-cli-progress \
	tests/unit/test-cli-records \
	tests/unit/test-cli-supervise \
	tests/unit/test-cli-words \
	tests/unit/test-core-result \
	tests/unit/test-core-room \
	tests/unit/test-core-login \
	tests/unit/test-core-make \
	tests/unit/test-core-walk \
	tests/unit/test-core-samples \
	tests/unit/test-nbd-bad \
	tests/unit/test-core-backing \
	tests/unit/test-core-at-rest \
	tests/unit/test-core-rekey \
	tests/unit/test-core-blackout \
	tests/unit/test-core-bitmaps \
	tests/unit/test-core-channels \
	tests/unit/test-core-control \
	tests/unit/test-core-converge \
	tests/unit/test-core-copy \
	tests/unit/test-core-disks \
	tests/unit/test-core-pairs \
	tests/unit/test-core-changes \
	tests/unit/test-core-memory \
	tests/unit/test-core-settings \
	tests/unit/test-core-host \
	tests/unit/test-core-host-key \
	tests/unit/test-core-host-parse \
	tests/unit/test-core-journal \
	tests/unit/test-core-mirror-policy \
	tests/unit/test-core-image-place \
	tests/unit/test-core-images \
	tests/unit/test-core-marks \
	tests/unit/test-core-network \
	tests/unit/test-core-place \
	tests/unit/test-core-plan \
	tests/unit/test-core-preflight \
	tests/unit/test-core-recipe \
	tests/unit/test-core-record \
	tests/unit/test-core-recovery \
	tests/unit/test-core-restarters \
	tests/unit/test-core-rundir \
	tests/unit/test-nbd-compare \
	tests/unit/test-nbd-probe \
	tests/unit/test-nbd-uri \
	tests/unit/test-qmp-address \
	tests/unit/test-core-world \
	tests/unit/test-qmp-block \
	tests/unit/test-qmp-graph \
	tests/unit/test-qmp-client \
	tests/unit/test-qmp-commands \
	tests/unit/test-qmp-forward \
	tests/unit/test-qmp-link \
	tests/unit/test-qmp-machine \
	tests/unit/test-qmp-real \
	tests/unit/test-qmp-schema \
	tests/unit/test-qmp-wire \
	tests/unit/test-tls-check \
	tests/unit/test-tls-make \
	tests/unit/test-tls-pair \
	$(NULL)

pki = tests/unit/pki.c tests/unit/pki.h
nbd_attempt = $(pki) tests/unit/nbd-attempt.c tests/unit/nbd-attempt.h
nbd_server = $(nbd_attempt) tests/unit/nbd-server.c tests/unit/nbd-server.h
tls_cases = $(pki) tests/unit/tls-cases.c tests/unit/tls-cases.h
tests_unit_test_nbd_bad_SOURCES = tests/unit/test-nbd-bad.c $(nbd_attempt)
tests_unit_test_nbd_compare_SOURCES = tests/unit/test-nbd-compare.c $(nbd_server)
tests_unit_test_nbd_probe_SOURCES = tests/unit/test-nbd-probe.c $(nbd_server)
tests_unit_test_core_copy_SOURCES = tests/unit/test-core-copy.c $(nbd_server)
tests_unit_test_base_folder_SOURCES = tests/unit/test-base-folder.c $(pki)
tests_unit_test_tls_check_SOURCES = tests/unit/test-tls-check.c $(tls_cases)
tests_unit_test_tls_make_SOURCES = tests/unit/test-tls-make.c $(pki)
tests_unit_test_tls_pair_SOURCES = tests/unit/test-tls-pair.c $(pki)

# A client without a peer, and conversations recorded with real QEMUs.
fake_qmp = tests/unit/fake-qmp.c tests/unit/fake-qmp.h
tests_unit_test_qmp_block_SOURCES = tests/unit/test-qmp-block.c $(fake_qmp)
tests_unit_test_qmp_graph_SOURCES = tests/unit/test-qmp-graph.c $(fake_qmp)
tests_unit_test_qmp_commands_SOURCES = tests/unit/test-qmp-commands.c $(fake_qmp)
tests_unit_test_qmp_machine_SOURCES = tests/unit/test-qmp-machine.c $(fake_qmp)
EXTRA_DIST += \
	tests/unit/replies/i440fx-7.2.json \
	tests/unit/replies/qemu-10.0.json \
	tests/unit/replies/qemu-11.1.json \
	tests/unit/replies/qemu-7.2.json \
	tests/unit/replies/settings.txt \
	$(NULL)

# A monitor that says what a test wants.
fake_monitor = tests/unit/fake-monitor.c tests/unit/fake-monitor.h
client_fixture = tests/unit/client-fixture.c tests/unit/client-fixture.h $(fake_monitor)
tests_unit_test_qmp_client_SOURCES = tests/unit/test-qmp-client.c $(client_fixture)
tests_unit_test_qmp_link_SOURCES = tests/unit/test-qmp-link.c $(client_fixture)
tests_unit_test_qmp_forward_SOURCES = tests/unit/test-qmp-forward.c $(fake_monitor)

# The whole recipe, over two QEMUs that are not there.
tests_unit_test_core_recipe_SOURCES = tests/unit/test-core-recipe.c \
	tests/unit/recipe-cases.c tests/unit/recipe-cases.h \
	tests/unit/scripted-peer.c tests/unit/scripted-peer.h \
	tests/unit/scripted-answers.c $(fake_monitor) $(pki)
tests_unit_test_core_recipe_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=nbd_probe_export,--wrap=host_unit_facts \
	-Wl,--wrap=nbd_probe_route \
	-Wl,--wrap=host_look_at_sites,--wrap=host_make_image \
	-Wl,--wrap=host_remove_image,--wrap=host_key_put \
	-Wl,--wrap=host_key_dir,--wrap=host_key_remove
EXTRA_DIST += \
	tests/unit/samples/never.samples \
	tests/unit/samples/writes-a-fifth.samples \
	tests/unit/samples/writes-half-as-much-again.samples \
	tests/unit/samples/writes-half.samples \
	tests/unit/samples/writes-twice.samples \
	tests/unit/traces/bitmap-in-use.trace \
	tests/unit/traces/bitmap.trace \
	tests/unit/traces/cancel-too-late.trace \
	tests/unit/traces/cancel.trace \
	tests/unit/traces/cancels-over-there.trace \
	tests/unit/traces/completed-despite-cancel.trace \
	tests/unit/traces/completes.trace \
	tests/unit/traces/cont-refused-at-last.trace \
	tests/unit/traces/cont-refused.trace \
	tests/unit/traces/continue-refused.trace \
	tests/unit/traces/create-drive-refused.trace \
	tests/unit/traces/create-export-refused.trace \
	tests/unit/traces/create-image-refused.trace \
	tests/unit/traces/create-stream-fails.trace \
	tests/unit/traces/create.trace \
	tests/unit/traces/credentials-refused.trace \
	tests/unit/traces/destination-dies-while-settling.trace \
	tests/unit/traces/device-fails.trace \
	tests/unit/traces/dies-at-cont.trace \
	tests/unit/traces/disk.trace \
	tests/unit/traces/door-refused.trace \
	tests/unit/traces/export-refused.trace \
	tests/unit/traces/guest-shuts-down-and-hangs.trace \
	tests/unit/traces/guest-shuts-down-and-lingers.trace \
	tests/unit/traces/guest-shuts-down.trace \
	tests/unit/traces/keep-source.trace \
	tests/unit/traces/last-word-lost.trace \
	tests/unit/traces/migrate-refused.trace \
	tests/unit/traces/mirror-fails.trace \
	tests/unit/traces/no-disk.trace \
	tests/unit/traces/parameters-refused.trace \
	tests/unit/traces/psk-refused.trace \
	tests/unit/traces/psk.trace \
	tests/unit/traces/read-only-export-refused.trace \
	tests/unit/traces/read-only-mirror-fails.trace \
	tests/unit/traces/read-only.trace \
	tests/unit/traces/rung-not-heard.trace \
	tests/unit/traces/server-stays.trace \
	tests/unit/traces/set-refused.trace \
	tests/unit/traces/sets-bandwidth.trace \
	tests/unit/traces/sets-too-late.trace \
	tests/unit/traces/slice-export-refused.trace \
	tests/unit/traces/slice.trace \
	tests/unit/traces/source-dies.trace \
	tests/unit/traces/start-not-heard.trace \
	tests/unit/traces/stop-not-heard.trace \
	tests/unit/traces/stopped-and-started.trace \
	tests/unit/traces/stopped-at-once-there.trace \
	tests/unit/traces/stopped-before-the-stream.trace \
	tests/unit/traces/stopped-during-the-stream.trace \
	tests/unit/traces/stranger-at-the-door.trace \
	tests/unit/traces/stream-fails.trace \
	tests/unit/traces/writer-stays.trace \
	$(NULL)

# The machine's own folder is not for tests.
tests_unit_test_core_control_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=rundir_path

good_facts = tests/unit/good-facts.c tests/unit/good-facts.h
tests_unit_test_core_record_SOURCES = tests/unit/test-core-record.c $(good_facts)
tests_unit_test_core_room_SOURCES = tests/unit/test-core-room.c $(good_facts)
tests_unit_test_core_at_rest_SOURCES = tests/unit/test-core-at-rest.c $(good_facts)
tests_unit_test_core_rekey_SOURCES = tests/unit/test-core-rekey.c $(good_facts)
tests_unit_test_core_backing_SOURCES = tests/unit/test-core-backing.c $(good_facts)
tests_unit_test_core_bitmaps_SOURCES = tests/unit/test-core-bitmaps.c $(good_facts)
tests_unit_test_core_image_place_SOURCES = \
	tests/unit/test-core-image-place.c $(good_facts)
tests_unit_test_core_images_SOURCES = tests/unit/test-core-images.c \
	$(good_facts)
tests_unit_test_core_marks_SOURCES = tests/unit/test-core-marks.c $(good_facts)
tests_unit_test_cli_words_SOURCES = tests/unit/test-cli-words.c $(good_facts)
tests_unit_test_core_converge_SOURCES = tests/unit/test-core-converge.c \
	tests/unit/converge-model.c tests/unit/converge-model.h
tests_unit_test_core_memory_SOURCES = tests/unit/test-core-memory.c $(good_facts)
tests_unit_test_core_settings_SOURCES = tests/unit/test-core-settings.c \
	$(good_facts)
tests_unit_test_core_changes_SOURCES = tests/unit/test-core-changes.c \
	$(good_facts)
tests_unit_test_core_pairs_SOURCES = tests/unit/test-core-pairs.c $(good_facts)
tests_unit_test_core_disks_SOURCES = tests/unit/test-core-disks.c \
	tests/unit/disks-cases.h \
	tests/unit/disks-devices.h \
	tests/unit/disks-graphs.h tests/unit/disks-spoil.h \
	tests/unit/images-spoil.h \
	tests/unit/disks-read-only.h $(good_facts)
tests_unit_test_core_world_SOURCES = tests/unit/test-core-world.c \
	tests/unit/world.h $(good_facts)
tests_unit_test_core_preflight_SOURCES = tests/unit/test-core-preflight.c \
	tests/unit/preflight-cases.h tests/unit/preflight-spoil.h \
	tests/unit/restart-spoil.h $(good_facts)

# Tests of what was built, rather than of its functions.
unit_scripts = \
	tests/unit/test-cli.sh \
	tests/unit/test-failpoints.sh \
	tests/unit/test-hardening.sh \
	tests/unit/test-headers.sh \
	tests/unit/test-includes.sh \
	tests/unit/test-manual.sh \
	tests/unit/test-model-rows.sh \
	tests/unit/test-summary-of-tests.sh \
	tests/unit/test-version.sh \
	$(NULL)

if CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
dist_check_SCRIPTS += $(unit_scripts)
TESTS += $(unit_scripts)

# Not part of a program: in the archive all the same.
EXTRA_DIST += $(unit_tests:=.c)

# VG is a command to run the programs under, see check-valgrind.
TEST_EXTENSIONS = .sh
LOG_COMPILER = $(BASH_SHELL) $(srcdir)/build-aux/timed $(VG)
SH_LOG_COMPILER = $(BASH_SHELL) $(srcdir)/build-aux/timed $(BASH_SHELL)

AM_TESTS_ENVIRONMENT = \
	MALLOC_PERTURB_=$${MALLOC_PERTURB_:-165}; export MALLOC_PERTURB_; \
	UBSAN_OPTIONS=print_stacktrace=1; export UBSAN_OPTIONS; \
	QM_BUILD='$(abs_builddir)'; export QM_BUILD; \
	QM_SOURCE='$(abs_srcdir)'; export QM_SOURCE; \
	QM_SANITIZERS='$(SANITIZERS)'; export QM_SANITIZERS; \
	QM_CFLAGS='$(CFLAGS)'; export QM_CFLAGS; \
	QM_COMPILE='$(CC) $(COMMON_CPPFLAGS) $(COMMON_CFLAGS) $(STRICT_CFLAGS) $(CFLAGS)'; export QM_COMPILE; \
	QM_FOREIGN_CFLAGS='$(JSON_C_CFLAGS) $(GNUTLS_CFLAGS) $(LIBNBD_CFLAGS) $(LIBEVENT_CFLAGS)'; export QM_FOREIGN_CFLAGS; \
	READELF='$(READELF)'; export READELF;

# These start a process, or look at one, by pidfd_open(2), which valgrind does
# not know before 3.20 (Debian 12 has 3.19); the sanitizers watch them.
valgrind_cannot = \
	tests/unit/test-base-child \
	tests/unit/test-base-cut \
	tests/unit/test-base-process \
	tests/unit/test-core-host \
	tests/unit/test-core-host-key \
	tests/unit/test-core-marks \
	tests/unit/test-core-restarters \
	tests/unit/test-qmp-forward

# The same tests with valgrind watching the memory; for builds without
# sanitizers, which do not go with it.
check-valgrind: all
	@test "$(SANITIZERS)" = no || { \
	    echo "check-valgrind needs a build with --disable-sanitizers"; \
	    exit 1; }
	@test "$(VALGRIND)" != no || { echo "no valgrind"; exit 1; }
	$(MAKE) check TESTS='$(filter-out $(valgrind_cannot),$(unit_tests))' \
	    VG='$(VALGRIND) --quiet --error-exitcode=99 --leak-check=full'

# Each header by itself; also part of "make check".
check-headers:
	$(AM_TESTS_ENVIRONMENT) $(BASH_SHELL) $(srcdir)/tests/unit/test-headers.sh

.PHONY: check-valgrind check-headers
