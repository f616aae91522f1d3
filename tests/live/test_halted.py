"""QEMU itself stops the guest while it is moved: by an error of its disk, its
watchdog, or as it panicked. It stays at the source, stopped as QEMU has it, and
the reason is said at once."""

import time

import pytest

import sector
from cases import FAILED, REFUSED, Case, Move
from full import SmallDisk
from lab import wait_until
from qemu import MIB

SLOW_DISK = '--disk-bandwidth', '1M'
# never soon across, even once it is stopped
SLOW_RAM = '--bandwidth', '1M'


class Halting(Move):
    """A guest of one sector, on a disk that can be filled."""

    def __init__(self, lab, pki, options, binary='qemu10', extra=()):
        self.small = SmallDisk(lab)
        self.more = extra
        super().__init__(lab, pki, Case(live=False, options=options,
                                        binaries=(binary, binary)))

    def _make_image(self, name, image_format):
        if not name.startswith('source'):
            return super()._make_image(name, image_format)
        image = self.small.make_image(name, image_format)
        sector.install(image, sector.LISTENER)
        with open(image.path, 'r+b') as file:
            file.seek(32 * MIB)
            file.write(b'x' * 8 * MIB)      # for a mirror to take its time
        return image

    def _extra(self, name):
        return ['-device', 'pvpanic', *self.more]

    def halt(self, word, what):
        """The firmware may be at work yet."""
        def said():
            self.source.tell(what)
            return self.source.status() == word

        wait_until(said, 60, f'the guest is {word}', 0.1)
        return time.monotonic()

    def ends(self, word, halted):
        """At once, with the guest where it was; RESULT's error."""
        assert self.engine.wait(60) == FAILED, self.engine.text()
        took = time.monotonic() - halted
        result = self.engine.result()
        assert not self.engine.crashes()
        assert (result['outcome'], result['guest'], result['left']) == \
            ('failed', 'source', [])
        assert result['paused'] is True
        assert took < 10, took
        assert self.ran_at_once() == []
        assert self.unlike_before(self.source, 'run state') == []
        assert self.source.status() == word
        self.check_folders()
        return self.error


@pytest.mark.parametrize('row,options,binary', [
    ('converge', SLOW_RAM, 'qemu10'),
    *(pytest.param(*more, marks=pytest.mark.long) for more in (
        ('mirror disks', SLOW_DISK, 'qemu10'),
        ('mirror disks', SLOW_DISK, 'system')))])
def test_disk_is_full(lab, pki, row, options, binary):
    """It goes on there once there is room."""
    move = Halting(lab, pki, options, binary)
    move.small.fill()
    move.start()
    move.wait_step(row)
    error = move.ends('io-error', move.halt('io-error', 'd'))
    assert error.startswith(
        f'{row}: source: the guest was stopped by an I/O error of its disk '
        'vd0 (write: No space left on device)\n'), error
    assert '`cont`' in error
    move.new_destination()
    move.start()
    assert move.engine.wait(60) == REFUSED
    assert 'was stopped by an I/O error of its disk vd0' in move.error
    assert move.is_waiting()
    move.small.clear()
    move.source.spy.cmd('cont')
    assert move.source.status() == 'running'
    wrote = [0]

    def writes():
        wrote[0] += 1
        move.source.tell('d')
        [disk] = move.source.spy.cmd('query-blockstats')
        return disk['stats']['wr_operations'] > 1

    wait_until(writes, 20, 'the guest writes on', 0.1)
    assert move.source.status() == 'running'


@pytest.mark.parametrize('word,what,row,options', [
    ('guest-panicked', 'p', 'mirror disks', SLOW_DISK),
    *(pytest.param(*more, marks=pytest.mark.long) for more in (
        ('guest-panicked', 'p', 'converge', SLOW_RAM),
        ('watchdog', 'w', 'mirror disks', SLOW_DISK),
        ('watchdog', 'w', 'converge', SLOW_RAM)))])
def test_guest_is_stopped_by_qemu(lab, pki, word, what, row, options):
    """It is whole, and in its QEMU."""
    move = Halting(lab, pki, options, extra=(
        '-device', 'ib700', '-action', 'panic=pause,watchdog=pause'))
    move.start()
    move.wait_step(row)
    error = move.ends(word, move.halt(word, what))
    assert error.startswith(f'{row}: source: the guest ' + {
        'guest-panicked': 'has panicked, and was stopped',
        'watchdog': 'was stopped by its watchdog'}[word]), error


def test_paused_by_hand_is_no_halt(lab, pki):
    """What an operator does is followed, as ever."""
    move = Halting(lab, pki, SLOW_RAM)
    move.start()
    move.wait_step('converge')
    move.source.spy.cmd('stop')
    move.moved(paused=True)
