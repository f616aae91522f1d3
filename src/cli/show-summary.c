/*
 * The end, for people: where the guest is, what it cost, what is left.
 */
#include "cli/figures.h"
#include "cli/show-parts.h"

enum { LABEL = 16 }; /* columns, the indent with it */

static void write_label(struct buffer *b, const char *label)
{
    buffer_printf(b, "  %-*s", LABEL - 2, label);
}

/* --- where it is ------------------------------------------------------------ */

static const char *at_source(const struct result *r)
{
    switch (r->outcome) {
    case OUTCOME_REFUSED:
        return "is where it was: nothing was touched";
    case OUTCOME_CANCELLED:
        return "is where it was: the migration was cancelled and undone";
    default:
        return "is where it was: the migration failed and was undone";
    }
}

static void write_place(struct buffer *b, const struct result *r,
                        const struct style *style)
{
    CLEANUP_FREE char *name = str_printable(r->name ? r->name : "the guest");
    const char *color = YELLOW, *where = "";

    switch (r->guest) {
    case GUEST_DESTINATION:
        color = r->outcome == OUTCOME_COMPLETED ? GREEN : YELLOW;
        where = r->paused ? "is at the destination, paused"
                          : "runs at the destination";
        break;
    case GUEST_SOURCE:
        where = at_source(r);
        break;
    case GUEST_NOWHERE:
        color = RED;
        where = "runs nowhere: it ended while it was moved";
        break;
    case GUEST_UNKNOWN:
        color = RED;
        where = "may be at either side: look at both QEMUs before anything "
                "else, and start neither";
        break;
    }
    buffer_printf(b, "%s%s %s%s\n", dress(style, color), name, where,
                  dress(style, PLAIN));
}

/* --- what it cost ------------------------------------------------------------ */

static void write_stop(struct buffer *b, const struct result *r)
{
    if (r->blackout_ms < 0) {
        return;
    }
    write_label(b, "stopped for");
    buffer_printf(b, "%s", figure_ms(r->blackout_ms).s);
    if (r->stop_ms >= 0 && r->mirrors_ms >= 0 && r->device_ms >= 0 &&
        r->cont_ms >= 0) {
        buffer_printf(b, " (stop %s, mirrors %s", figure_ms(r->stop_ms).s,
                      figure_ms(r->mirrors_ms).s);
        if (r->verify_ms >= 0) {
            buffer_printf(b, ", verify %s", figure_ms(r->verify_ms).s);
        }
        buffer_printf(b, ", device %s, cont %s)", figure_ms(r->device_ms).s,
                      figure_ms(r->cont_ms).s);
    }
    if (r->announce_ms >= 0) {
        buffer_printf(b, ", announced after %s", figure_ms(r->announce_ms).s);
    }
    buffer_printf(b, "\n");
}

static void write_time(struct buffer *b, const struct result *r)
{
    if (r->wall_ms < 0) {
        return;
    }
    write_label(b, "took");
    buffer_printf(b, "%s", figure_ms(r->wall_ms).s);
    if (r->wall_to_guest_ms >= 0) {
        buffer_printf(b, ", %s until the guest was there",
                      figure_ms(r->wall_to_guest_ms).s);
    }
    buffer_printf(b, "\n");
}

static void write_ram(struct buffer *b, const struct result *r)
{
    if (r->ram_total_ms < 0) {
        return;
    }
    write_label(b, "RAM");
    buffer_printf(b, "%s in %s", figure_bytes(r->ram_bytes).s,
                  figure_ms(r->ram_total_ms).s);
    if (r->ram_total_ms > 0) {
        uint64_t ms = (uint64_t)r->ram_total_ms;

        buffer_printf(
            b, ", %s",
            figure_rate((uint64_t)((double)r->ram_bytes * 1000 / (double)ms))
                .s);
    }
    buffer_printf(b, ", %lld pass%s", (long long)r->passes,
                  r->passes == 1 ? "" : "es");
    if (r->channels > 0) {
        buffer_printf(b, ", %d channel%s", r->channels,
                      r->channels == 1 ? "" : "s");
    }
    if (r->compress != COMPRESS_NONE) {
        buffer_printf(b, ", %s", compress_name(r->compress));
    }
    if (r->throttle_percent > 0) {
        buffer_printf(b, ", slowed down by %d %%", r->throttle_percent);
    }
    buffer_printf(b, ", %s\n", r->tls ? "TLS" : "not encrypted");
}

static void write_postcopy(struct buffer *b, const struct result *r)
{
    if (r->postcopy_ms < 0)
        return;
    write_label(b, "post-copy");
    buffer_printf(b, "%s until the last page", figure_ms(r->postcopy_ms).s);
    if (r->recoveries > 0)
        buffer_printf(b, ", the network was lost %d time%s", r->recoveries,
                      r->recoveries == 1 ? "" : "s");
    buffer_printf(b, "\n");
}

static void write_disks(struct buffer *b, const struct result *r)
{
    for (size_t i = 0; i < r->disk_count; i++) {
        const struct result_disk *d = &r->disk[i];
        CLEANUP_FREE char *label = str_printable(d->label ? d->label : "?");
        const char *encryption = encryption_in_words(d->encryption);

        write_label(b, i == 0 ? "disks" : "");
        buffer_printf(b, "%s: %s copied, %s", label,
                      figure_bytes(d->copied_bytes).s,
                      !r->tls         ? "not encrypted"
                      : d->tls_proved ? "TLS proved"
                                      : "TLS requested, not proved");
        if (encryption) {
            buffer_printf(b, "; %s", encryption);
        }
        buffer_printf(b, "\n");
    }
}

/* As they were in the end: `set` may have changed them. */
static void write_limits(struct buffer *b, const struct result *r)
{
    bool disks = r->disk_count > 0 && r->disk_bandwidth_bps > 0;

    if (r->bandwidth_bps <= 0 && !disks) {
        return;
    }
    write_label(b, "limited to");
    if (r->bandwidth_bps > 0) {
        buffer_printf(b, "RAM %s%s", figure_rate((uint64_t)r->bandwidth_bps).s,
                      disks ? ", " : "");
    }
    if (disks) {
        buffer_printf(b, "each disk %s",
                      figure_rate((uint64_t)r->disk_bandwidth_bps).s);
    }
    buffer_printf(b, "\n");
}

static const struct {
    const char *proof, *words;
} proofs[] = {
    { "full", "seen by qmigrate itself" },
    { "server", "the destination's certificate seen by qmigrate itself" },
    { "read-back", "both QEMUs say so" },
    { "requested", "requested, not proved" },
};

/* "vd0: TLS1.3 AES-256-GCM, x509, CN=a to CN=b, nobody else is let in; ..." */
static void write_connection(struct buffer *b,
                             const struct result_connection *c)
{
    CLEANUP_FREE char *what = str_printable(c->what);
    CLEANUP_FREE char *from = str_printable(c->source ? c->source : "?");
    CLEANUP_FREE char *to =
        str_printable(c->destination ? c->destination : "?");

    buffer_printf(b, "%s: ", what);
    if (str_equal(c->tls, "none")) {
        buffer_printf(b, "not encrypted\n");
        return;
    }
    buffer_printf(b, "%s%s%s", c->version ? c->version : "TLS",
                  c->cipher ? " " : "", c->cipher ? c->cipher : "");
    if (str_equal(c->tls, "psk"))
        buffer_printf(b, ", the key %s", from);
    else if (c->source || c->destination) /* a recovery does not know them */
        buffer_printf(b, ", %s to %s%s", from, to,
                      c->authz ? ", which accepts no other" : "");
    for (size_t i = 0; i < ARRAY_LEN(proofs); i++)
        if (str_equal(proofs[i].proof, c->proof))
            buffer_printf(b, "; %s", proofs[i].words);
    buffer_printf(b, "\n");
}

static void write_connections(struct buffer *b, const struct result *r)
{
    for (size_t i = 0; r->tls && i < r->connection_count; i++) {
        write_label(b, i == 0 ? "security" : "");
        write_connection(b, &r->connection[i]);
    }
}

/* What a disk was compared with what. */
static void write_compared(struct buffer *b, const struct result_disk *d)
{
    CLEANUP_FREE char *here = NULL, *there = NULL;

    if (!d->source_file || !d->destination_file) {
        return;
    }
    here = str_printable(d->source_file);
    there = str_printable(d->destination_file);
    write_label(b, "");
    buffer_printf(b, "%s: the source's %s with the destination's %s\n",
                  d->label, here, there);
}

static void write_verified(struct buffer *b, const struct result *r)
{
    if (!r->verified) {
        return;
    }
    write_label(b, "verified");
    buffer_printf(b, "%s compared, and %s of it again while stopped",
                  figure_bytes(r->compared_bytes).s,
                  figure_bytes(r->compared_stopped_bytes).s);
    if (r->verify_ms >= 0) {
        buffer_printf(b, " for %s", figure_ms(r->verify_ms).s);
    }
    buffer_printf(b, "\n");
    for (size_t i = 0; i < r->disk_count; i++) {
        write_compared(b, &r->disk[i]);
    }
}

/* --- what is left ------------------------------------------------------------ */

static void write_images(struct buffer *b, const struct result *r)
{
    bool first = true;

    if (r->guest != GUEST_DESTINATION) {
        return;
    }
    for (size_t i = 0; i < r->disk_count; i++) {
        CLEANUP_FREE char *file = NULL;

        if (!r->disk[i].source_file) {
            continue;
        }
        file = str_printable(r->disk[i].source_file);
        write_label(b, first ? "stays behind" : "");
        buffer_printf(b, "%s\n", file);
        first = false;
        if (r->disk[i].snapshots) {
            CLEANUP_FREE char *names = str_printable(r->disk[i].snapshots);

            write_label(b, "");
            buffer_printf(b, "with its internal snapshots: %s\n", names);
        }
    }
    if (!first) {
        write_label(b, "");
        buffer_printf(b, "(at the source, out of date from now on)\n");
    }
    if (r->source_kept) {
        write_label(b, "source");
        buffer_printf(b, "its QEMU waits there, stopped: --keep-source\n");
    }
}

static void write_left(struct buffer *b, const struct result *r,
                       const struct style *style)
{
    for (size_t i = 0; i < r->left.count; i++) {
        CLEANUP_FREE char *left = str_printable(r->left.item[i]);

        buffer_printf(b, "  %s%-*s%s%s\n", dress(style, YELLOW), LABEL - 2,
                      i == 0 ? "to clean up" : "", dress(style, PLAIN), left);
    }
}

void summary_in_words(struct buffer *b, const struct result *r,
                      const struct style *style)
{
    bool moved = r->guest == GUEST_DESTINATION;

    if (r->outcome == OUTCOME_REFUSED) {
        return; /* the error says it all */
    }
    write_place(b, r, style);
    if (moved) {
        write_stop(b, r);
    }
    write_time(b, r);
    if (moved) {
        write_ram(b, r);
        write_postcopy(b, r);
        write_disks(b, r);
        write_limits(b, r);
        write_verified(b, r);
        write_connections(b, r);
    }
    write_images(b, r);
    if (!r->tls && r->outcome != OUTCOME_UNDECIDED) { /* then who knows */
        buffer_printf(b, "  %sINSECURE: nothing was encrypted%s\n",
                      dress(style, RED), dress(style, PLAIN));
    }
    write_left(b, r, style);
}

/* --- a copy ------------------------------------------------------------------ */

void copy_in_words(struct buffer *b, const struct copy_result *r,
                   const struct style *style)
{
    uint64_t bps =
        r->wall_ms > 0 ? r->size * 1000 / (uint64_t)r->wall_ms : r->size;

    if (r->outcome == OUTCOME_REFUSED) {
        return;
    }
    if (r->outcome != OUTCOME_COMPLETED) {
        buffer_printf(b, "%sthe disk is copied in part%s\n",
                      dress(style, YELLOW), dress(style, PLAIN));
    } else {
        buffer_printf(b, "%sthe disk is copied%s: %s in %s, %s\n",
                      dress(style, GREEN), dress(style, PLAIN),
                      figure_bytes(r->size).s, figure_ms(r->wall_ms).s,
                      figure_rate(bps).s);
    }
    write_label(b, "data");
    buffer_printf(b, "%s\n", figure_bytes(r->written).s);
    write_label(b, "zeroes");
    buffer_printf(b, "%s made, %s left as they were\n",
                  figure_bytes(r->zeroed).s, figure_bytes(r->skipped).s);
}
