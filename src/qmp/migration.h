/*
 * Typed commands: the migration stream, the run state, the capabilities and
 * parameters.  Semantics as in qmp_command(); numbers from QEMU's
 * qapi/migration.json and qapi/run-state.json.
 */
#ifndef QM_QMP_MIGRATION_H
#define QM_QMP_MIGRATION_H

#include "base/util.h"
#include "qmp/client.h"

/* QEMU's states (qapi MigrationStatus); what we do not know is OTHER and
 * counts as "under way". */
#define MIGRATION_STATUSES(X)                                                  \
    X(NONE, "none")                                                            \
    X(SETUP, "setup")                                                          \
    X(ACTIVE, "active")                                                        \
    X(PRE_SWITCHOVER, "pre-switchover")                                        \
    X(DEVICE, "device")                                                        \
    X(POSTCOPY_DEVICE, "postcopy-device")                                      \
    X(POSTCOPY_ACTIVE, "postcopy-active")                                      \
    X(POSTCOPY_PAUSED, "postcopy-paused")                                      \
    X(POSTCOPY_RECOVER_SETUP, "postcopy-recover-setup")                        \
    X(POSTCOPY_RECOVER, "postcopy-recover")                                    \
    X(COMPLETED, "completed")                                                  \
    X(FAILED, "failed")                                                        \
    X(CANCELLING, "cancelling")                                                \
    X(CANCELLED, "cancelled")                                                  \
    X(WAIT_UNPLUG, "wait-unplug")                                              \
    X(COLO, "colo")                                                            \
    X(OTHER, "other")

enum migration_status {
#define X(name, text) MIGRATION_##name,
    MIGRATION_STATUSES(X)
#undef X
};
enum migration_status migration_status_parse(const char *text);
const char *migration_status_name(enum migration_status status);

/* query-migrate; what QEMU does not say is 0 */
struct qmp_migration {
    enum migration_status status; /* NONE when the field is absent */
    char *error_desc;             /* or NULL */
    struct strv blocked_reasons;
    int64_t total_time_ms, setup_time_ms, downtime_ms, expected_downtime_ms;
    int throttle_percent;
    uint64_t ram_total, ram_transferred, ram_remaining, ram_normal_bytes;
    uint64_t ram_duplicate_pages, ram_multifd_bytes;
    uint64_t ram_dirty_pages_rate, ram_page_size, ram_dirty_sync_count;
    double ram_mbps;
    uint64_t socket_port; /* destination: the first inet socket-address */
};
int qmp_query_migrate(struct qmp *q, struct qmp_migration *ret,
                      struct qm_error *err);
void qmp_migration_done(struct qmp_migration *m);
DEFINE_CLEANUP_DONE(struct qmp_migration, qmp_migration_done)
/* The status in a MIGRATION event. */
enum migration_status qmp_event_migration_status(const struct qmp_event *e);
/* The pass in a MIGRATION_PASS event. */
int64_t qmp_event_pass(const struct qmp_event *e);
/* Does the guest run on after this GUEST_PANICKED (-action panic=none)? */
bool qmp_event_panic_goes_on(const struct qmp_event *e);
/* Is it paused by this GUEST_PANICKED, or WATCHDOG? */
bool qmp_event_pauses(const struct qmp_event *e);
/* SHUTDOWN: the guest itself wanted it. */
bool qmp_event_is_guest_shutdown(const struct qmp_event *e);

/* query-status */
struct qmp_run_state {
    bool running;
    char *status; /* QEMU's word: "running", "inmigrate", ... */
};
int qmp_query_status(struct qmp *q, struct qmp_run_state *ret,
                     struct qm_error *err);
/* The same in two parts, so that something else can be asked meanwhile. */
struct qmp_request *qmp_send_query_status(struct qmp *q);
int qmp_finish_query_status(struct qmp *q, struct qmp_request *r,
                            struct qmp_run_state *ret, struct qm_error *err);
void qmp_run_state_done(struct qmp_run_state *s);
DEFINE_CLEANUP_DONE(struct qmp_run_state, qmp_run_state_done)

/*
 * Capabilities and parameters as name and value; a value is text ("on",
 * "off" for booleans, decimal numbers, the string itself), so that two sets
 * can be compared and printed; TYPE says how it is sent.
 */
enum qmp_setting_type {
    QMP_SETTING_BOOL,
    QMP_SETTING_INT,
    QMP_SETTING_STRING,
    QMP_SETTING_COMPLEX, /* JSON text of a list or object */
};
struct qmp_setting {
    char *name;
    char *value;
    enum qmp_setting_type type;
};
struct qmp_settings {
    size_t count;
    struct qmp_setting *item;
};
void qmp_settings_add(struct qmp_settings *s, const char *name,
                      enum qmp_setting_type type, const char *value);
void qmp_settings_add_bool(struct qmp_settings *s, const char *name, bool on);
void qmp_settings_add_int(struct qmp_settings *s, const char *name, int64_t n);
void qmp_settings_add_string(struct qmp_settings *s, const char *name,
                             const char *value);
const char *qmp_settings_get(const struct qmp_settings *s, const char *name);
/* Is NOW the value that was set?  NOW may be NULL: no. */
bool qmp_setting_holds(const struct qmp_setting *set, const char *now);
void qmp_settings_done(struct qmp_settings *s);
DEFINE_CLEANUP_DONE(struct qmp_settings, qmp_settings_done)

int qmp_query_capabilities(struct qmp *q, struct qmp_settings *ret,
                           struct qm_error *err);
int qmp_set_capabilities(struct qmp *q, const struct qmp_settings *s,
                         struct qm_error *err);
int qmp_query_parameters(struct qmp *q, struct qmp_settings *ret,
                         struct qm_error *err);
int qmp_set_parameters(struct qmp *q, const struct qmp_settings *s,
                       struct qm_error *err);

int qmp_migrate(struct qmp *q, const char *uri, struct qm_error *err);
/* EXIT_ON_ERROR false is sent only if SEND_EXIT_ON_ERROR (the schema has it) */
int qmp_migrate_incoming(struct qmp *q, const char *uri,
                         bool send_exit_on_error, struct qm_error *err);
int qmp_migrate_cancel(struct qmp *q, struct qm_error *err);
int qmp_migrate_continue(struct qmp *q, struct qm_error *err);
/* The source: let the guest go on at the destination before all of its RAM is
 * there; then nothing can be taken back any more. */
int qmp_migrate_start_postcopy(struct qmp *q, struct qm_error *err);
/* A broken post-copy: out of band, since the main loop may wait for a page.
 * End the stream on this side; listen anew (the destination, paused); go on
 * (the source, paused). */
int qmp_migrate_pause(struct qmp *q, struct qm_error *err);
int qmp_migrate_recover(struct qmp *q, const char *uri, struct qm_error *err);
int qmp_migrate_resume(struct qmp *q, const char *uri, struct qm_error *err);
int qmp_stop(struct qmp *q, struct qm_error *err);
int qmp_cont(struct qmp *q, struct qm_error *err);
/* Once it is answered, the link is not opened again.  LINK: it ended without
 * an answer, which is usual for a QEMU that ends; see whether it is dead. */
int qmp_quit(struct qmp *q, struct qm_error *err);
/* With the schedule of the announce-* parameters (QEMU options.c:78). */
int qmp_announce_self(struct qmp *q, int64_t initial_ms, int64_t max_ms,
                      int64_t rounds, int64_t step_ms, struct qm_error *err);
int qmp_yank_migration(struct qmp *q, struct qm_error *err);
int qmp_yank_node(struct qmp *q, const char *node_name, struct qm_error *err);

#endif
