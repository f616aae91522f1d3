/*
 * Collecting facts, in parts.
 */
#ifndef QM_CORE_FACTS_PRIVATE_H
#define QM_CORE_FACTS_PRIVATE_H

#include "core/facts.h"

/* facts-host.c: what the host of a side tells: process, unit, disks' files.
 * Never fails: what could not be asked is host_problem. */
void facts_collect_host(const struct facts_input *in, enum side_id side,
                        struct side_facts *s);

/* facts-storage.c: disk_file of a side */
int facts_identify_disks(struct host *h, struct side_facts *s,
                         struct qm_error *err);
/* facts-storage.c: mark; never fails, what could not be done is not tried */
void facts_collect_marks(const struct facts_input *in, struct facts *f);

/* The path by which facts-storage.c asks for disk I's file; "" where it has
 * none, or it cannot be told. */
const char *facts_disk_path(const struct side_facts *s, size_t i);
/* facts-digest.c: disk_digest; never fails, what cannot be read is not
 * known. */
void facts_collect_digests(const struct facts_input *in, struct facts *f);

/* facts-images.c: site, maker; never fails, what could not be asked is
 * site_problem. */
void facts_collect_sites(const struct facts_input *in, struct facts *f);

/* facts-backing.c: backing_shared; never fails, what cannot be told is not
 * shared. */
void facts_collect_backing(struct facts *f);

/* facts-memory.c: what lies behind the RAM, among the parts of no disk. */
void facts_add_memory(struct side_facts *s);
/* facts-memory.c: memory_pair, but for its marks; never fails, what cannot be
 * told is not known. */
void facts_collect_memory(const struct facts_input *in, struct facts *f);

/* facts-host.c: memory of both hosts, and room for the destination's disks;
 * never fails. */
void facts_collect_room(const struct facts_input *in, struct facts *f);

/* facts-network.c: address, bind, tls_hostname. */
void facts_collect_network(const struct facts_input *in, struct facts *f);
/* Which of a name's addresses is the destination's: the first that its host
 * has, else that it may have, else the first. */
size_t address_choose(const enum host_has *has, size_t count);

/* facts-tls.c: both directories, and what is to be said of them. */
void facts_collect_tls(const struct facts_input *in, struct facts *f);

#endif
