"""Disks on a server, and disks made up by QEMU: names are all that is known
of them, and the same name near each host is not the same thing."""

import pytest

from cases import BINARIES
from lab import wait_until
from qemu import make_image
from refusals import Pair, Refusal, blockers, state_of, unlike

PORT = 10809


class Server:
    """qemu-nbd with one image, on a host of its own or at a socket."""

    def __init__(self, lab, name='storage'):
        self.host = lab.host('storage')
        self.path = lab.path(f'{name}.sock')
        image = make_image(lab, name, size=16 << 20)
        self.process = self.host.spawn(
            ['qemu-nbd', '--persistent', '--shared=8', '--format=raw',
             '--export-name=vm', *self.where(), image.path])
        wait_until(self.is_there, 10, 'qemu-nbd')

    def where(self):
        return '--bind=0.0.0.0', f'--port={PORT}'

    def is_there(self):
        return PORT in self.host.listening(self.process.pid)


class Near(Server):
    def where(self):
        return f'--socket={self.path}',

    def is_there(self):
        return self.path.exists()


def disk(protocol):
    read_only = ',read-only=on' if protocol.startswith('driver=vvfat') else ''
    return {'disks': [], 'extra': (
        '-blockdev', f'{protocol},node-name=disk0-file{read_only}',
        '-blockdev', f'driver=raw,node-name=disk0,file=disk0-file{read_only}',
        '-device', 'virtio-blk-pci,id=vd0,drive=disk0')}


def inet(address):
    return disk(f'driver=nbd,export=vm,server.type=inet,server.host={address},'
                f'server.port={PORT}')


def one_name(lab):
    """An address that is one everywhere."""
    server = Server(lab)
    for n, name in enumerate(('storage', 'source', 'destination'), 1):
        lab.host(name).run(['ip', 'addr', 'add', f'198.51.100.{n}/24', 'dev',
                            'eth0'])
    assert server.host is lab.host('storage')
    there = inet('198.51.100.1')
    return there, there


def one_private_name(lab):
    """An address that each network may have for itself."""
    there = inet(Server(lab).host.address)
    return there, there


def two_names(lab):
    host = Server(lab).host
    return inet(host.address), inet(host.migration_address)


def one_socket(lab):
    near = disk('driver=nbd,export=vm,server.type=unix,'
                f'server.path={Near(lab).path}')
    return near, near


def a_server_and_a_file(lab):
    image = make_image(lab, 'own', size=16 << 20)
    return (inet(Server(lab).host.address),
            disk(f'driver=file,filename={image.path}'))


def one_folder(lab):
    """FAT that each QEMU makes of the folder of that name on its host."""
    folder = lab.folder('config')
    (folder / 'user-data').write_text('#cloud-config\n')
    made = disk(f'driver=vvfat,dir={folder}')
    return made, made


NEAR = 'the same name of something near each host'
REFUSED = {
    'one-private-name': (one_private_name, 'the same name, of a server that '
                         'may be another one for each host'),
    'two-names': (two_names, 'two names of network images'),
    'one-socket': (one_socket, NEAR),
    'a-file-there': (a_server_and_a_file, 'a network image on one side'),
    'vvfat': (one_folder, NEAR),
}


def pair_of(lab, pki, binary, make):
    here, there = make(lab)
    refusal = Refusal('', source=here, destination=there,
                      both={'binary': BINARIES[binary]()})
    return Pair(lab, pki, refusal)


@pytest.mark.parametrize('binary', ['qemu10', 'system'])
def test_one_name_at_a_server_is_shared(lab, pki, binary):
    """Nothing is said of it, and nothing of it is copied."""
    pair = pair_of(lab, pki, binary, one_name)
    plan = pair.run(Refusal('', options=('--dry-run',)))
    [vd0] = plan.events('PLAN')[0]['data']['disks']
    assert (vd0['verdict'], vd0['reason']) == \
        ('shared', 'one network image, which both sides name')
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 0, engine.text()
    assert engine.result()['disks'] == []
    assert pair.destination.status() == 'running'


@pytest.mark.parametrize('binary', ['qemu10', 'system'])
@pytest.mark.parametrize('make,says', REFUSED.values(), ids=REFUSED)
def test_what_a_name_does_not_tell_is_asked(lab, pki, make, says, binary):
    pair = pair_of(lab, pki, binary, make)
    before = state_of(pair)
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 3, engine.text()
    [b] = blockers(engine)
    assert f'whether disk vd0 is shared: {says}' in b['what']
    assert '--shared vd0' in b['fix'] and '--disks' in b['fix']
    assert unlike(pair, before) == []
    engine = pair.run(Refusal('', options=('--shared', 'vd0')), 'check')
    assert engine.process.returncode == 0, engine.text()
