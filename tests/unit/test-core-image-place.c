/*
 * Where an image is made at the destination: a source's QEMU may say what it
 * likes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/preflight.h"
#include "good-facts.h"

/* What a source's QEMU may say, and where its image would be. */
static void place_is_not_the_source_s_choice(void **state)
{
    static const struct {
        const char *file, *folder, *path;
    } said[] = {
        { "/images/vm.img", NULL, NULL },
        { "/images/vm.img", "/srv/", "/srv/vm.img" },
        { "/there/vm.img", NULL, "/there/vm.img" }, /* it has others there */
        { "/there/other/vm.img", NULL, NULL },
        { "/there/../etc/cron.d/vm.img", NULL, NULL },
        { "/there/", NULL, NULL },
        { "/there/..", "/srv/", NULL },
        { "/x/1+a_B.img", "/srv/", "/srv/1+a_B.img" },
        { "/x/-rf", "/srv/", NULL },
        { "/x/.profile", "/srv/", NULL },
        { "/x/a\nb", "/srv/", NULL },
        { "/x/$(id)", "/srv/", NULL },
        { "relative", "/srv/", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        CLEANUP_FREE char *place = NULL;
        const char *why = NULL;
        struct good_facts g;

        good_facts_init(&g);
        g.disk[SOURCE][0].protocol = T("file");
        g.disk[SOURCE][0].protocol_filename = T(said[i].file);
        g.disk[DESTINATION][0].protocol = T("null-co");
        g.disk[DESTINATION][1].protocol = T("file");
        g.disk[DESTINATION][1].protocol_filename = T("/there/second.img");
        g.f.side[DESTINATION].disks.count = 2;
        g.plan.create_folder = xstrdup(said[i].folder);
        place = image_place(&g.f, 0, &why);
        if (said[i].path)
            assert_string_equal(place, said[i].path);
        else
            assert_null(place);
        assert_int_equal(!why, said[i].path != NULL);
        plan_done(&g.plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(place_is_not_the_source_s_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
