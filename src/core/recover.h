/*
 * Settling what an engine that died has left: its journal read, both QEMUs
 * asked, recovery.h's decision made and carried out.
 */
#ifndef QM_CORE_RECOVER_H
#define QM_CORE_RECOVER_H

#include "base/loop.h"
#include "core/narration.h"
#include "core/result.h"

struct recover_wish {
    const char *name; /* of the migration */
    bool dry_run;
    /* For sh: succeeds once the host of the side $1, at the address $2, is
     * certainly off.  NULL: there is none. */
    const char *fence;
    bool is_down[SIDES]; /* the operator has looked */
};

/*
 * NARRATOR hears the steps; DECIDED, before anything is done, a sentence that
 * says what was found, what follows, and why.  Always fills RET (the caller's
 * result_done()).  Twice does no harm, two at once neither: REFUSED.
 */
void recover_run(struct loop *loop, const struct recover_wish *wish,
                 const struct narrator *narrator,
                 void (*decided)(void *arg, const char *sentence), void *arg,
                 struct result *ret);

#endif
