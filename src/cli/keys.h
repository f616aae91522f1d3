/*
 * `qmigrate keys`: its commands, their options, and what they say.
 */
#ifndef QM_CLI_KEYS_H
#define QM_CLI_KEYS_H

#include "cli/options-values.h"
#include "cli/show.h"
#include "tls/check.h"

#define KEYS_DIR "qmigrate-keys"

/* options-keys.c */
extern const struct option_table keys_create_ca_options,
    keys_create_host_options, keys_show_options, keys_check_options;

/* The options of T; and the one other word, if T takes one, into *RET_WORD,
 * which the caller frees.  -1 with USAGE; options_done() is the caller's in
 * any case. */
int options_parse_keys(struct options *ret, const struct option_table *t,
                       char **ret_word, int argc, char **argv,
                       struct qm_error *err);
/* --role of `check`: is it about ROLE? */
bool keys_role_is_asked(const struct options *o, enum tls_role role);
/* --qemu of `check`: major, minor, micro. */
int keys_qemu_version(const struct options *o, int ret[3],
                      struct qm_error *err);

/* show-keys.c */
struct keys_made {
    const char *dir;  /* what was made */
    const char *name; /* the common name */
    const char *const *others;
    int64_t until_s;
    bool clipped; /* so that it does not outlive its CA */
};
void keys_ca_in_words(struct buffer *b, const struct keys_made *made,
                      const struct style *style);
void keys_host_in_words(struct buffer *b, const struct keys_made *made,
                        const struct style *style);
/* All files of DIR. */
void keys_folder_in_words(struct buffer *b, const char *dir,
                          const struct style *style);

#endif
