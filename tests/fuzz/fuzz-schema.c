/*
 * The reply to query-qmp-schema.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "qmp/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(error_clear) struct qm_error err = QM_ERROR_INIT;
    struct qmp_features f;
    int rc = qmp_features_from_schema((const char *)bytes, len, &f, &err);

    assert((rc < 0) == error_is_set(&err));
    return 0;
}
