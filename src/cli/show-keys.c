/*
 * What `qmigrate keys` says: what was made and what to do with it, and what is
 * in a folder.
 */
#include <string.h>

#include "cli/keys.h"
#include "cli/show-parts.h"
#include "tls/describe.h"

enum { INDENT = 2 };

/* TEXT as one word of a shell. */
static char *shell_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@";
    CLEANUP(buffer_done) struct buffer b = { .data = NULL };

    if (text[strspn(text, plain)] == '\0')
        return xstrdup(text);
    buffer_printf(&b, "'");
    for (; *text; text++)
        buffer_printf(&b, *text == '\'' ? "'\\%c'" : "%c", *text);
    buffer_printf(&b, "'");
    return xstrdup(b.data);
}

static void write_lines(struct buffer *b, const struct style *style,
                        const char *text)
{
    write_paragraph(b, INDENT, style->columns, text);
}

static void write_head(struct buffer *b, const char *what, const char *until,
                       const struct style *style)
{
    buffer_printf(b, "%s%s is made%s, good until %s\n", dress(style, GREEN),
                  what, dress(style, PLAIN), until);
}

void keys_ca_in_words(struct buffer *b, const struct keys_made *made,
                      const struct style *style)
{
    CLEANUP_FREE char *until = tls_moment(made->until_s);
    CLEANUP_FREE char *what = xasprintf("the CA \"%s\"", made->name);
    CLEANUP_FREE char *dir = str_printable(made->dir);

    write_head(b, what, until, style);
    buffer_printf(b, "  %s/ca-cert.pem   public: every host gets a copy\n",
                  dir);
    buffer_printf(
        b, "  %s/ca-key.pem    SECRET: it stays here, or off line\n\n", dir);
    write_lines(b, style,
                "Who has that key can make himself a certificate that every "
                "host trusts. No host needs it.");
    buffer_printf(b, "\nFor each host:\n"
                     "  qmigrate keys create-host NAME --address ADDRESS\n");
}

static char *names_in_words(const struct keys_made *made)
{
    CLEANUP(strv_done) struct strv names = { .count = 0 };

    strv_add(&names, made->name);
    for (const char *const *other = made->others; *other; other++)
        if (!str_equal(*other, made->name))
            strv_add(&names, *other);
    return strv_join_words(&names);
}

void keys_host_in_words(struct buffer *b, const struct keys_made *made,
                        const struct style *style)
{
    CLEANUP_FREE char *until = tls_moment(made->until_s);
    CLEANUP_FREE char *names = names_in_words(made);
    CLEANUP_FREE char *what = xasprintf("the certificate of %s", names);
    CLEANUP_FREE char *dir = shell_word(made->dir);
    CLEANUP_FREE char *shown = str_printable(dir);

    write_head(b, what, until, style);
    if (made->clipped)
        write_lines(b, style,
                    "(that is when its CA ends, which comes earlier)");
    buffer_printf(b,
                  "\nCopy all of it to %s, and nothing else:\n"
                  "  ssh root@%s mkdir -p -m 700 " PLAN_TLS_DIR "\n"
                  "  scp -p %s/*.pem root@%s:" PLAN_TLS_DIR "/\n",
                  made->name, made->name, shown, made->name);
    buffer_printf(b,
                  "If QEMU runs there as another user than root:\n"
                  "  ssh root@%s chown -R USER " PLAN_TLS_DIR "\n",
                  made->name);
    buffer_printf(b,
                  "Then remove it here, where its key is of no use:\n"
                  "  rm -r %s\n",
                  shown);
}

/* --- a folder ---------------------------------------------------------------- */

static void write_label(struct buffer *b, const char *label, const char *text)
{
    if (text)
        buffer_printf(b, "      %-10s%s\n", label, text);
}

static void write_cert(struct buffer *b, const struct tls_cert_words *c,
                       const struct style *style)
{
    buffer_printf(b, "    %s%s%s\n", dress(style, BOLD), c->subject,
                  dress(style, PLAIN));
    write_label(b, "signed by", c->issuer ? c->issuer : "itself");
    write_label(b, "for", c->names);
    write_label(b, "from", c->from);
    write_label(b, "until", c->until);
    write_label(b, "key", c->key);
    write_label(b, "usage", c->usage);
    write_label(b, "purposes", c->purposes);
    write_label(b, "SHA-256", c->fingerprint);
}

static void write_file(struct buffer *b, const struct tls_files *files,
                       enum tls_file which, const struct style *style)
{
    CLEANUP(tls_file_words_done) struct tls_file_words words = { .count = 0 };

    if (files->file[which].state == TLS_FILE_MISSING)
        return;
    tls_describe(files, which, &words);
    buffer_printf(b, "  %s%s%s\n", words.path, words.state ? ": " : "",
                  words.state ? words.state : "");
    for (size_t i = 0; i < words.count; i++)
        write_cert(b, &words.cert[i], style);
}

void keys_folder_in_words(struct buffer *b, const char *dir,
                          const struct style *style)
{
    static const enum tls_file shared[] = { TLS_CA_CERT, TLS_CA_CRL,
                                            TLS_DH_PARAMS };
    static const enum tls_role roles[] = { TLS_SERVER, TLS_CLIENT };
    struct tls_files of[ARRAY_LEN(roles)];

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        tls_files_read(dir, roles[i], &of[i]);
    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        write_file(b, &of[0], shared[i], style);
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        write_file(b, &of[i], TLS_CERT, style);
        write_file(b, &of[i], TLS_KEY, style);
    }
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        tls_files_done(&of[i]);
}
