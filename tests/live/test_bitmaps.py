"""Dirty bitmaps for backups travel with the guest, or are named."""

import subprocess

import pytest

from cases import BINARIES, Case, Move
from qemu import Image, Qemu
from test_choose import bind

NAMES = ('kept', 'light', 'off')
VERIFY = ('--verify',)
STAY = ('--paused', '--keep-source')    # both can be asked afterwards


def add_bitmaps(qemu, node='disk0', guest=None):
    """One of each kind; what they have recorded is not nothing."""
    s = qemu.spy
    s.cmd('block-dirty-bitmap-add', node=node, name='kept', persistent=True,
          granularity=65536)
    s.cmd('block-dirty-bitmap-add', node=node, name='light', granularity=4096)
    s.cmd('block-dirty-bitmap-add', node=node, name='off', granularity=32768)
    if guest:
        guest.wait_acks(len(guest.acks()[0]) + 30)
    else:
        s.cmd('human-monitor-command', command_line='qemu-io -d /machine/'
              f'peripheral/vd{node[-1]}/virtio-backend "write -P 7 1M 64k"')
    assert bitmaps(qemu, node)['light']['count'] > 0
    s.cmd('block-dirty-bitmap-disable', node=node, name='off')


def bitmaps(qemu, node='disk0'):
    [found] = [n for n in qemu.spy.cmd('query-named-block-nodes', flat=True)
               if n['node-name'] == node]
    return {b['name']: b for b in found.get('dirty-bitmaps', [])
            if b.get('name')}


def kind(bitmap):
    return (bitmap['granularity'], bitmap['recording'],
            bitmap.get('persistent', False), bitmap['busy'])


def kinds(qemu, node='disk0'):
    return {name: kind(b) for name, b in bitmaps(qemu, node).items()}


def contents(qemu, node='disk0'):
    return {name: qemu.spy.cmd('x-debug-block-dirty-bitmap-sha256', node=node,
                               name=name)['sha256'] for name in NAMES}


class WithBitmaps(Move):
    """Bitmaps at the source are part of how both sides are found."""

    def __init__(self, lab, pki, case, node='disk0'):
        super().__init__(lab, pki, case)
        self.node = node
        add_bitmaps(self.source, node, self.guest)
        self.kinds = kinds(self.source, node)
        self.expect(self.source)

    def expect(self, qemu, with_bitmaps=True):
        """The mapping cannot be forgotten: it is left empty."""
        before = self.before[qemu].state
        before['parameters']['block-bitmap-mapping'] = []
        if with_bitmaps:
            before['nodes'][self.node]['bitmaps'] = sorted(NAMES)


@pytest.mark.sample(2)
@pytest.mark.parametrize('case', [
    Case(formats=('qcow2',), options=STAY),
    Case(formats=('qcow2',), options=(*STAY, *VERIFY)),
    Case(formats=('qcow2',), options=(*STAY, '--channels', '2'), tls=False),
    Case(formats=('qcow2',), options=STAY, live=False,
         binaries=('system', 'system')),
    Case(formats=('qcow2',), options=(*STAY, *VERIFY), live=False,
         binaries=('system', 'qemu10')),
], ids=['qcow2', 'verify', 'multifd', 'system', 'system-to-qemu10'])
def test_they_travel(lab, pki, case):
    move = WithBitmaps(lab, pki, case)
    for qemu in move.qemus:
        move.expect(qemu)
    written = {}
    move.start()
    move._check_guest = lambda *a: written.update(
        {q: contents(q) for q in move.qemus})
    move.guest = move.guest or object()
    move.moved(paused=True, kept=True)
    assert kinds(move.destination) == move.kinds
    assert written[move.source] == written[move.destination]
    light = bitmaps(move.destination)['light']['count']
    assert light >= 65536
    assert [v['what'] for v in
            move.engine.events('PREFLIGHT')[0]['data']['verdicts']
            if v['id'] == 'bitmaps'] == [
        'the dirty bitmaps of disk vd0 travel along: off, light, kept']


class Returns(WithBitmaps):
    """The destination's image is what the guest left there once: it keeps a
    bitmap of a name that comes again, and one of another."""

    def _make_image(self, name, image_format):
        image = super()._make_image(name, image_format)
        if name.startswith('destination'):
            for bitmap in ('kept', 'ancient'):
                subprocess.run(['qemu-img', 'bitmap', '--add', '-g', '1M',
                                image.path, bitmap], check=True, timeout=30)
        return image


@pytest.mark.parametrize('binaries', [('qemu10', 'qemu10'), pytest.param(
    ('system', 'system'), marks=pytest.mark.long)])
def test_they_travel_to_where_the_guest_was_before(lab, pki, binaries):
    """The source's bitmap takes the place of the old one; another old one is
    warned of."""
    move = Returns(lab, pki, Case(formats=('qcow2',), options=STAY, live=False,
                                  binaries=binaries))
    before = contents(move.source)
    move.start()
    assert move.engine.wait(60) == 0, move.engine.text()
    there = kinds(move.destination)
    assert {n: there[n] for n in NAMES} == move.kinds
    assert contents(move.destination) == before
    assert 'ancient' in there
    assert the_warning(move) == (
        "the destination's image of disk vd0 keeps dirty bitmaps of what it "
        'held before: ancient')


def test_they_go_on_recording(lab, pki):
    """What the guest writes there is recorded there, and the persistent one
    is in the image when that QEMU has ended."""
    move = WithBitmaps(lab, pki, Case(formats=('qcow2',)))
    move.expect(move.destination)
    count = []

    def look(*_):
        first = bitmaps(move.destination)['light']['count']
        acks = len(move.guest.acks()[0])
        move.guest.wait_alive(move.destination)
        move.guest.wait_acks(acks + 50)
        count.extend((first, bitmaps(move.destination)['light']['count']))
    check, move._check_guest = move._check_guest, look
    move.start().moved()
    assert count[1] > count[0] > 0
    check(move.destination, move.copied, False)
    info = subprocess.run(['qemu-img', 'info', move.destination.disks[0].path],
                          check=True, stdout=subprocess.PIPE, text=True,
                          timeout=30).stdout
    assert 'name: kept' in info and 'light' not in info


@pytest.mark.sample(2)
@pytest.mark.parametrize('at', ['agree capabilities:after',
                                'mirror disks:after', 'converge:after',
                                'verify disks:after', 'switch over:before'])
def test_undone_they_are_as_before(lab, pki, at):
    """Thawed, and usable."""
    case = Case(formats=('qcow2',), options=VERIFY,
                env={'QMIGRATE_FAIL': f'{at}=fail'})
    move = WithBitmaps(lab, pki, case)
    move.expect(move.destination, False)
    check = move._check_guest

    def look(*words):
        assert kinds(move.source) == move.kinds
        move.source.spy.cmd('block-dirty-bitmap-clear', node='disk0',
                            name='light')
        check(*words)
    move._check_guest = look
    gone = at.split(':')[0] in ('converge', 'verify disks', 'switch over')
    move.start().undone(destination='gone' if gone else 'waiting')


@pytest.mark.parametrize('binary', ['qemu10', 'system'])
@pytest.mark.parametrize('stored', [False, True], ids=['new', 'stored'])
def test_of_a_shared_disk(lab, pki, binary, stored):
    """Also one that the image has kept from an earlier QEMU."""
    folder = lab.folder('images')
    image = folder / 'vm.qcow2'
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '64M'],
                   check=True, timeout=30)
    if stored:
        subprocess.run(['qemu-img', 'bitmap', '--add', image, 'old'],
                       check=True, timeout=30)

    class Shared(WithBitmaps):
        def _qemu(self, name, which):
            there = name == 'destination'
            path = bind(lab, folder) / 'vm.qcow2' if there else image
            return Qemu(lab, lab.host(name), [Image(str(path), 'qcow2')],
                        incoming=there, live=False, binary=BINARIES[which]())

    move = Shared(lab, pki, Case(formats=('qcow2',), live=False,
                                 binaries=(binary, binary), options=STAY))
    before = contents(move.source)
    assert ('old' in move.kinds) == stored
    move.start()
    assert move.engine.wait(60) == 0, move.engine.text()
    assert move.engine.result()['disks'] == []
    assert kinds(move.destination) == move.kinds
    assert contents(move.destination) == before
    move.destination.spy.cmd('cont')
    assert kinds(move.destination) == move.kinds
    assert contents(move.destination) == before


def the_warning(move):
    """What preflight says of bitmaps that do not travel."""
    [verdict] = [v for v in
                 move.engine.events('PREFLIGHT')[0]['data']['verdicts']
                 if v['id'] == 'bitmaps' and v['level'] == 'warning']
    return verdict['what']


def test_one_in_use_is_named(lab, pki):
    """Then none of its disk travels, those of another disk do, and the guest
    moves all the same."""
    move = Move(lab, pki, Case(formats=('qcow2', 'qcow2'), live=False))
    s = move.source.spy
    add_bitmaps(move.source, 'disk0')
    add_bitmaps(move.source, 'disk1')
    s.cmd('nbd-server-start', addr={
        'type': 'unix', 'data': {'path': str(lab.path('own.nbd'))}})
    s.cmd('block-export-add', type='nbd', id='own', node_name='disk0',
          name='own', bitmaps=['off'])
    move.start()
    assert move.engine.wait(60) == 0, move.engine.text()
    warning = the_warning(move)
    assert warning.startswith('the dirty bitmaps of disk vd0 do not')
    assert all(name in warning for name in NAMES)
    assert 'off is in use' in warning
    assert bitmaps(move.destination) == {}
    assert set(bitmaps(move.destination, 'disk1')) == set(NAMES)


def test_one_of_a_lower_node_is_named(lab, pki):
    """It stays, and keeps nothing of the disk's own from moving."""
    move = Move(lab, pki, Case(formats=('qcow2',), live=False))
    s = move.source.spy
    add_bitmaps(move.source)
    s.cmd('block-dirty-bitmap-add', node='disk0-file', name='below')
    move.start()
    assert move.engine.wait(60) == 0, move.engine.text()
    assert the_warning(move).endswith('do not travel: disk0-file (below)')
    assert set(bitmaps(move.destination)) == set(NAMES)
    assert bitmaps(move.destination, 'disk0-file') == {}
