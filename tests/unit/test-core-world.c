/*
 * Random pairs of graphs in a small world of hosts, file systems, devices and
 * servers, where it is known which bytes are whose: whatever is allowed touches
 * no byte that the source uses, and what is harmless is allowed.
 *
 * The world is what there is; what stat, marks, sysfs and names say of it is
 * derived, and only that is told to the engine.  QM_SEED repeats a run,
 * QM_PAIRS is how many pairs it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/preflight-private.h"
#include "good-facts.h"

#include "world.h"

/* --- pairs ------------------------------------------------------------------ */

struct graph {
    size_t count, parts[DISKS];
    struct use use[DISKS][PARTS];
};

static const struct thing *pick(const struct world *w, enum side_id side)
{
    for (;;) {
        const struct thing *t = &w->thing[chance((unsigned)w->count)];

        if (t->machine < 0 || t->machine == machine_of(w, side)) {
            return t;
        }
    }
}

static struct use new_use(const struct world *w, enum side_id side)
{
    static const uint64_t slices[][2] = { { 0, 64 }, { 64, 128 }, { 32, 96 } };
    struct use u = { .thing = pick(w, side), .end = UINT64_MAX };

    if (happens(15)) {
        const uint64_t *slice = slices[chance(3)];

        u.start = slice[0];
        u.end = slice[1];
    }
    u.loop = u.thing->kind == LOCAL_FILE && happens(10) ? 64 * chance(3) : 0;
    u.alone = !u.loop && is_file(u.thing->kind) && happens(5);
    return u;
}

/* Part 0 is the image, and part 1 its data file, if HAS_DATA. */
static void fill_disk(const struct world *w, enum side_id side, struct graph *g,
                      size_t disk)
{
    size_t data = happens(15), backing = happens(30) ? 1 + chance(2) : 0;

    g->parts[disk] = 1 + data + backing;
    for (size_t n = 0; n < g->parts[disk]; n++) {
        g->use[disk][n] = new_use(w, side);
        g->use[disk][n].is_written = n <= data;
    }
}

/* Mostly of its own, else the source's, as it is or spoilt. */
static void fill_destination(const struct world *w, const struct graph *source,
                             struct graph *g)
{
    *g = (struct graph){ .count = source->count };
    for (size_t i = 0; i < g->count; i++) {
        fill_disk(w, DESTINATION, g, i);
        if (happens(30)) { /* the source's, or another one of its disks */
            size_t from = happens(70) ? i : chance((unsigned)g->count);

            g->parts[i] = source->parts[from];
            memcpy(g->use[i], source->use[from], sizeof(g->use[i]));
        }
        for (size_t n = 0; n < g->parts[i]; n++) {
            const struct thing *t = g->use[i][n].thing;

            if (happens(5) ||
                (t->machine >= 0 && t->machine != machine_of(w, DESTINATION))) {
                g->use[i][n].thing = pick(w, DESTINATION);
                g->use[i][n].loop = 0;
            }
        }
    }
}

static const char *form_of(const struct graph *g, size_t disk)
{
    static const char *const forms[PARTS + 1][PARTS + 1] = {
        { "", "1", "2", "3", "4" },
        { "", "1+1", "2+1", "3+1", "4+1" },
        { "", "1+2", "2+2", "3+2", "4+2" },
    };
    size_t written = 0;

    for (size_t n = 0; n < g->parts[disk]; n++) {
        written += g->use[disk][n].is_written;
    }
    return forms[written - 1][g->parts[disk]];
}

static void tell_side(const struct world *w, enum side_id side, struct graph *g,
                      struct good_facts *facts)
{
    size_t flat = 0;

    facts->f.side[side].disks.count = g->count;
    facts->f.side[side].part_file = facts->part_files[side];
    for (size_t i = 0; i < g->count; i++) {
        static const char *const names[] = { "vd0", "vd1", "vd2" };
        struct qmp_disk *d = &facts->disk[side][i];

        *d = facts->disk[side][0];
        d->qdev = T(names[i]);
        d->node_name = T(names[i]);
        d->parts = (struct qmp_parts){ g->parts[i], facts->part[side][i] };
        d->form = T(form_of(g, i));
        d->graph_known = happens(99);
        for (size_t n = 0; n < g->parts[i]; n++, flat++) {
            struct file_identity *f = &facts->part_files[side][flat];
            struct qmp_part *part = &facts->part[side][i][n];

            tell(w, side, &g->use[i][n], part, f);
            part->is_top = n == 0;
            if (n == 0) {
                facts->file[side][i] = *f;
                d->protocol = part->driver;
                d->protocol_filename = part->filename;
            }
        }
    }
}

static void tell_marks(const struct world *w, struct graph *const g[SIDES],
                       struct good_facts *facts)
{
    for (size_t i = 0; i < g[SOURCE]->count; i++) {
        for (size_t p = 0; p < g[SOURCE]->parts[i]; p++) {
            for (size_t j = 0; j < g[DESTINATION]->count; j++) {
                for (size_t q = 0; q < g[DESTINATION]->parts[j]; q++) {
                    *facts_mark(&facts->f, (struct part_index){ i, p },
                                (struct part_index){ j, q }) =
                        mark_of(w, &g[SOURCE]->use[i][p],
                                &g[DESTINATION]->use[j][q]);
                }
            }
        }
    }
}

/* --- the truth -------------------------------------------------------------- */

static void bytes_of(const struct use *u, uint64_t *from, uint64_t *to)
{
    uint64_t len = u->thing->len;
    uint64_t end = u->end < len ? u->end : len;

    *from = u->thing->at + u->loop + u->start;
    *to = u->thing->at + u->loop + end;
    if (*to > u->thing->at + len) {
        *to = u->thing->at + len;
    }
}

static bool have_bytes_in_common(const struct use *a, const struct use *b)
{
    uint64_t a0, a1, b0, b1;

    bytes_of(a, &a0, &a1);
    bytes_of(b, &b0, &b1);
    return a->thing->store == b->thing->store && a0 < b1 && b0 < a1;
}

static bool begin_alike(const struct use *a, const struct use *b)
{
    return a->thing->store == b->thing->store &&
           a->thing->at + a->loop + a->start ==
               b->thing->at + b->loop + b->start;
}

/* Does disk J of the destination write what the source uses? */
static bool destroys(struct graph *const g[SIDES], size_t j)
{
    const struct graph *s = g[SOURCE], *d = g[DESTINATION];

    for (size_t q = 0; q < d->parts[j]; q++) {
        for (size_t i = 0; i < s->count && d->use[j][q].is_written; i++) {
            for (size_t p = 0; p < s->parts[i]; p++) {
                if (have_bytes_in_common(&s->use[i][p], &d->use[j][q])) {
                    return true;
                }
            }
        }
    }
    return false;
}

static bool is_shared(struct graph *const g[SIDES], size_t i)
{
    const struct graph *s = g[SOURCE], *d = g[DESTINATION];

    if (strcmp(form_of(s, i), form_of(d, i)) != 0) {
        return false;
    }
    for (size_t n = 0; n < s->parts[i]; n++) {
        if (!begin_alike(&s->use[i][n], &d->use[i][n])) {
            return false;
        }
    }
    return true;
}

/* All on local file systems, and each disk either shared, or apart from all of
 * the source and from the destination's others. */
static bool is_harmless(struct graph *const g[SIDES])
{
    const struct graph *d = g[DESTINATION];

    for (int side = 0; side < SIDES; side++) {
        for (size_t i = 0; i < d->count; i++) {
            for (size_t n = 0; n < g[side]->parts[i]; n++) {
                if (g[side]->use[i][n].thing->kind != LOCAL_FILE) {
                    return false;
                }
            }
        }
    }
    for (size_t i = 0; i < d->count; i++) {
        if (is_shared(g, i)) {
            continue;
        }
        if (destroys(g, i)) {
            return false;
        }
        for (size_t q = 0; q < d->parts[i]; q++) {
            for (size_t k = 0; k < d->count && d->use[i][q].is_written; k++) {
                for (size_t p = 0; p < d->parts[k]; p++) {
                    if (k != i &&
                        have_bytes_in_common(&d->use[i][q], &d->use[k][p])) {
                        return false;
                    }
                }
            }
        }
    }
    return true;
}

/* --- the run ---------------------------------------------------------------- */

struct tally {
    unsigned allowed, copied, shared, dangerous, harmless, refused;
};

static void set_up_facts(struct good_facts *facts, const struct world *w)
{
    good_facts_init(facts);
    for (int side = 0; side < SIDES; side++) {
        facts->f.side[side].process.place.boot_id[0] =
            (char)('a' + machine_of(w, (enum side_id)side));
        facts->f.side[side].process.known = w->machines_known;
        facts->disk[side][0].driver = T("raw");
    }
}

static bool has_unproved(const struct good_facts *facts)
{
    for (int side = 0; side < SIDES; side++) {
        for (size_t i = 0; i < facts->f.side[side].disks.count; i++) {
            const struct qmp_disk *d = &facts->disk[side][i];

            if (!d->graph_known || !facts->file[side][i].known) {
                return true;
            }
        }
        for (size_t n = 0; n < facts_count_parts(&facts->f.side[side]); n++) {
            if (!facts->part_files[side][n].known) {
                return true;
            }
        }
    }
    return !facts->f.side[SOURCE].process.known;
}

static void judge_pair(const struct world *w, struct graph *const g[SIDES],
                       struct good_facts *facts, unsigned n, struct tally *t)
{
    struct disk_choices c = { .count = 0 };
    struct verdicts v = { .count = 0 };
    bool allowed, dangerous = false;

    preflight_choose_disks(&facts->f, &c, &v);
    allowed = verdicts_count(&v, VERDICT_BLOCKER) == 0;
    for (size_t i = 0; i < c.count; i++) {
        bool destroyed = c.item[i].copy && destroys(g, c.item[i].destination);
        bool other = c.item[i].verdict == DISK_SHARED && !is_shared(g, i);

        dangerous |= destroys(g, i);
        t->copied += allowed && c.item[i].copy;
        t->shared += allowed && c.item[i].verdict == DISK_SHARED;
        if (allowed && (destroyed || other)) {
            fail_msg("seed %llu, pair %u: disk %zu %s, and is allowed",
                     (unsigned long long)seed, n, i,
                     destroyed ? "destroys the source's bytes"
                               : "is said to be shared, and is not");
        }
    }
    t->allowed += allowed;
    t->dangerous += dangerous;
    if (is_harmless(g) && !has_unproved(facts)) {
        t->harmless++;
        t->refused += !allowed;
        if (!allowed && getenv("QM_SHOW")) {
            CLEANUP_FREE char *text = verdicts_as_text(&v, VERDICT_BLOCKER);

            printf("pair %u refused (%s): %s", n,
                   w->one_machine ? "one machine" : "two", text);
        }
    }
    verdicts_done(&v);
    disk_choices_done(&c);
}

static void no_byte_of_the_source_is_written(void **state)
{
    const char *pairs = getenv("QM_PAIRS"), *given = getenv("QM_SEED");
    unsigned count = pairs ? (unsigned)atoi(pairs) : 10000;
    struct tally t = { 0 };

    (void)state;
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    state_of_chance = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned n = 0; n < count; n++) {
        struct graph source, destination;
        struct graph *const g[SIDES] = { &source, &destination };
        struct good_facts facts;
        struct world w;

        make_world(&w);
        set_up_facts(&facts, &w);
        source = (struct graph){ .count = 1 + chance(DISKS) };
        for (size_t i = 0; i < source.count; i++) {
            fill_disk(&w, SOURCE, &source, i);
        }
        fill_destination(&w, &source, &destination);
        tell_side(&w, SOURCE, &source, &facts);
        tell_side(&w, DESTINATION, &destination, &facts);
        tell_marks(&w, g, &facts);
        judge_pair(&w, g, &facts, n, &t);
        plan_done(&facts.plan);
    }
    print_message("%u pairs: %u allowed (%u disks copied, %u shared), %u would "
                  "destroy; of %u harmless ones on local file systems %u "
                  "refused\n",
                  count, t.allowed, t.copied, t.shared, t.dangerous, t.harmless,
                  t.refused);
    assert_true(t.dangerous > count / 20);
    assert_true(t.copied > count / 20 && t.shared > count / 200);
    assert_true(t.harmless > count / 20);
    assert_true(t.refused * 100 <= t.harmless);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_of_the_source_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
