/*
 * What a migration would do: --dry-run.
 */
#include "cli/figures.h"
#include "cli/show-parts.h"
#include "core/policy.h"

enum { INDENT = 4 };

static const char *const verdicts[] = {
    [DISK_COPY] = "copied",
    [DISK_SHARED] = "shared",
    [DISK_LEAVE] = "left alone",
    [DISK_REFUSE] = "REFUSED",
};

const char *encryption_in_words(const char *encryption)
{
    static const struct {
        const char *is, *words;
    } table[] = {
        { ENCRYPTION_KEPT, "encrypted on both sides" },
        { ENCRYPTION_LOST, "encrypted at the source, NOT at the destination" },
        { ENCRYPTION_GAINED, "encrypted at the destination alone" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (str_equal(table[i].is, encryption)) {
            return table[i].words;
        }
    }
    return NULL;
}

/* What the copy of a disk does not have of it. */
static void write_losses(struct buffer *b, const struct facts *f,
                         const struct disk_choice *c, const struct style *style)
{
    const char *encryption = encryption_in_words(disk_choice_encryption(f, c));
    CLEANUP_FREE char *names = disk_choice_snapshots(f, c);

    if (names) {
        CLEANUP_FREE char *shown = str_printable(names);
        CLEANUP_FREE char *text =
            xasprintf("its internal snapshots stay behind: %s", shown);

        write_paragraph(b, 2 * INDENT, style->columns, text);
    }
    if (encryption) {
        write_paragraph(b, 2 * INDENT, style->columns, encryption);
    }
}

static void write_disk(struct buffer *b, const struct facts *f,
                       const struct disk_choice *c, const struct style *style)
{
    const struct qmp_disk *d = &f->side[SOURCE].disks.item[c->source];
    CLEANUP_FREE char *text = NULL;

    text = xasprintf("%s: %s, %s: %s", disk_label(d),
                     figure_bytes(d->virtual_size).s, verdicts[c->verdict],
                     c->reason);
    write_paragraph(b, INDENT, style->columns, text);
    if (c->copy) {
        CLEANUP_FREE char *way =
            xasprintf("%s -> %s", d->filename ? d->filename : "?",
                      disk_choice_file(f, c));

        write_paragraph(b, 2 * INDENT, style->columns, way);
    }
    write_losses(b, f, c, style);
}

static void write_channels(struct buffer *b, const struct facts *f,
                           const struct style *style)
{
    struct channels c = preflight_channels(f);
    CLEANUP(buffer_done) struct buffer text = { .data = NULL };

    if (c.count == 0) {
        buffer_printf(&text, "RAM over one stream");
    } else {
        buffer_printf(&text, "RAM over %d channel%s", c.count,
                      c.count == 1 ? "" : "s");
    }
    if (f->plan->compress != COMPRESS_NONE) {
        buffer_printf(&text, ", compressed with %s",
                      compress_name(f->plan->compress));
    }
    buffer_printf(&text, ": %s", c.why);
    write_paragraph(b, INDENT, style->columns, text.data);
}

static void write_network(struct buffer *b, const struct facts *f,
                          const struct style *style)
{
    CLEANUP_FREE char *address = NULL;

    address = xasprintf("by %s, ports %u-%u of the destination",
                        f->address ? f->address : "an address not known yet",
                        f->plan->port_low, f->plan->port_high);
    write_paragraph(b, INDENT, style->columns, address);
    write_channels(b, f, style);
    if (f->plan->insecure) {
        buffer_printf(b,
                      "    %sINSECURE: memory and disks are not encrypted%s\n",
                      dress(style, RED), dress(style, PLAIN));
        return;
    }
    if (f->plan->tls_psk) {
        write_paragraph(b, INDENT, style->columns,
                        "under TLS, with a key made for this migration");
        return;
    }
    const char *priority = f->plan->tls_priority;
    CLEANUP_FREE char *tls = xasprintf(
        "under TLS%s%s%s, both ends verified; the destination must "
        "be %s",
        priority ? " (" : "", priority ? priority : "", priority ? ")" : "",
        f->tls_hostname ? f->tls_hostname
        : f->address    ? f->address
                        : "who it says");
    write_paragraph(b, INDENT, style->columns, tls);
    CLEANUP_FREE char *dn =
        str_printable(f->authz_dn ? f->authz_dn : "whoever its CA vouches for");
    CLEANUP_FREE char *authz = xasprintf("the destination will accept %s%s", dn,
                                         f->authz_dn ? " alone" : "");
    write_paragraph(b, INDENT, style->columns, authz);
}

static void write_timeout(struct buffer *b, const struct plan *p,
                          const struct style *style)
{
    CLEANUP(buffer_done) struct buffer text = { .data = NULL };
    const char *what = on_timeout_name(p->on_timeout);

    if (p->timeout_s == 0 && p->timeout_per_gib_s == 0) {
        buffer_printf(&text, "RAM: as long as it takes");
    } else if (p->timeout_s == 0) {
        buffer_printf(&text, "RAM: %s after %s for each GiB of it", what,
                      figure_ms(p->timeout_per_gib_s * 1000).s);
    } else {
        buffer_printf(&text, "RAM: %s after %s", what,
                      figure_ms(p->timeout_s * 1000).s);
        if (p->timeout_per_gib_s > 0) {
            buffer_printf(&text, ", or %s for each GiB of it if that is longer",
                          figure_ms(p->timeout_per_gib_s * 1000).s);
        }
    }
    write_paragraph(b, INDENT, style->columns, text.data);
}

/* What may be done to the guest without a question. */
static void write_limits(struct buffer *b, const struct plan *p,
                         const struct style *style)
{
    CLEANUP(buffer_done) struct buffer text = { .data = NULL };
    const char *gap = " ";

    buffer_printf(&text,
                  "handover: a stop of %s to aim for; one of more than %s "
                  "before the switch is undone",
                  figure_ms(p->max_downtime_ms).s,
                  figure_ms(p->abort_handover_ms).s);
    write_paragraph(b, INDENT, style->columns, text.data);
    buffer_consume(&text, text.len);
    buffer_printf(&text, "if it writes too fast, policy %s:", p->policy->name);
    if (p->max_throttle > 0) {
        buffer_printf(&text, " slowed down by up to %lld %%",
                      (long long)p->max_throttle);
        gap = ", then ";
    }
    if (p->postcopy || p->pause_when_stuck) {
        buffer_printf(&text, "%s%s", gap,
                      p->postcopy ? "post-copy"
                                  : "stopped until its RAM is across");
    } else if (p->max_throttle == 0) {
        buffer_printf(&text, " left as it is");
    }
    write_paragraph(b, INDENT, style->columns, text.data);
    write_timeout(b, p, style);
}

void plan_in_words(struct buffer *b, const struct narration *n,
                   const struct style *style)
{
    CLEANUP_FREE char *name = str_printable(n->name ? n->name : "?");
    unsigned number = 1;

    buffer_printf(b, "\n%sMigration of %s%s\n", dress(style, BOLD), name,
                  dress(style, PLAIN));
    write_network(b, n->facts, style);
    buffer_printf(b, "\n%sDisks%s\n", dress(style, BOLD), dress(style, PLAIN));
    if (n->disks->count == 0) {
        buffer_printf(b, "    none\n");
    }
    for (size_t i = 0; i < n->disks->count; i++) {
        write_disk(b, n->facts, &n->disks->item[i], style);
    }
    buffer_printf(b, "\n%sLimits%s\n", dress(style, BOLD), dress(style, PLAIN));
    write_limits(b, n->facts->plan, style);
    buffer_printf(b, "\n%sSteps%s\n", dress(style, BOLD), dress(style, PLAIN));
    for (const char *const *step = n->steps; *step; step++) {
        buffer_printf(b, "    %2u. %s\n", number++, *step);
    }
}
