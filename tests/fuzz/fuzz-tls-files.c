/*
 * Files of an x509 directory: they come from another host, or from whoever
 * may write there.  An input is one byte of circumstances, then CA, CRL,
 * certificate, key and DH parameters: PEM, with a byte 1 between them; or DER,
 * each after its length in two bytes, so that what is in the PEM is reached.
 */
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "tls/check.h"
#include "tls/describe.h"

enum { NOW = 1790000000, SEPARATOR = 1 };
enum { IS_SERVER = 1, IS_OLD = 2, KEY_IS_EXCUSED = 4, IS_DER = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct tls_files *f, int which, const void *bytes, size_t len)
{
    f->file[which].state = len ? TLS_FILE_READ : TLS_FILE_MISSING;
    f->file[which].mode = 0644;
    if (len)
        buffer_append(&f->file[which].bytes, bytes, len);
}

static void split_pem(const uint8_t *data, size_t size, struct tls_files *ret)
{
    for (int i = 0; i < TLS_FILE_COUNT; i++) {
        const uint8_t *end = size ? memchr(data, SEPARATOR, size) : NULL;
        size_t len = end ? (size_t)(end - data) : size;

        put(ret, i, data, len);
        data += end ? len + 1 : len;
        size -= end ? len + 1 : len;
    }
}

static void put_der(struct tls_files *f, int which, const uint8_t *der,
                    size_t len)
{
    static const char *const kinds[TLS_FILE_COUNT] = {
        [TLS_CA_CERT] = "CERTIFICATE",     [TLS_CA_CRL] = "X509 CRL",
        [TLS_CERT] = "CERTIFICATE",        [TLS_KEY] = "PRIVATE KEY",
        [TLS_DH_PARAMS] = "DH PARAMETERS",
    };
    gnutls_datum_t in = { .data = (uint8_t *)der, .size = (unsigned)len };
    gnutls_datum_t pem = { .data = NULL };

    if (len && gnutls_pem_base64_encode2(kinds[which], &in, &pem) < 0)
        abort();
    put(f, which, pem.data, pem.size);
    gnutls_free(pem.data);
}

static void split_der(const uint8_t *data, size_t size, struct tls_files *ret)
{
    for (int i = 0; i < TLS_FILE_COUNT; i++) {
        size_t len = size < 2 ? 0 : (size_t)data[0] << 8 | data[1];
        size_t head = size < 2 ? size : 2;

        if (len > size - head)
            len = size - head;
        put_der(ret, i, data + head, len);
        data += head + len;
        size -= head + len;
    }
}

static void look_at_text(const char *text)
{
    for (const char *p = text; p && *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            abort();
}

/* Each finding is a sentence that a terminal can bear, and can be mended. */
static void look_at(const struct tls_findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        look_at_text(f->item[i].what);
        look_at_text(f->item[i].fix);
        if (!f->item[i].fix && f->item[i].severity != TLS_OK)
            abort();
    }
}

static void describe(const struct tls_files *files)
{
    for (int i = 0; i < TLS_FILE_COUNT; i++) {
        CLEANUP(tls_file_words_done) struct tls_file_words words;

        tls_describe(files, (enum tls_file)i, &words);
        look_at_text(words.state);
        for (size_t k = 0; k < words.count; k++) {
            look_at_text(words.cert[k].subject);
            look_at_text(words.cert[k].issuer);
            look_at_text(words.cert[k].names);
            look_at_text(words.cert[k].purposes);
        }
    }
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
    files.role = data[0] & IS_SERVER ? TLS_SERVER : TLS_CLIENT;
    if (data[0] & IS_DER)
        split_der(data + 1, size - 1, &files);
    else
        split_pem(data + 1, size - 1, &files);
    tls_check_files(
        &(struct tls_check){
            .files = &files,
            .now = NOW,
            .qemu_major = data[0] & IS_OLD ? 7 : 11,
            .qemu_minor = 2,
            .names = names,
            .key_may_be_unreadable = data[0] & KEY_IS_EXCUSED,
        },
        &one);
    look_at(&one);
    tls_check_pair(&files, &files, NOW, &both);
    look_at(&both);
    describe(&files);
    free(tls_subject(&files));
    return 0;
}
