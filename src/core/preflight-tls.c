/*
 * The certificates of both sides, as the checks of src/tls/ found them.
 */
#include "core/preflight-private.h"

static enum verdict_level level_of(enum tls_severity severity)
{
    switch (severity) {
    case TLS_OK:
        return VERDICT_OK;
    case TLS_WARNING:
        return VERDICT_WARNING;
    case TLS_BAD:
        break;
    }
    return VERDICT_BLOCKER;
}

void verdicts_add_tls(struct verdicts *v, enum verdict_side side,
                      const char *who, const struct tls_findings *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct tls_finding *t = &found->item[i];
        struct verdict *x =
            verdict_add(v, side, level_of(t->severity), "%s%s", who, t->what);

        if (t->fix) {
            verdict_fix(x, "%s", t->fix);
        }
    }
}

static void judge_psk(const struct facts *f, struct verdicts *v)
{
    size_t before = verdicts_count(v, VERDICT_BLOCKER);

    for (int side = 0; side < SIDES; side++) {
        const struct side_facts *s = &f->side[side];
        enum verdict_side about = verdict_about((enum side_id)side);
        const char *name = side_name((enum side_id)side);
        struct verdict *w;

        if (!s->features.has[QMP_FEATURE_OBJECT_TLS_PSK]) {
            w = verdict_block(v, about,
                              "the %s's QEMU knows no pre-shared keys", name);
            verdict_fix(w, "use certificates: --tls-dir");
        } else if (!s->host_known) {
            w = verdict_block(v, about,
                              "no key can be put at the %s's host: %s", name,
                              s->host_problem ? s->host_problem : "unknown");
            verdict_fix(w,
                        "say with --%s-host how to get there, or use "
                        "certificates: --tls-dir",
                        name);
        }
    }
    if (verdicts_count(v, VERDICT_BLOCKER) == before) {
        verdict_ok(v, ABOUT_BOTH,
                   "both sides will get a key made for this migration");
    }
}

/* A rule that stands there by somebody's will, or was left by an earlier
 * migration: QEMU would go by it, and cannot be told to forget it. */
static const char *rule_there(const struct facts *f)
{
    const char *rule =
        qmp_settings_get(&f->side[DESTINATION].parameters, "tls-authz");

    return rule && *rule ? rule : NULL;
}

static void judge_authz(const struct facts *f, struct verdicts *v)
{
    const char *dn = f->plan->tls_authz_dn;
    struct verdict *w;

    if (!f->authz_dn && !dn && rule_there(f)) {
        w = verdict_block(v, ABOUT_DESTINATION,
                          "the destination goes by a rule of somebody else's, "
                          "tls-authz %s, which may be there no more",
                          rule_there(f));
        verdict_fix(w, "say with --tls-authz-dn whom it is to accept, or "
                       "start a fresh destination");
    } else if (dn && f->source_subject && !str_equal(dn, f->source_subject)) {
        w = verdict_block(v, ABOUT_BOTH,
                          "the destination is to accept %s alone, and the "
                          "source's certificate is for %s",
                          dn, f->source_subject);
        verdict_fix(w, "leave out --tls-authz-dn, or give the source that "
                       "certificate");
    } else if (dn && !f->authz_dn) {
        w = verdict_block(v, ABOUT_DESTINATION,
                          "the destination's QEMU cannot be told whom to "
                          "accept");
        verdict_fix(w, "leave out --tls-authz-dn, or update that QEMU");
    } else if (!f->authz_dn) {
        w = verdict_warn(v, ABOUT_DESTINATION,
                         "the destination accepts whoever has a certificate "
                         "of its CA");
        verdict_why(w, f->source_subject
                           ? "its QEMU cannot be told whom to accept"
                           : "whose certificate the source has could not be "
                             "read");
        verdict_fix(w, f->source_subject ? "update that QEMU"
                                         : "say it with --tls-authz-dn");
    } else {
        verdict_ok(v, ABOUT_DESTINATION, "the destination will accept only %s",
                   f->authz_dn);
    }
}

void preflight_tls(const struct facts *f, struct verdicts *v)
{
    static const char *const who[SIDES] = {
        [SOURCE] = "source: ",
        [DESTINATION] = "destination: ",
    };
    struct verdict *w;

    if (f->plan->insecure) {
        w = verdict_warn(v, ABOUT_BOTH,
                         "RAM and disks cross the network unencrypted");
        verdict_why(w, "--insecure asks for it: whoever listens gets the "
                       "guest's memory, and neither side is authenticated");
        verdict_fix(w, "make certificates: qmigrate keys create-ca; "
                       "qmigrate(1) says under CERTIFICATES how");
        return;
    }
    if (f->plan->tls_psk) {
        judge_psk(f, v);
        preflight_rekey(f, v);
        return;
    }
    for (int side = 0; side < SIDES; side++) {
        const struct side_facts *s = &f->side[side];
        enum verdict_side about = verdict_about((enum side_id)side);

        if (!s->tls_read) {
            w = verdict_warn(v, about,
                             "TLS is requested, not proved: the files in %s "
                             "of the %s could not be read",
                             f->plan->tls_dir[side],
                             side_name((enum side_id)side));
            verdict_why(w, "only QEMU will see whether they are right");
        }
        verdicts_add_tls(v, about, who[side], &s->tls);
    }
    verdicts_add_tls(v, ABOUT_BOTH, "", &f->tls_pair);
    judge_authz(f, v);
    preflight_rekey(f, v);
}
