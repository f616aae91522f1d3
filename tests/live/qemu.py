"""A QEMU on a host, and the images it uses.

Each has two QMP sockets: `qmp` for the engine, which gets only its path, and
`spy` for the test, which talks through it.
"""

import contextlib
import os
import signal
import socket
import subprocess
from typing import NamedTuple

import binaries
from guest import Recorder
from lab import wait_until
from proxy import QmpProxy
from qmp import LinkLost, Qmp

MIB = 1 << 20

# What the guest's kernel is told: no console (see tests/guest/init.c).
KERNEL_LINE = 'quiet panic=-1'

# Its heap is of huge pages: half the price of a query-qmp-schema, and of what
# else makes large answers, where a page fault is dear.
ENV = {'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1'}


class Image(NamedTuple):
    """An image file. Its id is the node name that QEMU gives it."""
    path: str
    format: str = 'raw'
    size: int = 64 * MIB

    def __str__(self):
        return str(self.path)


def make_image(lab, name, format='raw', size=64 * MIB, options=(),
               backing=None):
    """A new empty image in the lab; options are qemu-img's, 'key=value'."""
    path = lab.path(f'{name}.{format}')
    if format == 'raw' and not options and not backing:
        with open(path, 'xb') as file:
            file.truncate(size)
        return Image(str(path), format, size)
    argv = ['qemu-img', 'create', '-q', '-f', format]
    if options:
        argv += ['-o', ','.join(options)]
    if backing:
        argv += ['-b', str(backing.path), '-F', backing.format]
    subprocess.run([*argv, path, str(size)], check=True, timeout=30)
    return Image(str(path), format, size)


def disk_args(number, image, device='virtio-blk', discard=True):
    """Node diskN over diskN-file, device vdN (virtio-blk) or sdN (scsi)."""
    node = f'disk{number}'
    tail = ',discard=unmap' if discard else ''
    argv = ['-blockdev', f'driver=file,node-name={node}-file,'
            f'filename={image.path},cache.direct=on{tail}',
            '-blockdev', f'driver={image.format},node-name={node},'
            f'file={node}-file{tail}']
    return argv + device_args(number, device)


def device_args(number, device='virtio-blk'):
    """The device vdN, sdN or hdN over node diskN."""
    tail = f'drive=disk{number},serial=disk{number}'
    if device == 'virtio-blk':
        return ['-device', f'virtio-blk-pci,id=vd{number},{tail}']
    if device == 'scsi':
        bus = ['-device', 'virtio-scsi-pci,id=scsi0'] if number == 0 else []
        return [*bus, '-device', f'scsi-hd,id=sd{number},bus=scsi0.0,{tail}']
    if device == 'ide':
        return ['-device', f'ide-hd,id=hd{number},{tail}']
    raise ValueError(device)


class Qemu:
    """A running QEMU; start one with Qemu(lab, host, ...).

    incoming: wait for a migration (-incoming defer, held by -S). paused:
    start with -S. live: boot the guest of tests/guest; otherwise there is
    nothing to boot (for QEMUs that are not to run). extra: more arguments.
    proxied: with a QmpProxy whose socket belongs to this process, as far as
    the engine can see. state: goes on from what saved.py has made, instead
    of booting.
    """

    def __init__(self, lab, host, disks=(), *, incoming=False, paused=False,
                 live=True, name='guest', binary=None, mem=128, smp=1,
                 machine='pc-q35-7.2', uuid=None, extra=(), kernel_line='',
                 device='virtio-blk', discard=True, proxied=False,
                 state=None):
        self.lab = lab
        self.host = host
        self.disks = list(disks)
        self.binary = binary or binaries.qemu10()
        self.dir = lab.folder(f'{name}-{host.name}')
        self.qmp = str(self.dir / 'qmp')
        self.spy_path = str(self.dir / 'spy')
        self.proxy = QmpProxy(lab, self.qmp) if proxied else None
        self._stderr = self.dir / 'stderr'
        ours, theirs = zip(socket.socketpair(), socket.socketpair())
        argv = self._argv(theirs, locals())
        lab.on_exit(self._close, ours)
        with open(self._stderr, 'wb') as err:
            self.process = host.spawn(
                argv, stdout=err, stderr=err,
                env=lab.env(**ENV, **self.binary.env),
                pass_fds=[s.fileno() for s in theirs],
                preexec_fn=self.proxy.listen if proxied else None)
        for s in theirs:
            s.close()
        lab.show(f'QEMU {name} on {host.name}', self.describe)
        self.recorder = Recorder(ours[0])
        self._control = ours[1]
        self.spy = None
        try:
            self.spy = Qmp(self.spy_path, alive=self.is_alive)
        except (OSError, LinkLost) as e:
            raise RuntimeError(f'QEMU did not start: {self.stderr()}') from e
        if self.proxy:
            self.proxy.start()
        self.pid = self.process.pid
        if state:
            self._load(state, paused)

    @property
    def address(self):
        """Where the engine finds its monitor: the proxy, if there is one."""
        return self.proxy.path if self.proxy else self.qmp

    def _argv(self, theirs, o):
        argv = [*self.binary.argv, '-name', o['name'],
                '-machine', o['machine'], '-accel', 'tcg',
                '-m', str(o['mem']), '-smp', str(o['smp']),
                '-nodefaults', '-no-user-config', '-display', 'none']
        for mon, path in (('qmp', self.qmp), ('spy', self.spy_path)):
            argv += ['-chardev', f'socket,id={mon},path={path},server=on,'
                     'wait=off', '-mon', f'chardev={mon},mode=control']
        argv += ['-chardev', f'socket,id=debugcon,fd={theirs[0].fileno()}',
                 '-device', 'isa-debugcon,iobase=0xe9,chardev=debugcon',
                 '-chardev', f'socket,id=control,fd={theirs[1].fileno()}',
                 '-device', 'isa-serial,chardev=control']
        if o['live']:
            kernel, initrd = binaries.guest()
            argv += ['-kernel', str(kernel), '-initrd', str(initrd),
                     '-append', f"{KERNEL_LINE} {o['kernel_line']}".strip()]
        if o['uuid']:
            argv += ['-uuid', o['uuid']]
        for number, image in enumerate(self.disks):
            argv += disk_args(number, image, o['device'], o['discard'])
        if o['incoming'] or o['state']:
            argv += ['-incoming', 'defer']
        if o['incoming'] or o['paused']:
            argv += ['-S']
        return argv + list(o['extra'])

    def _load(self, state, paused):
        """Goes on from a saved state, having said what that guest had."""
        self.recorder.say(state.text)
        self.spy.cmd('migrate-incoming', uri=f'file:{state.path}')
        wait_until(lambda: self.status() != 'inmigrate', 30,
                   'the state is loaded', 0.01)
        if not paused:
            self.spy.cmd('cont')

    def tell(self, line):
        """One command line to the guest, through the serial port."""
        self._control.sendall(line.encode() + b'\n')

    def stderr(self):
        return self._stderr.read_text(errors='replace')

    def describe(self):
        """For a person who looks at a case that failed."""
        lines = [f'{self.binary.name} {self.binary.version}, exit status '
                 f'{self.process.poll()}']
        if self.spy:
            lines += [f'  {e.time:.3f} {e.name} {e.data}'
                      for e in self.spy.events[-30:]]
        return '\n'.join([*lines, self.stderr()])

    def status(self):
        """The run state: 'running', 'paused', 'inmigrate', ..."""
        return self.spy.cmd('query-status')['status']

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        """As if the host had died; returns when the process is gone."""
        self.process.kill()
        self.process.wait(10)

    def freeze(self):
        """SIGSTOP: there, and silent."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)

    def quit(self):
        with contextlib.suppress(LinkLost):
            self.spy.cmd('quit')
        self.process.wait(10)

    def wait_exit(self, timeout=10):
        return self.process.wait(timeout)

    def listening(self):
        """The TCP ports this QEMU listens on."""
        return self.host.listening(self.pid)

    def _close(self, ours):
        if getattr(self, 'process', None) and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if getattr(self, 'spy', None):
            self.spy.close()
        if getattr(self, 'recorder', None):
            self.recorder.close()
        for s in ours:
            s.close()


def make_pair(lab, formats=('raw',), **options):
    """(source, destination), each with empty images of those formats."""
    pair = []
    for name, incoming in (('source', False), ('destination', True)):
        images = [make_image(lab, f'{name}{n}', f)
                  for n, f in enumerate(formats)]
        pair.append(Qemu(lab, lab.host(name), images, incoming=incoming,
                         **options))
    return pair
