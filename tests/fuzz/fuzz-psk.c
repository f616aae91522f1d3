/*
 * Pre-shared keys.  An input is taken for a key's line, as it would be in a
 * file, and must be refused or be one; and, as far as it can be one, for the
 * name of a key, whose new line must then be what QEMU and we can read.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "tls/internal.h"
#include "tls/psk.h"

enum { NAME_MAX_BYTES = 64, DIGITS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secret *line_of(const void *bytes, size_t len)
{
    struct secret *s = secret_new(len);

    if (len)
        memcpy(secret_bytes(s), bytes, len);
    return s;
}

static bool is_accepted(struct secret *line)
{
    gnutls_psk_client_credentials_t creds = NULL;
    int rc = psk_credentials(line, &creds);

    assert((rc == 0) == (creds != NULL));
    if (creds)
        gnutls_psk_free_client_credentials(creds);
    return rc == 0;
}

/* NAME, a colon, an even number of digits, a line break, and no more. */
static void is_a_line(const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t digits;

    assert(colon && colon > text);
    digits = strspn(colon + 1, "0123456789abcdef");
    assert(digits && digits % 2 == 0);
    assert(colon + 1 + digits == text + len - 1 && text[len - 1] == '\n');
}

static void make_one(const char *name)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    CLEANUP(secret_free) struct secret *line = tls_psk_new(name, &err);

    assert(line && secret_len(line) == strlen(name) + 1 + DIGITS + 1);
    is_a_line(secret_bytes(line), secret_len(line));
    assert(is_accepted(line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(secret_free) struct secret *line = line_of(data, size);
    CLEANUP_FREE char *name = xstrndup((const char *)data, size);

    if (is_accepted(line))
        is_a_line(secret_bytes(line), secret_len(line));
    name[strcspn(name, ":\n")] = '\0';
    if (*name && strlen(name) <= NAME_MAX_BYTES)
        make_one(name);
    return 0;
}
