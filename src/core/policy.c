/*
 * The named policies.
 *
 * 300 ms is QEMU's own default (options.c), which guests have been living with
 * for years.  99 % is QEMU's most, and needed: a guest that writes in a
 * hundredth of its time does not feel less.  Two passes in vain are no accident
 * any more; who is patient waits for a third, who is in a hurry acts at once.
 */
#include "core/policy.h"

#include "base/util.h"

const struct policy policies[] = {
    { .name = "gentle",
      .max_downtime_ms = 300,
      .patience = 3,
      .max_throttle = 0,
      .pause_when_stuck = false },
    { .name = "balanced",
      .max_downtime_ms = 300,
      .patience = 2,
      .max_throttle = 99,
      .pause_when_stuck = false },
    { .name = "urgent",
      .max_downtime_ms = 1000,
      .patience = 1,
      .max_throttle = 99,
      .pause_when_stuck = true },
};
const size_t policy_count = ARRAY_LEN(policies);
const struct policy *const policy_default = &policies[1];

const struct policy *policy_named(const char *name)
{
    for (size_t i = 0; i < policy_count; i++)
        if (str_equal(policies[i].name, name))
            return &policies[i];
    return NULL;
}
