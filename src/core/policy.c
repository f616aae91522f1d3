/*
 * The named policies.
 *
 * 300 ms is QEMU's own default (options.c), which guests have been living with
 * for years.  Two passes in vain are no accident any more; who is patient waits
 * for a third, who is in a hurry acts at once.
 *
 * A guest whose work comes by the clock does it in the time that it is left
 * with, and hardly feels less than 90 %.  But a throttled vCPU runs for 10 ms
 * and then sleeps for 10 ms * p / (100 - p) (cpu-throttle.c), and the stop at
 * the end may begin in that sleep: 97 % is 323 ms, and 99 %, QEMU's most, 990
 * ms.  So each policy goes as far as that is about the stop that it allows.
 *
 * The first rung is QEMU's own 20 % (options.c).  A guest that writes four times
 * what the link carries felt neither that nor the next, and each rung takes
 * about three passes: who is in a hurry leaves the mild ones out.
 *
 * cpu-throttle-tailslow has QEMU take, of an increment, only what it reckons
 * that is enough: who is in a hurry does not wait for a second one.  It reckons
 * with the trigger (mig_throttle_guest_down()), and with ours, 1 %, that is
 * always the whole one.
 */
#include "core/policy.h"

#include "base/util.h"

const struct policy policies[] = {
    { .name = "gentle",
      .max_downtime_ms = 300,
      .patience = 3,
      .first_throttle = 20,
      .max_throttle = 0,
      .tailslow = true,
      .pause_when_stuck = false },
    { .name = "balanced",
      .max_downtime_ms = 300,
      .patience = 2,
      .first_throttle = 20,
      .max_throttle = 97,
      .tailslow = true,
      .pause_when_stuck = false },
    { .name = "urgent",
      .max_downtime_ms = 1000,
      .patience = 1,
      .first_throttle = 80,
      .max_throttle = 99,
      .tailslow = false,
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
