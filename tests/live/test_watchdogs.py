"""Disks that do not advance: the network drops what goes to them while all
else flows, or the destination's storage hangs. It is said which, and the
guest, whose writes hang with them, runs on at the source.

The limits are the ones that a user has.
"""

import subprocess

import pytest

from cases import BINARIES, FAILED, Case, Move
from lab import wait_until
from qemu import MIB, Qemu, device_args, make_image
from relay import LOW
from test_mirror import fill

# Its RAM takes longer than any limit here.
CASE = dict(disk_rate=50, mem_rate=50, hot=32)
SLOW_RAM = '--bandwidth', '4M', '--auto-converge', 'off', '--timeout-s', '100'


class Hanging(Move):
    """Each of the destination's disks can be made to hang."""

    def _qemu(self, name, binary):
        if name == 'source':
            return super()._qemu(name, binary)
        images = [self._make_image(f'{name}{n}', f)
                  for n, f in enumerate(self.case.formats)]
        extra = []
        for n, image in enumerate(images):
            extra += ['-object', f'throttle-group,id=slow{n}',
                      '-blockdev', f'driver=file,node-name=disk{n}-file,'
                      f'filename={image.path},discard=unmap,cache.direct=on',
                      '-blockdev', f'driver=throttle,node-name=disk{n}-slow,'
                      f'throttle-group=slow{n},file=disk{n}-file',
                      '-blockdev', f'driver=raw,node-name=disk{n},'
                      f'file=disk{n}-slow', *device_args(n)]
        qemu = Qemu(self.lab, self.lab.host(name), extra=extra, incoming=True,
                    binary=BINARIES[binary](), live=self.case.live)
        qemu.disks = images
        return qemu

    def _make_image(self, name, image_format):
        """The source's first disk holds something."""
        image = make_image(self.lab, name, image_format)
        if name == 'source0':
            fill(image, [(32 * MIB, 31 * MIB)])
        return image

    def hang_storage(self, number):
        """A byte a second: no write ends while anybody looks."""
        self.destination.spy.cmd('qom-set', path=f'/objects/slow{number}',
                                 property='limits', value={'bps-write': 1})

    def hang_network(self):
        """A firewall that drops what goes to the disks, and nothing else."""
        host = self.destination.host
        for rule in (['add', 'table', 'inet', 'hang'],
                     ['add', 'chain', 'inet', 'hang', 'in',
                      '{ type filter hook input priority 0; }'],
                     ['add', 'rule', 'inet', 'hang', 'in', 'tcp', 'dport',
                      str(LOW), 'drop']):
            subprocess.run(['ip', 'netns', 'exec', host.netns, 'nft', *rule],
                           check=True, timeout=30)

    def warnings(self):
        return [e['data']['message'] for e in self.engine.events('WARNING')]

    def ram_sent(self):
        sent = [e['data']['ram']['transferred-bytes']
                for e in self.engine.events('PROGRESS') if 'ram' in e['data']]
        return sent[-1] if sent else 0

    def gives_up(self, number, row, limit_s, waits):
        """That disk is named, with the limit, the place and what to do; and
        the guest writes on."""
        self.engine.wait(120)
        self.guest.wait_acks(20)
        self.undone((FAILED,), 'any')
        waited = ', and writes of the guest waited for that' if waits else ''
        assert self.error.startswith(
            f'{row}: source: no byte of disk vd{number} has moved to the '
            f'destination for {limit_s} s{waited}\n'), self.error
        for words in (f'{self.destination.host.address} port {LOW} cut',
                      self.destination.disks[number].path):
            assert words in self.error
        assert [w for w in self.warnings() if w.startswith(
            f'disk vd{number}: no byte has moved')], self.warnings()


HANGS = {'network': Hanging.hang_network,
         'storage': lambda move: move.hang_storage(0)}


@pytest.mark.sample(2)
@pytest.mark.parametrize('hang', HANGS.values(), ids=HANGS)
def test_while_the_ram_moves(lab, pki, hang):
    """Nothing of the RAM's progress shows it, nor a write that ends."""
    move = Hanging(lab, pki, Case(options=SLOW_RAM, **CASE)).start()
    move.wait_step('converge')
    hang(move)
    before = move.ram_sent()
    wait_until(lambda: 'no byte has moved' in str(move.warnings()), 30,
               'a warning')
    assert move.ram_sent() > before
    move.gives_up(0, 'converge', 15, True)


def test_while_the_ram_moves_with_postcopy(lab, pki):
    """A lost network is waited for only once the switch was asked for."""
    move = Hanging(lab, pki, Case(options=('--postcopy', *SLOW_RAM), **CASE))
    move.start().wait_step('converge')
    move.hang_network()
    move.gives_up(0, 'converge', 15, True)


@pytest.mark.long
def test_ram_with_postcopy(lab, pki):
    """Nor is the RAM waited for any longer than without it."""
    move = Move(lab, pki, Case(formats=(), options=('--postcopy', *SLOW_RAM),
                               **{**CASE, 'disk_rate': 0})).start()
    move.wait_step('converge')
    move.destination.host.cut()
    move.engine.wait(120)
    move.destination.host.mend()
    move.undone((FAILED,), 'any')
    assert 'no byte of the RAM has moved for 30 s' in move.error


@pytest.mark.long
def test_behind_another_disk(lab, pki):
    """One moves all the time, the other does not."""
    move = Hanging(lab, pki, Case(formats=('raw', 'raw'), options=SLOW_RAM,
                                  **CASE)).start()
    move.wait_step('converge')
    move.hang_storage(1)
    move.gives_up(1, 'converge', 15, True)


def test_while_it_is_copied(lab, pki):
    """In the background the guest's writes do not wait, and the limit is
    longer; what --disk-bandwidth makes QEMU pause for is added. The other
    disk is in sync, and moves with what the guest writes."""
    move = Hanging(lab, pki, Case(formats=('raw', 'raw'), options=(
        '--disk-bandwidth', '2M'), **CASE))
    move.start().wait_step('mirror disks')

    def states():
        jobs = move.source.spy.cmd('query-jobs')
        return sorted(job['status'] for job in jobs)

    wait_until(lambda: states() == ['ready', 'running'], 30,
               'one of both is copied')
    move.hang_storage(0)
    move.gives_up(0, 'mirror disks', 38, False)
