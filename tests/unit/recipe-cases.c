/*
 * What is run through the recipe: each case is the one of success, with a
 * twist.
 */
#include "recipe-cases.h"

#include "base/util.h"

/* --- what goes wrong at the source ---------------------------------------- */

static void mirror_fails(struct peer *p, struct json_object *args, long long id)
{
    peer_obey(p, "blockdev-mirror", args, id);
    peer_job_fails(p, "No space left on device");
}

static void stream_fails(struct peer *p, struct json_object *args, long long id)
{
    (void)args;
    peer_answer(p, id);
    peer_migrates(p, "setup");
    peer_migrates(p, "active");
    p->error_desc = "Unable to write to socket: Connection reset by peer";
    peer_migrates(p, "failed");
}

/* A scanner connects, and hangs up. */
static void stranger_comes(struct peer *p, struct json_object *args,
                           long long id)
{
    peer_obey(p, "migrate-incoming", args, id);
    p->error_desc = "load of migration failed: Invalid argument";
    peer_migrates(p, "failed");
}

/* Active, and so it stays. */
static void takes_its_time(struct peer *p, struct json_object *args,
                           long long id)
{
    (void)args;
    peer_answer(p, id);
    peer_migrates(p, "setup");
    peer_migrates(peer_other(p), "active");
    peer_migrates(p, "active");
}

static void is_cancelled(struct peer *p, struct json_object *args, long long id)
{
    takes_its_time(p, args, id);
    recipe_case_cancel();
}

static void is_cancelled_too_late(struct peer *p, struct json_object *args,
                                  long long id)
{
    recipe_case_cancel();
    peer_obey(p, "nbd-server-stop", args, id);
}

static void guest_shuts_down(struct peer *p, struct json_object *args,
                             long long id)
{
    takes_its_time(p, args, id);
    peer_event(p, "SHUTDOWN", "{'guest': true, 'reason': 'guest-shutdown'}");
    peer_stops(p, "shutdown");
}

/* 10.0.2, if it does so in the moment in which the stream starts */
static void guest_shuts_down_and_hangs(struct peer *p, struct json_object *args,
                                       long long id)
{
    takes_its_time(p, args, id);
    peer_event(p, "SHUTDOWN", "{'guest': true, 'reason': 'guest-shutdown'}");
    p->hangs = true;
}

/* It talks on, but never of the stream's end. */
static void is_cancelled_for_ever(struct peer *p, struct json_object *args,
                                  long long id)
{
    (void)args;
    peer_answer(p, id);
    peer_migrates(p, "cancelling");
}

static void device_fails(struct peer *p, struct json_object *args, long long id)
{
    (void)args;
    peer_answer(p, id);
    peer_migrates(p, "device");
    p->error_desc = "could not save a device";
    peer_migrates(p, "failed");
    peer_runs(p);
}

/* The destination has all of it, and its word of that is lost on the way. */
static void word_is_lost(struct peer *p, struct json_object *args, long long id)
{
    (void)args;
    peer_answer(p, id);
    peer_migrates(p, "device");
    peer_other(p)->run_state = "paused";
    peer_migrates(peer_other(p), "completed");
    p->error_desc = "Channel error: Connection reset by peer";
    peer_migrates(p, "failed");
    peer_runs(p);
}

/* `device`, and nothing is heard of it until it is cancelled ... */
static void is_silent(struct peer *p, struct json_object *args, long long id)
{
    (void)args;
    (void)id;
    peer_migrates(p, "device");
}

/* ... which comes too late. */
static void completes(struct peer *p, struct json_object *args, long long id)
{
    (void)args;
    p->run_state = "postmigrate";
    peer_other(p)->run_state = "paused";
    peer_migrates(peer_other(p), "completed");
    peer_migrates(p, "completed");
    peer_answer(p, id);
}

/* --- links ---------------------------------------------------------------- */

/* The link breaks, and when it is back everything has happened. */
static void loses_the_stop(struct peer *p, struct json_object *args,
                           long long id)
{
    (void)args;
    (void)id;
    peers_note(p->all, "    the link to the source breaks");
    fake_hang_up(&p->fake);
    p->run_state = "finish-migrate";
    p->migration = "pre-switchover";
    peer_migrates(peer_other(p), "active");
}

static void loses_the_start(struct peer *p, struct json_object *args,
                            long long id)
{
    (void)args;
    (void)id;
    peers_note(p->all, "    the link to the destination breaks");
    fake_hang_up(&p->fake);
    p->run_state = "running";
}

static void runs_unseen(struct peer *p, struct json_object *args, long long id)
{
    (void)args;
    (void)id;
    peers_note(p->all, "    the guest runs, the link breaks, and an operator "
                       "stops it");
    fake_hang_up(&p->fake);
}

/* Its passes shrink nothing. */
static void writes_too_fast(struct peer *p, struct json_object *args,
                            long long id)
{
    static int passes;

    passes = 0;
    p->passes = &passes;
    takes_its_time(p, args, id);
}

/* The limit is in force, and nobody hears of it. */
static void loses_the_reply(struct peer *p, struct json_object *args,
                            long long id)
{
    (void)args;
    (void)id;
    peers_note(p->all, "    the link to the source breaks");
    fake_hang_up(&p->fake);
}

static void is_slow_enough(struct peer *p, struct json_object *args,
                           long long id)
{
    peer_obey(p, "migrate-set-parameters", args, id);
    p->passes = NULL;
    p->then = "pre-switchover";
}

/* --- the operator --------------------------------------------------------- */

static void operator_stops(struct peer *p, struct json_object *args,
                           long long id)
{
    peers_note(p->all, "    operator: stop at the source");
    peer_stops(peer_other(p), "paused");
    peer_obey(p, "migrate-incoming", args, id);
}

static void operator_stops_and_starts(struct peer *p, struct json_object *args,
                                      long long id)
{
    peers_note(p->all, "    operator: stop and cont at the source");
    peer_stops(peer_other(p), "paused");
    peer_runs(peer_other(p));
    peer_obey(p, "migrate-incoming", args, id);
}

/* Told late: at the next question the RAM is across. */
static void operator_stops_the_moving(struct peer *p, struct json_object *args,
                                      long long id)
{
    takes_its_time(p, args, id);
    peers_note(p->all, "    operator: stop at the source");
    peer_stops(p, "paused");
    p->then = "pre-switchover";
}

static void operator_stops_the_arrived(struct peer *p, struct json_object *args,
                                       long long id)
{
    peer_obey(p, "cont", args, id);
    peers_note(p->all, "    operator: stop at the destination");
    peer_stops(p, "paused");
}

static void operator_hurries_the_disks(struct peer *p, struct json_object *args,
                                       long long id)
{
    peer_job_takes_time(p, args);
    recipe_case_say("{'execute': 'set', 'arguments': "
                    "{'bandwidth': 1048576, 'disk-bandwidth': 8388608}}");
    peer_answer(p, id);
}

/* At the next question after the stop the RAM is across. */
static void operator_completes(struct peer *p, struct json_object *args,
                               long long id)
{
    takes_its_time(p, args, id);
    recipe_case_say("{'execute': 'complete', 'arguments': {'mode': 'pause'}}");
}

static void stops_and_arrives(struct peer *p, struct json_object *args,
                              long long id)
{
    peer_obey(p, "stop", args, id);
    p->then = "pre-switchover";
}

/* --- post-copy ------------------------------------------------------------- */

static void operator_switches(struct peer *p, struct json_object *args,
                              long long id)
{
    takes_its_time(p, args, id);
    recipe_case_say(
        "{'execute': 'complete', 'arguments': {'mode': 'postcopy'}}");
}

static void stops_to_switch(struct peer *p, struct json_object *args,
                            long long id)
{
    (void)args;
    peer_answer(p, id);
    peer_stops(p, "finish-migrate");
    peer_migrates(p, "pre-switchover");
}

/* It gives the guest up, with all but its RAM. */
static void gives_up(struct peer *p, struct json_object *args, long long id)
{
    struct peer *d = peer_other(p);

    (void)args;
    peer_answer(p, id);
    peer_migrates(p, "device");
    peer_migrates(d, "postcopy-active");
    d->run_state = "paused";
    p->run_state = "postmigrate";
    peer_migrates(p, "postcopy-active");
}

/* The rest is across soon after. */
static void last_page_comes(struct peer *p, struct json_object *args,
                            long long id)
{
    peer_obey(p, "announce-self", args, id);
    peer_migrates(p, "completed");
    peer_migrates(peer_other(p), "completed");
}

static void network_is_lost(struct peer *p, struct json_object *args,
                            long long id)
{
    peer_obey(p, "announce-self", args, id);
    peers_note(p->all, "    the source sees that the network is lost");
    peer_migrates(peer_other(p), "postcopy-paused");
}

static void is_paused(struct peer *p, struct json_object *args, long long id)
{
    (void)args;
    peer_answer(p, id);
    peer_migrates(p, "postcopy-paused");
}

static void listens_again(struct peer *p, struct json_object *args,
                          long long id)
{
    (void)args;
    peer_answer(p, id);
}

static void goes_on(struct peer *p, struct json_object *args, long long id)
{
    struct peer *d = peer_other(p);

    (void)args;
    peer_answer(p, id);
    peer_migrates(p, "postcopy-recover");
    peer_migrates(d, "postcopy-recover");
    peer_migrates(d, "postcopy-active");
    peer_migrates(p, "postcopy-active");
    peer_migrates(d, "completed");
    peer_migrates(p, "completed");
}

static void dies_in_postcopy(struct peer *p, struct json_object *args,
                             long long id)
{
    peer_obey(p, "announce-self", args, id);
    peers_note(p->all, "    the source dies");
    peer_dies(peer_other(p));
}

/* Too much for a guest that is being handed over. */
static void operator_sets_late(struct peer *p, struct json_object *args,
                               long long id)
{
    recipe_case_say("{'execute': 'set', 'arguments': {'bandwidth': 1}}");
    recipe_case_say("{'execute': 'complete', 'arguments': {'mode': 'pause'}}");
    peer_obey(p, "migrate-continue", args, id);
}

static void operator_cancels_there(struct peer *p, struct json_object *args,
                                   long long id)
{
    takes_its_time(p, args, id);
    recipe_case_say("{'execute': 'cancel'}");
}

/* --- the destination ------------------------------------------------------ */

static void destination_dies(struct peer *p, struct json_object *args,
                             long long id)
{
    (void)args;
    peers_note(p->all, "    the destination dies");
    peer_dies(peer_other(p));
    peer_answer(p, id);
}

static void destination_is_killed(struct peer *p, struct json_object *args,
                                  long long id)
{
    (void)args;
    (void)id;
    peers_note(p->all, "    the destination dies");
    peer_dies(p);
}

static void source_dies(struct peer *p, struct json_object *args, long long id)
{
    (void)args;
    (void)id;
    peers_note(p->all, "    the source dies");
    peer_dies(p);
}

#define SWITCHES                                                               \
    { SOURCE, "migrate", .react = operator_switches },                         \
    {                                                                          \
        SOURCE, "migrate-start-postcopy", .react = stops_to_switch             \
    }

const struct recipe_case recipe_cases[] = {
    { .name = "disk" },
    { "no-disk", .no_disk = true, .single_stream = true },
    { "keep-source", .keep_source = true },
    { "psk", .psk = true },
    { "psk-refused", .psk = true,
      .twist = { { SOURCE, "object-add", .refusal = "unavailable" } } },
    { "read-only", .read_only = true },
    { "bitmap", .bitmap = true, .keep_source = true },

    /* a failure in each row whose undo has something to do */
    { "credentials-refused",
      .twist = { { SOURCE, "object-add", .refusal = "Unable to access" } } },
    { "parameters-refused",
      .twist = { { SOURCE, "migrate-set-parameters", .refusal = "no" } } },
    { "export-refused",
      .twist = { { DESTINATION, "block-export-add", .refusal = "in use" } } },
    { "read-only-mirror-fails", .read_only = true,
      .twist = { { SOURCE, "blockdev-mirror", .react = mirror_fails } } },
    { "read-only-export-refused", .read_only = true,
      .twist = { { DESTINATION, "block-export-add",
                   .refusal = "Failed to get lock" } } },
    { "writer-stays", .read_only = true,
      .twist = { { DESTINATION, "blockdev-del", .refusal = "in use" } } },
    { "mirror-fails",
      .twist = { { SOURCE, "blockdev-mirror", .react = mirror_fails } } },
    { "door-refused",
      .twist = { { DESTINATION, "migrate-incoming", .refusal = "no" } } },
    { "bitmap-in-use", .bitmap = true,
      .twist = { { SOURCE, "migrate", .refusal = "in use" } } },
    { "stranger-at-the-door", .twist = { { DESTINATION, "migrate-incoming",
                                           .react = stranger_comes } } },
    { "migrate-refused",
      .twist = { { SOURCE, "migrate", .refusal = "blocked" } } },
    { "stream-fails",
      .twist = { { SOURCE, "migrate", .react = stream_fails } } },
    { "destination-dies-while-settling",
      .twist = { { SOURCE, "block-job-cancel", .react = destination_dies } } },
    { "continue-refused",
      .twist = { { SOURCE, "migrate-continue", .refusal = "no" } } },
    { "device-fails",
      .twist = { { SOURCE, "migrate-continue", .react = device_fails } } },
    { "server-stays",
      .twist = { { DESTINATION, "nbd-server-stop", .refusal = "no" } } },

    /* images and slices that are made */
    { "create", .create = true },
    { "create-drive-refused", .create = true,
      .twist = { { DESTINATION, "qom-set", .refusal = "no" } } },
    { "create-image-refused", .create = true,
      .twist = { { DESTINATION, "blockdev-add", .nth = 2,
                   .refusal = "Permission denied" } } },
    { "create-export-refused", .create = true,
      .twist = { { DESTINATION, "block-export-add", .refusal = "no" } } },
    { "create-stream-fails", .create = true,
      .twist = { { SOURCE, "migrate", .react = stream_fails } } },
    { "slice", .slice = true },
    { "slice-export-refused", .slice = true,
      .twist = { { DESTINATION, "block-export-add", .refusal = "no" } } },

    /* who has the guest? */
    { "completed-despite-cancel", .abort_handover_ms = 1000,
      .twist = { { SOURCE, "migrate-continue", .react = is_silent },
                 { SOURCE, "migrate_cancel", .react = completes } } },
    { "last-word-lost",
      .twist = { { SOURCE, "migrate-continue", .react = word_is_lost } } },
    { "cont-refused",
      .twist = { { DESTINATION, "cont", .refusal = "image is locked" } } },
    { "cont-refused-at-last",
      .twist = { { DESTINATION, "cont", .react = runs_unseen },
                 { DESTINATION, "cont", 2, .refusal = "no" } } },
    { "dies-at-cont",
      .twist = { { DESTINATION, "cont", .react = destination_is_killed } } },
    { "source-dies",
      .twist = { { SOURCE, "migrate-continue", .react = source_dies } } },
    { "guest-shuts-down",
      .twist = { { SOURCE, "migrate", .react = guest_shuts_down } } },
    { "guest-shuts-down-and-hangs", .within_ms = 30000,
      .twist = { { SOURCE, "migrate", .react = guest_shuts_down_and_hangs } } },
    { "guest-shuts-down-and-lingers", .within_ms = 30000,
      .twist = { { SOURCE, "migrate", .react = guest_shuts_down },
                 { SOURCE, "migrate_cancel",
                   .react = is_cancelled_for_ever } } },

    /* the operator meanwhile */
    { "cancel", .twist = { { SOURCE, "migrate", .react = is_cancelled } } },
    { "cancel-too-late", .twist = { { DESTINATION, "nbd-server-stop",
                                      .react = is_cancelled_too_late } } },
    { "stopped-before-the-stream", .twist = { { DESTINATION, "migrate-incoming",
                                                .react = operator_stops } } },
    { "stopped-and-started",
      .twist = { { DESTINATION, "migrate-incoming",
                   .react = operator_stops_and_starts } } },
    { "stopped-during-the-stream",
      .twist = { { SOURCE, "migrate", .react = operator_stops_the_moving } } },
    { "stopped-at-once-there",
      .twist = { { DESTINATION, "cont",
                   .react = operator_stops_the_arrived } } },
    { "sets-bandwidth", .twist = { { SOURCE, "blockdev-mirror",
                                     .react = operator_hurries_the_disks } } },
    { "set-refused",
      .twist = { { SOURCE, "blockdev-mirror",
                   .react = operator_hurries_the_disks },
                 { SOURCE, "migrate-set-parameters", 2, .refusal = "no" } } },
    { "sets-too-late", .twist = { { SOURCE, "migrate-continue",
                                    .react = operator_sets_late } } },
    { "completes",
      .twist = { { SOURCE, "migrate", .react = operator_completes },
                 { SOURCE, "stop", .react = stops_and_arrives } } },
    { "cancels-over-there",
      .twist = { { SOURCE, "migrate", .react = operator_cancels_there } } },

    /* post-copy */
    { "postcopy-not-needed", .postcopy = true },
    { "postcopy", .postcopy = true,
      .twist = { SWITCHES,
                 { SOURCE, "migrate-continue", .react = gives_up },
                 { DESTINATION, "announce-self", .react = last_page_comes } } },
    { "postcopy-converges-first", .postcopy = true, .twist = { SWITCHES } },
    { "postcopy-switch-fails", .postcopy = true,
      .twist = { SWITCHES,
                 { SOURCE, "migrate-continue", .react = device_fails } } },
    { "postcopy-network-lost", .postcopy = true,
      .twist = { SWITCHES,
                 { SOURCE, "migrate-continue", .react = gives_up },
                 { DESTINATION, "announce-self", .react = network_is_lost },
                 { DESTINATION, "migrate-pause", .react = is_paused },
                 { DESTINATION, "migrate-recover", .react = listens_again },
                 { SOURCE, "migrate", 2, .react = goes_on } } },
    { "postcopy-source-dies", .postcopy = true,
      .twist = { SWITCHES,
                 { SOURCE, "migrate-continue", .react = gives_up },
                 { DESTINATION, "announce-self",
                   .react = dies_in_postcopy } } },

    /* events that were not heard */
    { "stop-not-heard",
      .twist = { { SOURCE, "migrate", .react = loses_the_stop } } },
    { "rung-not-heard", .within_ms = 30000,
      .twist = { { SOURCE, "migrate", .react = writes_too_fast },
                 { SOURCE, "query-migrate-parameters", 4,
                   .react = loses_the_reply },
                 { SOURCE, "migrate-set-parameters", 4,
                   .react = is_slow_enough } } },
    { "start-not-heard",
      .twist = { { DESTINATION, "cont", .react = loses_the_start } } },
};
const size_t recipe_case_count = ARRAY_LEN(recipe_cases);
