/*
 * Files and block devices of a host: which one is it, and is it the one that
 * another host sees?
 *
 * Paths are those of the QEMU, which may live in a root folder of its own, in a
 * container for example: see HOST_FIND.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host-private.h"

#define MARK_LIMIT_MS 15000

/*
 * `blockid` follows MAJOR:MINOR down to the hardware, in subshells, so that
 * variables are each call's own: see block_id in host.h.  Several paths to one
 * LUN are that LUN, and so is a partition; where QEMU emulates the hardware
 * its names are the same in many guests.  `home` tells where hardware is: in
 * this very machine, or at which target of a network; nothing is known of that
 * in a virtual machine.
 */
#define HOST_BLOCKS                                                            \
    "first() { "                                                               \
    "  for f in \"$@\"; do "                                                   \
    "    [ -r \"$f\" ] || continue; "                                          \
    "    v=$(tr -s \"[:space:][:cntrl:]\" _ <\"$f\" 2>/dev/null); "            \
    "    v=${v%_}; [ -n \"$v\" ] && { echo \"$v\"; return; }; "                \
    "  done; "                                                                 \
    "  echo -; "                                                               \
    "}; "                                                                      \
    "home() ( "                                                                \
    "  p=$(readlink -f /sys/dev/block/$1); h=${p%%/target*}; h=${h##*/}; "     \
    "  case $p in "                                                            \
    "    */session*) s=${p#*/session}; s=session${s%%/*}; "                    \
    "      first ${p%%/session*}/$s/iscsi_session/$s/targetname; exit ;; "     \
    "    */rport-*) s=${p#*/rport-}; s=rport-${s%%/*}; "                       \
    "      first ${p%%/rport-*}/$s/fc_remote_ports/$s/node_name; exit ;; "     \
    "  esac; "                                                                 \
    "  w=$(cat $p/device/transport $p/../nvme*/transport 2>/dev/null | "       \
    "    sort -u); "                                                           \
    "  case $w in "                                                            \
    "    pcie|\"\") ;; "                                                       \
    "    *) first $p/device/subsysnqn $p/../subsysnqn; exit ;; "               \
    "  esac; "                                                                 \
    "  grep -q hypervisor /proc/cpuinfo && { echo -; exit; }; "                \
    "  case $w:$p:$(first ${p%%/target*}/scsi_host/$h/proc_name) in "          \
    "    pcie:*|*/mmc_host/*|*:ahci|*:ata_piix|*:megaraid_sas|*:mpt2sas|"      \
    "*:mpt3sas|*:smartpqi|*:hpsa|*:aacraid|*:arcmsr|*:usb-storage|*:uas) "     \
    "      echo local ;; "                                                     \
    "    *) echo - ;; "                                                        \
    "  esac "                                                                  \
    "); "                                                                      \
    "hardware() { "                                                            \
    "  w=$(name_of $1); h=$(home $1); "                                        \
    "  case $h in -) echo \"$w\" ;; *) echo \"$w~$h\" ;; esac; "               \
    "}; "                                                                      \
    "name_of() ( "                                                             \
    "  d=/sys/dev/block/$1; "                                                  \
    "  if [ -e $d/device/cluster_fsid ]; then "                                \
    "    echo hw:rbd:$(first $d/device/cluster_fsid)/$(first $d/device/pool)/" \
    "$(first $d/device/name); "                                                \
    "    exit; "                                                               \
    "  fi; "                                                                   \
    "  id=$(first $d/wwid $d/device/wwid $d/serial $d/device/serial); "        \
    "  case $id in "                                                           \
    "    -) echo here:$1 ;; eui.525400*) echo weak:$id ;; "                    \
    "    naa.*|eui.*|uuid.*) echo hw:$id ;; "                                  \
    "    *) echo weak:$id ;; "                                                 \
    "  esac "                                                                  \
    "); "                                                                      \
    "blockid() ( "                                                             \
    "  d=/sys/dev/block/$1; depth=$2; [ $depth -gt 8 ] && { echo -; exit; }; " \
    "  if [ -e $d/partition ]; then "                                          \
    "    blockid $(cat $d/../dev) $((depth + 1)); exit; "                      \
    "  fi; "                                                                   \
    "  set -- $d/slaves/*; "                                                   \
    "  [ -e $1/dev ] || { hardware ${d##*/}; exit; }; "                        \
    "  id=$(first $d/dm/uuid $d/md/uuid); "                                    \
    "  case $id in "                                                           \
    "    -) echo -; exit ;; "                                                  \
    "    mpath-*|part[0-9]*-mpath-*) "                                         \
    "      blockid $(cat $1/dev) $((depth + 1)); exit ;; "                     \
    "  esac; "                                                                 \
    "  id=dm:$id; "                                                            \
    "  for s; do "                                                             \
    "    b=$(blockid $(cat $s/dev) $((depth + 1))); "                          \
    "    case $b in -) echo -; exit ;; esac; "                                 \
    "    [ -e $s/partition ] && b=$b@$(cat $s/partition); "                    \
    "    id=\"$id $b\"; "                                                      \
    "  done; "                                                                 \
    "  echo \"$id\" "                                                          \
    "); "                                                                      \
    "partition() ( "                                                           \
    "  u=$(first /sys/dev/block/$1/dm/uuid); "                                 \
    "  case $u in "                                                            \
    "    part[0-9]*-mpath-*) u=${u#part}; echo ${u%%-*} ;; "                   \
    "    *) first /sys/dev/block/$1/partition ;; "                             \
    "  esac "                                                                  \
    "); "

/*
 * Eleven lines a path: stat's, the last name, the file system, the name of the
 * block device, or of the one that the file system lies on, its partition; of a
 * loop its offset and limit; of a partition where it begins, and how long it
 * is, in sectors; how many names the file has; stat's of its folder, and
 * whether it is mounted there by itself.  "-" for what there is none of.  A
 * loop device is the file below it, if the name that the kernel gives that
 * leads, for whoever logs in, to that very inode.
 */
static const char identify_script[] = HOST_FIND HOST_BLOCKS
    "was=; "
    "device() { "
    "  d=$(LC_ALL=C stat -L -c %d -- \"$p\" 2>/dev/null) || d=0; "
    "  echo $((d >> 8 & 0xfff | d >> 32 & ~0xfff)):"
    "$((d & 0xff | d >> 12 & 0xffffff00)); "
    "}; "
    "beneath() { "
    "  on=$(device); "
    "  if [ ! -e /sys/dev/block/$on ]; then echo -; echo -; on=-; return; fi; "
    "  [ \"$on\" = \"$was\" ] || "
    "    { is=$(blockid $on 0; partition $on); was=$on; }; "
    "  echo \"$is\"; "
    "}; "
    "looped() { "
    "  p=$(cat $loop/backing_file); l=$(readlink /sys/dev/block/$number); "
    "  set -- $(losetup -n -O BACK-MAJ:MIN,BACK-INO -- /dev/${l##*/} "
    "    2>/dev/null); "
    "  [ \"$(device) $(stat -L -c %i -- \"$p\" 2>/dev/null)\" = \"$*\" ] || p=; "
    "}; "
    "extent() { "
    "  [ $number = - ] && d=/sys/dev/block/$on || d=/sys/dev/block/$number; "
    "  echo $(first $d/start) $(first $d/size); "
    "}; "
    "mounted() { grep mnt_id: /proc/self/fdinfo/0 <\"$1\"; }; "
    "place() { "
    "  f=${p%/*}; LC_ALL=C stat -L -c %h -- \"$p\" 2>/dev/null || echo -; "
    "  stat -L -c \"%d %i\" -- \"$f/.\" 2>/dev/null || echo -; "
    "  a=; [ -f \"$p\" ] && a=$(mounted \"$p\"); b=$(mounted \"$f/.\"); "
    "  case $a in \"\") echo - ;; \"$b\") echo inside ;; *) echo own ;; esac; "
    "} 2>/dev/null; "
    "held=\" $(LC_ALL=C stat -L -c \"%F b%t:%T f%d:%i\" -- /proc/$pid/fd/* "
    "  2>/dev/null | tr \"[:space:]\" \" \")\"; "
    "is_held() { "
    "  if [ -b \"$p\" ]; then h=\"file $(stat -L -c b%t:%T -- \"$p\")\"; "
    "  else h=$(stat -L -c f%d:%i -- \"$p\" 2>/dev/null); fi; "
    "  case \"$h@$held\" in "
    "    @*|*\"@ \") echo - ;; "
    "    *) case $held in *\" $h \"*) echo open ;; *) echo other ;; esac ;; "
    "  esac; "
    "}; "
    "while IFS= read -r path; do "
    "  real; offset=-; limit=-; number=-; open=$(is_held); "
    "  if [ -b \"$p\" ]; then "
    "    number=$(stat -L -c %t:%T -- \"$p\"); "
    "    number=$((0x${number%:*})):$((0x${number#*:})); "
    "    loop=/sys/dev/block/$number/loop; "
    "    if [ -e $loop/backing_file ]; then "
    "      looped; offset=$(first $loop/offset); "
    "      limit=$(first $loop/sizelimit); number=-; "
    "    fi; "
    "  fi; "
    "  LC_ALL=C stat -L -c \"%d %i %t %T %F\" -- \"$p\" 2>/dev/null || echo -; "
    "  printf %s \"${p##*/}\" | tr -d \"[:cntrl:]\"; echo; "
    "  LC_ALL=C stat -f -c %T -- \"$p\" 2>/dev/null || echo -; "
    "  case $number in "
    "    -) beneath; echo $offset ;; "
    "    *) blockid $number 0; partition $number; echo - ;; "
    "  esac; "
    "  echo $limit; extent; place; echo $open; "
    "done";

/* The next line of *POS into BUF, "" for a dash; what is longer than the
 * buffer is as good as not known. */
static bool next_line(const char **pos, char *buf, size_t size)
{
    const char *end = *pos ? strchr(*pos, '\n') : NULL;
    size_t len;

    if (!end) {
        return false;
    }
    len = (size_t)(end - *pos);
    buf[0] = '\0';
    if (len < size && !(len == 1 && **pos == '-')) {
        memcpy(buf, *pos, len);
        buf[len] = '\0';
    }
    *pos = end + 1;
    return true;
}

static void parse_stat(const char *line, struct file_identity *f)
{
    uint64_t device, inode;
    unsigned major, minor;
    int used = 0;

    if (sscanf(line, "%" SCNu64 " %" SCNu64 " %x %x %n", &device, &inode,
               &major, &minor, &used) != 4) {
        return;
    }
    f->known = true;
    f->is_block_device = str_starts(line + used, "block special");
    f->device = device;
    f->inode = inode;
    if (f->is_block_device) { /* the node in /dev says nothing */
        f->device = (uint64_t)major << 32 | minor;
        f->inode = 0;
        f->fs_type[0] = f->name[0] = '\0';
    }
}

/* Sectors of sysfs are of 512 bytes, whatever the device has. */
static void parse_place(struct file_identity *f, const char *extent,
                        const char *folder, const char *mounted)
{
    uint64_t start, size;

    if (sscanf(extent, "%" SCNu64 " %" SCNu64, &start, &size) == 2) {
        f->partition_start = start * 512;
        f->partition_size = size * 512;
    }
    sscanf(folder, "%" SCNu64 " %" SCNu64, &f->folder_device, &f->folder_inode);
    f->mounted = str_equal(mounted, "inside") ? MOUNTED_WITH_FOLDER
                 : str_equal(mounted, "own")  ? MOUNTED_ALONE
                                              : MOUNTED_UNKNOWN;
}

bool file_identity_parse(const char **pos, struct file_identity *ret)
{
    struct file_identity f = { .known = false };
    char line[128], partition[16], offset[32], limit[32];
    char extent[64], links[32], folder[64], mounted[16], open[16];

    if (!next_line(pos, line, sizeof(line)) ||
        !next_line(pos, f.name, sizeof(f.name)) ||
        !next_line(pos, f.fs_type, sizeof(f.fs_type)) ||
        !next_line(pos, f.block_id, sizeof(f.block_id)) ||
        !next_line(pos, partition, sizeof(partition)) ||
        !next_line(pos, offset, sizeof(offset)) ||
        !next_line(pos, limit, sizeof(limit)) ||
        !next_line(pos, extent, sizeof(extent)) ||
        !next_line(pos, links, sizeof(links)) ||
        !next_line(pos, folder, sizeof(folder)) ||
        !next_line(pos, mounted, sizeof(mounted)) ||
        !next_line(pos, open, sizeof(open))) {
        return false;
    }
    parse_stat(line, &f);
    parse_place(&f, extent, folder, mounted);
    f.is_not_open = str_equal(open, "other");
    f.links = strtoull(links, NULL, 10);
    f.limit = strtoull(limit, NULL, 10);
    f.partition = (unsigned)strtoul(partition, NULL, 10);
    f.offset = strtoull(offset, NULL, 10);
    *ret = f.known ? f : (struct file_identity){ .known = false };
    return true;
}

int host_identify_files(struct host *h, int pid, const char *const *paths,
                        size_t count, struct file_identity *ret,
                        struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    const char *pos;
    int status;

    memset(ret, 0, count * sizeof(*ret));
    if (!host_put_paths(&in, pid, paths, count)) {
        return 0;
    }
    status = host_run(h, identify_script, in.data,
                      deadline_in_ms(HOST_LIMIT_MS), &out, err);
    if (status != 0) {
        return status < 0 ? -1 : host_complain(h, "stat files", status, err);
    }
    pos = out.data;
    for (size_t i = 0; i < count; i++) {
        if (host_path_can_be_asked(paths[i]) &&
            !file_identity_parse(&pos, &ret[i])) {
            return host_complain(h, "understand stat", status, err);
        }
    }
    return 0;
}

/* --- marks ------------------------------------------------------------------ */

/* Each ends with a word a path.  The subshell is for `:`, whose failing
 * redirection would end the shell. */
#define EACH_MARK                                                              \
    "while IFS= read -r mark && IFS= read -r path; do "                        \
    "  real && [ $p != . ] || { echo failed; continue; }; m=./$mark; "

static const char *const mark_scripts[] = {
    [MARK_MAKE] = HOST_FIND "umask 077; " EACH_MARK
                            "  if (set -C; : >\"$m\") 2>/dev/null; "
                            "  then echo done; else echo failed; fi; "
                            "done",
    [MARK_LOOK] = HOST_FIND EACH_MARK
    "  if [ ! -e \"$p\" ] || [ ! -x . ]; then echo failed; "
    "  elif [ -e \"$m\" ]; then echo done; else echo unseen; fi; "
    "done",
    [MARK_REMOVE] = HOST_FIND EACH_MARK
    "  rm -f -- \"$m\" 2>/dev/null; "
    "  if [ -e \"$m\" ]; then echo failed; else echo done; fi; "
    "done",
};

static enum host_mark mark_parse(const char *word)
{
    return str_equal(word, "done")     ? MARK_DONE
           : str_equal(word, "unseen") ? MARK_UNSEEN
                                       : MARK_FAILED;
}

int host_mark_files(struct host *h, int pid, enum host_mark_deed deed,
                    const char *const *paths, const char *const *marks,
                    size_t count, enum host_mark *ret, struct qm_error *err)
{
    CLEANUP(buffer_done) struct buffer in = { .len = 0 }, out = { .len = 0 };
    const char *pos;
    char word[16];
    int status;

    buffer_printf(&in, "%d\n", pid);
    for (size_t i = 0; i < count; i++) {
        ret[i] = MARK_NOT_TRIED;
        if (host_path_can_be_asked(paths[i])) {
            buffer_printf(&in, "%s\n%s\n", marks[i], paths[i]);
        }
    }
    status = host_run(h, mark_scripts[deed], in.data,
                      deadline_in_ms(MARK_LIMIT_MS), &out, err);
    if (status != 0) {
        return status < 0 ? -1 : host_complain(h, "mark files", status, err);
    }
    pos = out.data;
    for (size_t i = 0; i < count; i++) {
        if (!host_path_can_be_asked(paths[i])) {
            continue;
        }
        if (!next_line(&pos, word, sizeof(word))) {
            return host_complain(h, "understand what became of marks", status,
                                 err);
        }
        ret[i] = mark_parse(word);
    }
    return 0;
}
