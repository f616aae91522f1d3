#include "good-facts.h"

#include <stdio.h>

#include "base/buffer.h"

static void init_machine(struct good_facts *g, enum side_id side)
{
    struct qmp_machine *m = &g->f.side[side].machine;

    g->cpu[side][0] = (struct qmp_cpu){ .type = T("Haswell-x86_64-cpu"),
                                        .topology = T("socket 0 core 0") };
    g->cpu[side][1] = (struct qmp_cpu){ .type = T("Haswell-x86_64-cpu"),
                                        .topology = T("socket 0 core 1") };
    g->word[side][0] = (struct qmp_feature_word){
        .eax = 1, .reg = "EDX", .bits = UINT32_C(1) << 26 | 1 << 0
    };
    g->property[side][0] = T("family=6");
    g->property[side][1] = T("tsc-frequency=2400000000");
    g->property[side][2] = NULL;
    g->device[side][0] =
        (struct qmp_device){ .path = T("/machine/peripheral/vd0"),
                             .id = T("vd0"),
                             .type = T("virtio-blk-pci"),
                             .address = T("pcie.0 05.0") };
    g->device[side][1] =
        (struct qmp_device){ .path = T("/machine/peripheral-anon/device[0]"),
                             .type = T("virtio-rng-pci"),
                             .address = T("pcie.0 06.0") };
    g->backend[side][0] =
        (struct qmp_memory_backend){ .id = T("pc.ram"), .size = 4 * GIB };
    *m = (struct qmp_machine){
        .uuid = T("11111111-2222-3333-4444-555555555555"),
        .type = T("pc-q35-7.2-machine"),
        .accelerator = T("kvm"),
        .base_memory = 4 * GIB,
        .cpu_count = 2,
        .cpu = g->cpu[side],
        .word_count = 1,
        .word = g->word[side],
        .cpu_properties = { .count = 2, .item = g->property[side] },
        .device_count = 2,
        .device = g->device[side],
        .memory_device = g->dimm[side],
        .memory_backend_count = 1,
        .memory_backend = g->backend[side],
    };
}

static void init_side(struct good_facts *g, enum side_id side)
{
    struct side_facts *s = &g->f.side[side];

    init_machine(g, side);
    g->disk[side][0] =
        (struct qmp_disk){ .qdev = T("vd0"),
                           .device = T(""),
                           .node_name = T("disk0"),
                           .driver = T("qcow2"),
                           .protocol = T("file"),
                           .filename = T("/images/vm.qcow2"),
                           .protocol_filename = T("/images/vm.qcow2"),
                           .virtual_size = 10 * GIB };
    g->file[side][0] = (struct file_identity){
        .known = true,
        .device = 2049,
        .inode = side == SOURCE ? 100 : 200,
        .name = "vm.qcow2",
        .fs_type = "xfs",
        .links = 1,
        .mounted = MOUNTED_WITH_FOLDER,
    };
    snprintf(g->file[side][0].block_id, sizeof(g->file[side][0].block_id),
             "hw:naa.90%d~local", side);
    s->version = (struct qmp_version){ .major = 7, .minor = 2, .micro = 22 };
    s->features.has[QMP_FEATURE_CAP_MULTIFD] = true;
    s->disks = (struct qmp_disks){ .count = 1, .item = g->disk[side] };
    s->disk_file = g->file[side];
    s->disk_digest = g->digest[side];
    s->has_machine_type = true;
    s->host_known = true;
    s->process = (struct process_identity){
        .known = true,
        .pid = 100 + (int)side,
        .start_time = 4711,
    };
    s->process.place.boot_id[0] = side == SOURCE ? 'a' : 'b';
    s->tls_read = true;
}

void good_facts_stand(struct good_facts *g, size_t i)
{
    for (int side = 0; side < SIDES; side++) {
        struct qmp_disk *d = &g->disk[side][i];
        struct qmp_part *part = g->part[side][i];

        part[d->parts.count++] = (struct qmp_part){
            .role = "image",
            .end = UINT64_MAX,
            .is_written = true,
            .is_top = true,
        };
        d->parts.item = part;
        d->graph_known = true;
        d->form = T("image( file:0)");
    }
}

void good_facts_back(struct good_facts *g, enum side_id side)
{
    struct qmp_disk *d = &g->disk[side][0];

    g->part[side][0][d->parts.count++] = (struct qmp_part){
        .role = "backing file",
        .driver = T("file"),
        .filename = T("/images/base.qcow2"),
        .end = UINT64_MAX,
    };
    d->has_backing = true;
    d->form = T("qcow2( backing:1 file:0)");
    g->base[side][1] = g->file[side][0];
    g->base[side][1].inode += 1000 + (uint64_t)side;
    g->f.side[side].part_file = g->base[side];
}

void good_facts_init(struct good_facts *g)
{
    *g = (struct good_facts){ .f = { .plan = &g->plan } };
    plan_init(&g->plan);
    init_side(g, SOURCE);
    init_side(g, DESTINATION);
    good_facts_stand(g, 0);
    g->f.mark = g->mark;
    SRC->run_state =
        (struct qmp_run_state){ .running = true, .status = T("running") };
    DST->run_state = (struct qmp_run_state){ .status = T("inmigrate") };
    g->f.address = T("192.0.2.2");
    g->f.bind = T("192.0.2.2");
    g->f.tls_hostname = T("b.example");
    g->f.source_subject = T("CN=a.example");
    g->f.authz_dn = T("CN=a.example");
}

struct strv one_string(char **item)
{
    return (struct strv){ .count = 1, .item = item };
}

char *verdicts_as_text(const struct verdicts *v, enum verdict_level level)
{
    static const char *const levels[] = { "ok", "warning", "blocker" };
    static const char *const sides[] = { "source", "destination", "both" };
    struct buffer b = { .len = 0 };

    buffer_append(&b, "", 0);
    for (size_t i = 0; i < v->count; i++) {
        const struct verdict *x = &v->item[i];

        if (x->level >= level) {
            buffer_printf(&b, "%s %s %s: %s%s%s%s%s\n", levels[x->level],
                          sides[x->side], x->id, x->what, x->why ? " | " : "",
                          x->why ? x->why : "", x->fix ? " | " : "",
                          x->fix ? x->fix : "");
        }
    }
    return b.data ? b.data : xstrdup("");
}
