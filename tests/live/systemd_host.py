"""A host with a real systemd as its first process, in namespaces of its own.

    machine = SystemdHost(lab, lab.host('source'), units={'vm.service': text})
    machine.run('systemctl', 'start', 'vm')
    Engine(lab, ..., through=machine.inside)        an engine that lives there

Its / is that of this machine below a tmpfs, its /tmp, /run and /etc/systemd
are its own; the lab's folder and the program are where they are here. It has a
machine id and a boot of its own, and dies with the lab.
"""

import os
import uuid
from pathlib import Path

import pytest

from binaries import cache_dir
from engine import ROOT, program
from lab import wait_until

BOOT = r"""
set -e
root=$1 upper=$2 units=$3 boot=$4; shift 4
hostname systemd-host
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$upper"; mkdir "$upper/up" "$upper/work"
mount -t overlay -o "lowerdir=/,upperdir=$upper/up,workdir=$upper/work" \
    overlay "$root"
mount -t proc proc "$root/proc"
mount --bind "$boot" "$root/proc/sys/kernel/random/boot_id"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir -p "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"; ln -s /proc/self/fd "$root/dev/fd"
for name in null zero full random urandom tty; do
    touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"
done
for name in run tmp var/tmp var/lib/systemd var/log etc/systemd/system; do
    mkdir -p "$root/$name"; mount -t tmpfs -o mode=755 tmpfs "$root/$name"
done
chmod 1777 "$root/tmp" "$root/var/tmp"
for name in "$@"; do
    mkdir -p "$root$name"; mount --rbind "$name" "$root$name"
done
system=$root/etc/systemd/system
ln -s /lib/systemd/system/basic.target "$system/default.target"
for name in systemd-binfmt systemd-sysctl systemd-modules-load \
        systemd-udev-trigger kmod-static-nodes systemd-hwdb-update \
        systemd-firstboot systemd-machine-id-commit systemd-pstore \
        systemd-update-utmp systemd-random-seed systemd-timesyncd; do
    ln -s /dev/null "$system/$name.service"
done
for name in dev-hugepages.mount sys-kernel-debug.mount getty.target \
        sys-kernel-tracing.mount sys-kernel-config.mount timers.target \
        sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount \
        systemd-ask-password-wall.path; do
    ln -s /dev/null "$system/$name"
done
cp "$units"/* "$system"
rm -f "$root/etc/machine-id"
tr -d - <"$boot" >"$root/etc/machine-id"
: >"$root/etc/fstab"
mkdir "$root/run/old"; cd "$root"; pivot_root . run/old
umount -l /run/old; rmdir /run/old
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot . /lib/systemd/systemd --system --log-target=null \
    --show-status=0 --default-standard-output=null
"""


def cgroup2():
    """Where the hierarchy is mounted, or None."""
    for line in Path('/proc/self/mounts').read_text().splitlines():
        if line.split()[2] == 'cgroup2':
            return Path(line.split()[1])
    return None


class SystemdHost:
    """Up when it is made. inside: a prefix that runs a command there."""

    def __init__(self, lab, host, units):
        if cgroup2() is None:
            pytest.skip('no cgroup2 hierarchy is mounted')
        self.lab = lab
        self.dir = lab.folder(f'systemd-{host.name}')
        self.cgroup = cgroup2() / f'{lab.name}-{host.name}'
        for name in ('root', 'upper', 'units'):
            (self.dir / name).mkdir()
        for name, text in units.items():
            (self.dir / 'units' / name).write_text(text)
        (self.dir / 'boot_id').write_text(f'{uuid.uuid4()}\n')
        lab.on_exit(self._end)
        self.cgroup.mkdir()
        with open(self.dir / 'log', 'wb') as log:
            self.process = lab.spawn(self._argv(), host=host, stdout=log,
                                     stderr=log)
        lab.show('systemd', lambda: (self.dir / 'log').read_text())
        self.inside = self._enter()
        wait_until(self._is_up, 30, 'systemd is up')

    def _argv(self):
        here = [str(path) for path in (
            self.lab.dir, ROOT, Path(program()).resolve().parent, cache_dir())]
        return ['sh', '-c',
                f'echo $$ >{self.cgroup}/cgroup.procs && exec "$@"', 'sh',
                'unshare', '--mount', '--uts', '--ipc', '--cgroup', '--pid',
                '--fork', '--kill-child', 'bash', '-c', BOOT, 'systemd-host',
                self.dir / 'root', self.dir / 'upper', self.dir / 'units',
                self.dir / 'boot_id', *here]

    def _enter(self):
        """Its first process, once it is there."""
        children = Path(f'/proc/{self.process.pid}/task/{self.process.pid}'
                        '/children')
        wait_until(lambda: self.process.poll() is not None or
                   children.read_text().split(), 10, 'its first process')
        self.pid = int(children.read_text().split()[0])
        return ('nsenter', '--target', str(self.pid), '--mount', '--uts',
                '--ipc', '--net', '--pid', '--cgroup', '--')

    def _is_up(self):
        if not Path(f'/proc/{self.pid}/exe').exists() or \
                not os.readlink(f'/proc/{self.pid}/exe').endswith('systemd'):
            return False
        asked = self.lab.run([*self.inside, 'systemctl', 'is-system-running'],
                             check=False)
        return asked.stdout.strip() in ('running', 'degraded')

    def run(self, *argv, check=True):
        return self.lab.run([*self.inside, *argv], check=check)

    def _end(self):
        kill = self.cgroup / 'cgroup.kill'
        if kill.exists():
            kill.write_text('1')
        if getattr(self, 'process', None):
            self.process.kill()
            self.process.wait(10)
        wait_until(self._is_removed, 10, 'its cgroups are empty')

    def _is_removed(self):
        try:
            for path, _, _ in os.walk(self.cgroup, topdown=False):
                os.rmdir(path)
        except OSError:
            return False
        return True
