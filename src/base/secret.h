/*
 * Bytes that nobody is to see: a key.  They lie in memory of their own, which
 * is not swapped out where the system allows that, is in no core dump, is not
 * there in children, and is zeroed.  There is no way to print one.
 */
#ifndef QM_BASE_SECRET_H
#define QM_BASE_SECRET_H

#include <stddef.h>

#include "base/util.h"

struct secret;

/* LEN zero bytes. */
struct secret *secret_new(size_t len);
char *secret_bytes(struct secret *s); /* borrowed */
size_t secret_len(const struct secret *s);
void secret_free(struct secret *s); /* NULL is allowed */
DEFINE_CLEANUP(struct secret *, secret_free)

/* Zero memory that once held a secret. */
void secret_wipe(void *bytes, size_t len);

/*
 * From the first hold to the last release the process dumps no core and cannot
 * be traced by its own user.  Each struct secret holds by itself; these are for
 * who keeps a secret elsewhere, as in a library's memory.
 */
void secrets_hold(void);
void secrets_release(void);

#endif
