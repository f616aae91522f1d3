"""QEMUs in containers: a PID namespace and a mount namespace of their own, as
docker and podman make them. Their paths are those of the container."""

import shlex
import uuid
from pathlib import Path

import pytest

import binaries
from lab import wait_until
from qemu import Image
from refusals import Pair, Refusal, refuse
from sshd import Sshd, ssh_env

SIZE = 4 << 20


def contained(lab, root, *mounts):
    """A QEMU whose root is that folder, which shows all of the machine but
    what each mount, (what, where), covers."""
    lines = [f'mount --rbind / {root}'] + [
        f'mount --bind {shlex.quote(str(what))} '
        f'{shlex.quote(str(root) + str(where))}' for what, where in mounts]
    lines += [f'mount -t proc proc {root}/proc', f'exec chroot {root} "$@"']
    binary = binaries.qemu10()
    return binary._replace(argv=(
        'unshare', '--mount', '--pid', '--fork', '--kill-child', '--', 'sh',
        '-c', ' && '.join(lines), 'sh', *binary.argv))


def child_of(pid):
    """unshare's, which waits for it."""
    return int(Path(f'/proc/{pid}/task/{pid}/children').read_text())


def filled(path, letter):
    Path(path).write_bytes(letter * SIZE)
    return Image(str(path), size=SIZE)


def content(image):
    return Path(str(image)).read_bytes()[:1]


class Boxed(Pair):
    """Both QEMUs have a disk of one name, the source's being that of its
    container. path: its name. real: where the source's really is."""

    def __init__(self, lab, pki, folder, mounts, real, destination,
                 refusal=Refusal('')):
        self.path = Path(folder) / 'disk.raw'
        self.real = filled(real / 'disk.raw', b's')
        self.there = filled(destination, b'd')
        root = lab.folder('root')
        binary = contained(lab, root, *mounts)
        options = {'source': {
            'binary': binary, 'disks': [Image(str(self.path), size=SIZE)]},
            'destination': {'disks': [self.there]}}
        super().__init__(lab, pki, Refusal(
            '', source=options['source'] | refusal.source,
            destination=options['destination'] | refusal.destination))
        self.source.pid = child_of(self.source.process.pid)

    def copied(self, engine):
        """By what is in the files, and that its process was known."""
        assert engine.process.returncode == 0, engine.text()
        assert self.destination.status() == 'running'
        assert content(self.there) == b's'
        [verdicts] = [e['data']['verdicts']
                      for e in engine.events('PREFLIGHT')]
        assert [v['level'] for v in verdicts if v['id'] == 'hosts'] == [
            'ok', 'ok'], verdicts
        self.source.wait_exit()


def same_name(lab, pki, **more):
    """Each has an image of the same path; the container's is another."""
    folder, other = lab.folder('images'), lab.folder('volume')
    return Boxed(lab, pki, folder, [(other, folder)], other,
                 folder / 'disk.raw', **more)


def by_a_link(lab, pki, **more):
    """A folder of the path is an absolute link, meant below the container's
    root: there its target is another folder than here."""
    folder, other = lab.folder('images'), lab.folder('volume')
    link = lab.path('link')
    link.symlink_to(folder)
    return Boxed(lab, pki, link, [(other, folder)], other,
                 folder / 'disk.raw', **more)


@pytest.mark.parametrize('make', [same_name, by_a_link])
def test_its_paths_are_not_ours(lab, pki, make):
    """The destination has the file of that name that the login sees."""
    pair = make(lab, pki)
    pair.copied(pair.run(Refusal('')))


@pytest.mark.long
def test_its_socket_has_another_name(lab, pki):
    """By ssh: the listener is found by the socket's file, and its paths are
    those of the container."""
    folder, other = lab.folder('images'), lab.folder('volume')
    monitor = {'extra': (
        '-chardev', f'socket,id=box,path={folder}/box,server=on,wait=off',
        '-mon', 'chardev=box,mode=control')}
    pair = Boxed(lab, pki, folder, [(other, folder)], other,
                 folder / 'disk.raw', Refusal('', source=monitor))
    Sshd(lab, lab.host('source'), boot_id=str(uuid.uuid4()))
    pair.copied(pair.run(Refusal('', peers=(
        f'ssh://source{other}/box', '{destination}')), env=ssh_env(lab)))


def relay(pair, path):
    """Somebody else's socket, that leads to the source's."""
    script = f'''
import socket, threading
def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
door = socket.socket(socket.AF_UNIX)
door.bind({str(path)!r})
door.listen()
while True:
    a, b = door.accept()[0], socket.socket(socket.AF_UNIX)
    b.connect({pair.source.qmp!r})
    threading.Thread(target=pump, args=(a, b), daemon=True).start()
    threading.Thread(target=pump, args=(b, a), daemon=True).start()
'''
    pair.lab.spawn(['/usr/bin/python3', '-c', script], host=pair.source.host)
    wait_until(path.exists, 10, 'the relay listens')


def test_whose_paths_nobody_knows(lab, pki):
    """Where the process is not known, a path is not looked up in the file
    system of whoever logs in."""
    pair = same_name(lab, pki)
    path = lab.path('relayed')
    relay(pair, path)
    refuse(pair, Refusal(
        'disk vd0 is shared: .*could not be looked at', '--disks|--shared',
        ('disks',), peers=(str(path), '{destination}')))
    assert content(pair.there) == b'd'
    assert content(pair.real) == b's'
