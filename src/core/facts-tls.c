/*
 * The TLS directories of both sides.  One on this machine is read whole; of
 * one behind ssh only what is public: a private key never leaves its host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/facts-private.h"

/* The source opens all connections. */
static enum tls_role role_of(enum side_id side)
{
    return side == SOURCE ? TLS_CLIENT : TLS_SERVER;
}

static const enum tls_file public_files[] = { TLS_CA_CERT, TLS_CA_CRL, TLS_CERT,
                                              TLS_DH_PARAMS };

/* As if nothing could be read. */
static void start_files(const char *dir, enum tls_role role,
                        struct tls_files *ret)
{
    *ret = (struct tls_files){ .role = role, .dir = xstrdup(dir) };
    for (int i = 0; i < TLS_FILE_COUNT; i++) {
        ret->file[i].state = TLS_FILE_UNREADABLE;
        ret->file[i].errnum = EACCES;
    }
    /* nobody has to have these */
    ret->file[TLS_CA_CRL].state = TLS_FILE_MISSING;
    ret->file[TLS_DH_PARAMS].state = TLS_FILE_MISSING;
}

static enum tls_file_state state_of(enum host_file_state state)
{
    switch (state) {
    case HOST_FILE_READ:
        return TLS_FILE_READ;
    case HOST_FILE_MISSING:
        return TLS_FILE_MISSING;
    case HOST_FILE_UNREADABLE:
        break;
    }
    return TLS_FILE_UNREADABLE;
}

/* A private key never leaves its host, but whether it is there and for whom to
 * read may be asked. */
static void look_at_key(struct host *h, const char *dir, enum tls_role role,
                        struct tls_files *ret)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/%s", dir, tls_file_name(role, TLS_KEY));
    enum host_file_state state;

    if (host_look_at_file(h, path, &state, &ret->file[TLS_KEY].mode, NULL) ==
            0 &&
        state == HOST_FILE_MISSING) {
        ret->file[TLS_KEY].state = TLS_FILE_MISSING;
    }
}

static void read_there(struct host *h, const char *dir, enum tls_role role,
                       struct tls_files *ret)
{
    struct host_file files[ARRAY_LEN(public_files)] = { { .path = NULL } };

    start_files(dir, role, ret);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        files[i].path =
            xasprintf("%s/%s", dir, tls_file_name(role, public_files[i]));
    }
    if (host_read_files(h, files, ARRAY_LEN(files), TLS_FILE_MAX, NULL) == 0) {
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
            enum tls_file which = public_files[i];

            ret->file[which].state = state_of(files[i].state);
            buffer_append(&ret->file[which].bytes, files[i].bytes.data,
                          files[i].bytes.len);
        }
    }
    host_files_done(files, ARRAY_LEN(files));
    look_at_key(h, dir, role, ret);
}

/* Was anything learned?  That a file is missing is something, too. */
static bool something_was_read(const struct tls_files *files)
{
    return files->file[TLS_CA_CERT].state != TLS_FILE_UNREADABLE ||
           files->file[TLS_CERT].state != TLS_FILE_UNREADABLE;
}

static void check_side(const struct facts_input *in, enum side_id side,
                       const struct tls_files *files, struct facts *f)
{
    struct side_facts *s = &f->side[side];
    const char *const names[] = { f->tls_hostname, NULL };
    const struct tls_check check = {
        .files = files,
        .now = in->now_s,
        .qemu_major = s->version.major,
        .qemu_minor = s->version.minor,
        .qemu_micro = s->version.micro,
        .names = side == DESTINATION ? names : NULL,
        .key_may_be_unreadable = true, /* QEMU may run as another user */
    };

    buffer_append(&s->tls_ca, files->file[TLS_CA_CERT].bytes.data,
                  files->file[TLS_CA_CERT].bytes.len);
    s->tls_read = something_was_read(files);
    if (s->tls_read) {
        tls_check_files(&check, &s->tls);
    }
}

static bool can_authorise(const struct qmp_features *destination)
{
    return destination->has[QMP_FEATURE_PARAM_TLS_AUTHZ] &&
           destination->has[QMP_FEATURE_NBD_TLS_AUTHZ] &&
           destination->has[QMP_FEATURE_OBJECT_AUTHZ_LIST];
}

static void choose_authz(const struct plan *p, struct facts *f)
{
    if (can_authorise(&f->side[DESTINATION].features)) {
        f->authz_dn =
            xstrdup(p->tls_authz_dn ? p->tls_authz_dn : f->source_subject);
    }
}

void facts_collect_tls(const struct facts_input *in, struct facts *f)
{
    struct tls_files files[SIDES];

    if (in->plan->insecure || in->plan->tls_psk) {
        return;
    }
    for (int side = 0; side < SIDES; side++) {
        const char *dir = in->plan->tls_dir[side];
        enum tls_role role = role_of((enum side_id)side);

        if (host_is_local(in->host[side])) {
            tls_files_read(dir, role, &files[side]);
        } else if (in->host[side]) {
            read_there(in->host[side], dir, role, &files[side]);
        } else {
            start_files(dir, role, &files[side]);
        }
        check_side(in, (enum side_id)side, &files[side], f);
    }
    if (f->side[SOURCE].tls_read && f->side[DESTINATION].tls_read) {
        tls_check_pair(&files[SOURCE], &files[DESTINATION], in->now_s,
                       &f->tls_pair);
    }
    f->source_subject = tls_subject(&files[SOURCE]);
    f->destination_subject = tls_subject(&files[DESTINATION]);
    choose_authz(in->plan, f);
    for (int side = 0; side < SIDES; side++) {
        tls_files_done(&files[side]);
    }
}
