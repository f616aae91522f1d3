/*
 * The number of channels.
 *
 * One stream is one core's work.  Under TLS that is about 2 Gbit/s, in clear
 * about 10: where the link carries no more, several streams gain nothing.
 * Beyond that a channel for each so much of the link, as many as half of the
 * cores of the lesser host: the guest's CPUs want the other half.
 */
#include "core/channels.h"

#include <stdio.h>

#define VERSION(major, minor, micro)                                           \
    ((major)*1000000L + (minor)*1000L + (micro))

enum under { ANY_STREAM, UNDER_TLS };

/*
 * Versions [from, before) of one side in which several channels are known to
 * be bad.  The first was measured: on 10.0.2 about one in thirty cancels under
 * TLS hung or crashed the source (its migration thread in
 * multifd_send_sync_main).  Since when is not known: what is older counts as
 * well, and so does the rest of 10.0.  The second is a crash as its pages'
 * receivedmap is freed (fixed in September 2024).  The third does not
 * understand the stream of a source before 9.0 (QEMU issue 2720).
 */
static const struct fault {
    enum side_id side;
    long from, before;
    enum under under;
    long source_before; /* and the source is older than that; 0: any */
    const char *what;
    bool unreadable; /* the destination cannot read such a stream at all */
} faults[] = {
    { SOURCE, 0, VERSION(10, 1, 0), UNDER_TLS, 0,
      "to cancel several under TLS can hang the source's QEMU", false },
    { DESTINATION, VERSION(9, 0, 0), VERSION(9, 2, 0), ANY_STREAM, 0,
      "the destination's QEMU may crash at the end of several", false },
    { DESTINATION, VERSION(9, 2, 0), VERSION(9, 2, 1), ANY_STREAM,
      VERSION(9, 0, 0),
      "QEMU 9.2.0 does not understand several of an older "
      "source",
      true },
};

static bool has_fault(const struct channels_facts *f, const struct fault *b)
{
    long version = f->version[b->side];

    return version >= b->from && version < b->before &&
           (b->under == ANY_STREAM || f->tls) &&
           (!b->source_before || f->version[SOURCE] < b->source_before);
}

const char *channels_fault(const struct channels_facts *f)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (has_fault(f, &faults[i]))
            return faults[i].what;
    return NULL;
}

bool channels_are_unreadable(const struct channels_facts *f)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (faults[i].unreadable && has_fault(f, &faults[i]))
            return true;
    return false;
}

/* The lesser of both, 0 if one is not known. */
static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct channels one(const struct channels_facts *f, const char *why)
{
    struct channels c = { .count = f->compressed ? 1 : 0 };

    snprintf(c.why, sizeof(c.why), "%s", why);
    return c;
}

struct channels channels_choose(const struct channels_facts *f)
{
    int64_t mbit = lesser(f->link_mbit[SOURCE], f->link_mbit[DESTINATION]);
    int64_t cores = lesser(f->cores[SOURCE], f->cores[DESTINATION]);
    int64_t each = f->tls ? CHANNEL_TLS_MBIT : CHANNEL_CLEAR_MBIT;
    int64_t wanted = (mbit + each - 1) / each;
    struct channels c = { .count = 0 };

    if (!f->has_multifd)
        return one(f, "not both QEMUs know multifd");
    if (f->postcopy)
        return one(f, "post-copy may be needed");
    if (channels_fault(f))
        return one(f, channels_fault(f));
    if (mbit <= 0)
        return one(f, "the link's speed is not known");
    if (wanted < 2)
        return one(f, "the link carries no more than one stream does");
    if (cores <= 0)
        return one(f, "the hosts' cores are not known");
    if (cores / 2 < 2)
        return one(f, "a host has too few cores for more");
    wanted = lesser(lesser(wanted, cores / 2), CHANNELS_CHOSEN_MAX);
    c.count = (int)wanted;
    snprintf(c.why, sizeof(c.why), "%lld cores and a link of %lld Mbit/s %s",
             (long long)cores, (long long)mbit,
             f->tls ? "under TLS" : "not encrypted");
    return c;
}
