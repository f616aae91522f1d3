"""A machine that is changed while its disks are copied is not moved: the
change is named, and all is undone."""

import os
import signal

import pytest

from cases import Case, Move

HUB = ('-device', 'qemu-xhci,id=hub', '-device', 'usb-kbd,id=kbd0,bus=hub.0')
ENGINE_LIMIT_S = 60


class Changing(Move):
    """Both have a keyboard that can be unplugged."""

    def _extra(self, name):
        return HUB

    def hold(self, at):
        """The engine stands still at that point, until let_go()."""
        self.start(QMIGRATE_FAIL=f'{at}=stop')
        pid = self.engine.process.pid
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
        return self

    def let_go(self):
        os.kill(self.engine.process.pid, signal.SIGCONT)


def unplug(spy):
    spy.cmd('device_del', id='kbd0')
    spy.wait_event('DEVICE_DELETED', device='kbd0')


def unplug_and_plug(spy):
    unplug(spy)
    spy.cmd('device_add', driver='usb-kbd', id='kbd0', bus='hub.0')


def plug(spy):
    spy.cmd('device_add', driver='usb-mouse', id='mouse0', bus='hub.0')


def add_bitmap(spy):
    spy.cmd('block-dirty-bitmap-add', node='disk0', name='backup',
            persistent=True)


def remove_bitmap(spy):
    spy.cmd('block-dirty-bitmap-remove', node='disk0', name='backup')


# what is done, what is said of it, how it is taken back before the comparison
CHANGES = {
    'unplug': (unplug, 'device kbd0 was unplugged', None),
    'replug': (unplug_and_plug, 'device kbd0 was unplugged', None),
    'plug': (plug, r'device mouse0 (usb-mouse) was plugged', None),
    'bitmap': (add_bitmap, 'disk vd0 has a new bitmap, backup',
               remove_bitmap),
}
QUICK = 'unplug', 'bitmap'


@pytest.mark.parametrize('name', [
    pytest.param(n, marks=() if n in QUICK else pytest.mark.long)
    for n in CHANGES])
def test_changed_before_the_door(lab, pki, name):
    """The destination goes on waiting: nothing came there yet."""
    change, says, take_back = CHANGES[name]
    move = Changing(lab, pki, Case(live=False, formats=('qcow2',),
                                   supervised=False))
    move.hold('compare disks:after')
    change(move.source.spy)
    move.let_go()
    move.engine.wait(ENGINE_LIMIT_S)
    if take_back:
        take_back(move.source.spy)
    move.undone(destination='waiting')
    assert f'source: its machine was changed meanwhile: {says}' in move.error
    assert "make the destination's command line like" in move.error


@pytest.mark.long
def test_changed_while_copied(lab, pki):
    """It ends at once, and not when the disks are copied."""
    move = Changing(lab, pki, Case(
        live=False, options=('--disk-bandwidth', '1M')))
    with open(move.source.disks[0].path, 'r+b') as image:
        image.write(b'x' * (60 << 20))
    move.start()
    move.wait_step('mirror disks')
    unplug(move.source.spy)
    move.undone(destination='waiting')
    assert 'device kbd0 was unplugged' in move.error
    assert 'compare disks' not in move.steps('begins')


@pytest.mark.long
def test_changed_there(lab, pki):
    """At the destination."""
    move = Changing(lab, pki, Case(live=False, supervised=False))
    move.hold('compare disks:after')
    unplug(move.destination.spy)
    move.let_go()
    move.undone(destination='waiting')
    assert 'destination: its machine was changed meanwhile' in move.error


def test_changed_behind_the_door(lab, pki):
    """Between the open port and the stream, the last moment for it."""
    move = Changing(lab, pki, Case(live=False, formats=(), supervised=False))
    move.hold('start migration:before')
    unplug(move.source.spy)
    move.let_go()
    move.undone()
    assert 'device kbd0 was unplugged' in move.error
