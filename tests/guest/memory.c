/*
 * The memory that the guest dirties and checks. Every page holds a pattern
 * made of its number and of how often it was written, so that a page which is
 * stale, torn or another one's is seen.
 */

#include <stdlib.h>
#include <sys/mman.h>

#include "guest.h"

enum {
    PAGE = 4096,
    PAGE_WORDS = PAGE / 8,
    WORD_STEP = 8, /* one word checked in each 64 bytes */
    PAGES_PER_MIB = 256,
    PAGES_A_TICK = 64, /* looked at by the walk over all */
    TICK_US = 2000,
    OWED_US = 50000,
    REST_US = 500000, /* between two walks */
};

static uint64_t (*memory)[PAGE_WORDS];
static uint32_t *generation; /* what each page was last written with */
static long n_pages;

static uint64_t page_word(long page, uint32_t gen, int word)
{
    uint64_t seed = ((uint64_t)page << 32 | gen) * 0x9e3779b97f4a7c15u;

    return seed ^ ((uint64_t)word * 0xff51afd7ed558ccdu);
}

static void page_write(long page, uint32_t gen)
{
    for (int i = 0; i < PAGE_WORDS; i += WORD_STEP)
        memory[page][i] = page_word(page, gen, i);
    generation[page] = gen;
}

/* A page that is wrong is said once, and is then written anew. */
static bool page_check(long page)
{
    for (int i = 0; i < PAGE_WORDS; i += WORD_STEP) {
        uint64_t want = page_word(page, generation[page], i);

        if (memory[page][i] != want) {
            say("x %ld %016llx %016llx", page, (unsigned long long)want,
                (unsigned long long)memory[page][i]);
            page_write(page, generation[page] + 1);
            return false;
        }
    }
    return true;
}

/*
 * Dirties the hot set, in order and at the set rate, and meanwhile walks over
 * all of the memory to see whether every page holds what was written last.
 */
static void *mind_memory(void *unused)
{
    int64_t last = now_us(), pass_at = 0;
    long next = 0, checked = 0, pass = 0, errors = 0;
    double due = 0;

    (void)unused;
    for (;;) {
        long rate = mem_rate, hot = hot_mib * PAGES_PER_MIB;
        int64_t now;

        sleep_us(TICK_US * pace);
        now = now_us();
        due += (double)rate * PAGES_PER_MIB * (double)(now - last) / 1e6;
        last = now;
        /* Work that was kept from being done, by a throttle or a pause, is not
         * made up for. */
        if (due > (double)rate * PAGES_PER_MIB * OWED_US / 1e6)
            due = (double)rate * PAGES_PER_MIB * OWED_US / 1e6;
        if (hot > n_pages)
            hot = n_pages;
        for (; due >= 1 && hot > 0; due--, next++) {
            next %= hot;
            errors += !page_check(next);
            page_write(next, generation[next] + 1);
        }
        if (checked == 0 && now < pass_at)
            continue;
        if (checked == 0)
            say("m %ld", pass);
        for (long i = 0; i < PAGES_A_TICK * pace && checked < n_pages;
             i++, checked++)
            errors += !page_check(checked);
        if (checked == n_pages) {
            say("M %ld %ld", pass++, errors);
            checked = 0;
            pass_at = now + REST_US;
        }
    }
    return NULL;
}

void memory_setup(long mib)
{
    n_pages = mib * PAGES_PER_MIB;
    memory = mmap(NULL, (size_t)n_pages * PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    generation = calloc((size_t)n_pages, sizeof *generation);
    if (memory == MAP_FAILED || !generation)
        fatal("memory");
    for (long i = 0; i < n_pages; i++)
        page_write(i, 1);
}

void memory_start(void)
{
    run(mind_memory, NULL, 0);
}
