/*
 * Files of an x509 directory: they come from another host, or from whoever
 * may write there.  An input is one byte of circumstances, then CA, CRL,
 * certificate and key with a byte 1 between them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "tls/check.h"

enum { NOW = 1790000000, SEPARATOR = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void split(const uint8_t *data, size_t size, struct tls_files *ret)
{
    for (int i = 0; i < TLS_FILE_COUNT; i++) {
        const uint8_t *end = size ? memchr(data, SEPARATOR, size) : NULL;
        size_t len = end ? (size_t)(end - data) : size;

        ret->file[i].state = len ? TLS_FILE_READ : TLS_FILE_MISSING;
        ret->file[i].mode = 0644;
        if (len)
            buffer_append(&ret->file[i].bytes, data, len);
        data += end ? len + 1 : len;
        size -= end ? len + 1 : len;
    }
}

/* Each finding is a sentence that a terminal can bear. */
static void look_at(const struct tls_findings *f)
{
    for (size_t i = 0; i < f->count; i++)
        for (const char *p = f->item[i].what; *p; p++)
            if ((unsigned char)*p < ' ')
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "dst.example", "10.0.0.2", NULL };
    CLEANUP(tls_files_done) struct tls_files files = { .dir = NULL };
    CLEANUP(tls_findings_done) struct tls_findings one = { .count = 0 };
    CLEANUP(tls_findings_done) struct tls_findings both = { .count = 0 };

    if (!size || size > TLS_FILE_MAX)
        return 0;
    files.dir = xstrdup("/etc/pki/qemu");
    files.role = data[0] & 1 ? TLS_SERVER : TLS_CLIENT;
    split(data + 1, size - 1, &files);
    tls_check_files(
        &(struct tls_check){
            .files = &files,
            .now = NOW,
            .qemu_major = data[0] & 2 ? 7 : 11,
            .qemu_minor = 2,
            .names = names,
            .key_may_be_unreadable = data[0] & 4,
        },
        &one);
    look_at(&one);
    tls_check_pair(&files, &files, NOW, &both);
    look_at(&both);
    CLEANUP_FREE char *subject = tls_subject(&files);
    return 0;
}
