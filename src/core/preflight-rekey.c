/*
 * A long stream under TLS 1.3 with AES.
 *
 * GnuTLS gives such a session new keys after 2^24 records, in whichever thread
 * sends or receives; before it was mended (its issue 1717) that corrupts a
 * session which another thread uses at that time.  QEMU does so where the one
 * stream of a migration has a return path, and may crash, or fail to decrypt
 * (its issue 1937; a cure in 10.1 did nothing).  Which GnuTLS a QEMU has loaded
 * cannot be asked, so this is a warning.  Several channels each go one way.
 *
 * A page is two records, one of its address and one of its 4 KiB; so they are
 * used up after 32 GiB.  QEMU 11.1.3 fills its records, of 16 KiB (seen with
 * ./dev bench rekey, as the two of 7.2.22 and 10.0.2).
 */
#include "core/preflight-private.h"

#define FULL_RECORDS_SINCE 11001003L
#define TWO_RECORDS_A_PAGE_BYTES (32 * GIB)
#define FULL_RECORDS_BYTES (256 * GIB)
#define AVOIDS "NORMAL:-AES-256-GCM:-AES-128-GCM:-AES-128-CCM"

static uint64_t bytes_of_one_key(const struct facts *f)
{
    return version_number(&f->side[SOURCE].version) >= FULL_RECORDS_SINCE
               ? FULL_RECORDS_BYTES
               : TWO_RECORDS_A_PAGE_BYTES;
}

void preflight_rekey(const struct facts *f, struct verdicts *v)
{
    const struct qmp_machine *m = &f->side[SOURCE].machine;
    uint64_t ram = m->base_memory + m->plugged_memory;
    CLEANUP_FREE char *size = size_in_words(ram);
    struct verdict *w;

    if (ram < bytes_of_one_key(f) || preflight_channels(f).count > 0 ||
        !tls_priority_makes_new_keys(f->plan->tls_priority)) {
        return;
    }
    w = verdict_warn(v, ABOUT_BOTH,
                     "%s of RAM over one stream under TLS 1.3: GnuTLS gives it "
                     "new keys on the way",
                     size);
    verdict_why(w, "where GnuTLS has a known fault (its issue 1717), a QEMU "
                   "may crash of that, or the migration fail");
    if (f->plan->tls_psk) {
        verdict_fix(w, "update GnuTLS on both hosts, or use certificates and "
                       "--tls-priority " AVOIDS);
    } else {
        verdict_fix(w, "update GnuTLS on both hosts and start both QEMUs with "
                       "it, or say --tls-priority " AVOIDS ", which is slower");
    }
}
