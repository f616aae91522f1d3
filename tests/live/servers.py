"""Real storage servers, each on a host of the lab: tgt, nfs-ganesha, Ceph and
GlusterFS as Debian packages them. They are fetched, not installed.

    server = Iscsi(lab)                 on the host 'storage'
    volume = server.make('a', b'A')     filled with that byte
    volume.at('source')                 how -blockdev names it there
    volume.read()                       its bytes, read behind the server

with_drivers(binary) is that QEMU with the drivers of qemu-block-extra.
"""

import json
import os
import uuid
from dataclasses import dataclass
from typing import Callable

from binaries import fetch
from host import ip_all
from lab import wait_until
from qemu import MIB

SIZE = 16 * MIB
LIBRARIES = 'usr/lib/x86_64-linux-gnu'
PORTMAPPER, NFS_PORT, MOUNT_PORT = 111, 2049, 20048
ISCSI_PORT, MON_PORT, GLUSTER_PORT = 3260, 6789, 24007

# The tree's /usr lies over the machine's, and the folders that a server writes
# to are its own. What is started there ends with the first process.
HOLD = """
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr || exit
if [ -d "$1/etc" ]; then
    mount -t overlay overlay -o "lowerdir=$1/etc:/etc" /etc || exit
fi
for folder in run var/lib var/log; do
    mount -t tmpfs tmpfs /$folder || exit
done
mkdir -p /var/lib/nfs/ganesha /var/log/ganesha /var/lib/glusterd \
    /var/log/glusterfs /run/ganesha /run/gluster /run/rpcbind
{ cat /etc/passwd; echo _rpc:x:65534:65534::/:/bin/false; } > /run/passwd
mount --bind /run/passwd /etc/passwd
mount --bind "$3" /srv
: > "$2"
exec sleep infinity
"""

# libgfapi looks for its translators below /usr only.
WITH_TREE = 'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && ' \
    'shift && exec "$@"'


def with_drivers(binary, tree=None):
    """The QEMU, 10.0 or the machine's own, with its drivers for iSCSI, NFS,
    RBD and GlusterFS; tree: with a tree of fetch-server's over /usr."""
    drivers = fetch('fetch-server', 'drivers') / LIBRARIES
    modules = drivers if binary.name == 'system' else \
        fetch('fetch-server', 'drivers10') / LIBRARIES
    path = ':'.join(filter(None, [binary.env.get('LD_LIBRARY_PATH'),
                                  str(drivers), f'{drivers}/ceph']))
    argv = binary.argv if not tree else (
        'unshare', '--mount', '--', 'sh', '-c', WITH_TREE, 'sh',
        str(fetch('fetch-server', tree)), *binary.argv)
    return binary._replace(argv=argv, env={
        **binary.env, 'LD_LIBRARY_PATH': path,
        'QEMU_MODULE_DIR': f'{modules}/qemu'})


def publish(lab, host):
    """A public address of the host, by which source and destination reach
    it: a private one may be another server in another network."""
    for one in {lab.host('source'), lab.host('destination'), host}:
        ip_all(one.netns, f'addr replace 192.0.2.{one.number}/24 dev eth0')
    return f'192.0.2.{host.number}'


def pattern(byte, size=SIZE):
    """The content of a volume. No two MiB of it are equal."""
    return b''.join(bytes([n]) + byte * (MIB - 1) for n in range(size // MIB))


@dataclass(frozen=True)
class Volume:
    """options: -blockdev's for the protocol node. there: those of the
    destination, if it names the same volume in another way."""
    options: str
    read: Callable
    there: str = ''

    def at(self, side):
        return self.there if side == 'destination' and self.there else \
            self.options


class Server:
    """A server on a host, run from a tree of fetch-server's. All its
    processes are in one PID namespace, which ends with the lab."""

    tree = None
    over_qemu = None            # the tree that QEMU itself needs

    def __init__(self, lab, name='storage', address=None):
        """address: how QEMUs name it; None: by a public address."""
        self.lab = lab
        self.host = lab.host(name)
        self.address = address or publish(lab, self.host)
        self.folder = lab.folder(f'server-{name}')
        self._ready = self.folder / '.ready'
        self._log = open(self.folder / '.log', 'wb')
        lab.on_exit(self._log.close)
        lab.show(f'{type(self).__name__} on {name}', self._said)
        self._holder = self.host.spawn(
            ['unshare', '--mount', '--pid', '--fork', '--kill-child',
             '--mount-proc', '--', 'sh', '-c', HOLD, 'sh',
             fetch('fetch-server', self.tree), self._ready, self.folder],
            stdout=self._log, stderr=self._log)
        wait_until(self._ready.exists, 10, 'the folders of a server')
        self.prepare()

    def prepare(self):
        """Starts what it consists of; returns when it answers."""
        raise NotImplementedError

    def spawn(self, *argv, env=None):
        return self.host.spawn(self._inside(argv), stdout=self._log,
                               stderr=self._log,
                               env=self.lab.env(**(env or {})))

    def run(self, *argv, env=None, check=True):
        return self.host.run(self._inside(argv), timeout=60, check=check,
                             env=self.lab.env(**(env or {})))

    def await_port(self, port):
        wait_until(lambda: port in self.host.listening(), 30,
                   f'port {port} on {self.host.name}')

    def _inside(self, argv):
        init = self._init()
        return ['nsenter', f'--mount=/proc/{init}/ns/mnt',
                f'--pid=/proc/{init}/ns/pid', '--', *argv]

    def _init(self):
        """The first process of the namespace: unshare's child."""
        path = f'/proc/{self._holder.pid}/task/{self._holder.pid}/children'
        with open(path) as file:
            return int(file.read())

    def _said(self):
        with open(self._log.name, errors='replace') as file:
            return file.read()[-4000:]

    def _write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path


class Iscsi(Server):
    """tgt. Each volume is logical unit 1 of a target of its own."""

    tree = 'iscsi'
    count = 0

    def prepare(self):
        self.env = {'TGT_IPC_SOCKET': str(self.folder / '.socket')}
        self.spawn('tgtd', '-f', '--iscsi', f'portal=0.0.0.0:{ISCSI_PORT}',
                   env=self.env)
        self.await_port(ISCSI_PORT)

    def _admin(self, *words):
        self.run('tgtadm', '--lld', 'iscsi', *words, env=self.env)

    def make(self, name, byte=b'\0', size=SIZE):
        path = self._write(name, pattern(byte, size))
        self.count += 1
        target = f'iqn.2026-12.org.example:{name}'
        one = ('--tid', str(self.count))
        self._admin('--op', 'new', '--mode', 'target', *one, '-T', target)
        self._admin('--op', 'new', '--mode', 'logicalunit', *one,
                    '--lun', '1', '-b', path)
        self._admin('--op', 'bind', '--mode', 'target', *one, '-I', 'ALL')
        return Volume(f'driver=iscsi,transport=tcp,portal={self.address}:'
                      f'{ISCSI_PORT},target={target},lun=1', path.read_bytes)


GANESHA = """
NFS_CORE_PARAM {{
    Plugins_Dir = {plugins};
    Protocols = 3;
    NFS_Port = {nfs};
    MNT_Port = {mount};
    Enable_NLM = false;
    Enable_RQUOTA = false;
}}
EXPORT {{
    Export_Id = 1;
    Path = /srv/images;
    Pseudo = /images;
    Access_Type = RW;
    Squash = No_Root_Squash;
    SecType = sys;
    Filesystem_Id = {id};
    FSAL {{ Name = VFS; }}
}}
"""


class Nfs(Server):
    """nfs-ganesha, and the portmapper: QEMU's driver speaks version 3."""

    tree = 'nfs'

    def prepare(self):
        (self.folder / 'images').mkdir()
        conf = self.folder / 'ganesha.conf'
        conf.write_text(GANESHA.format(
            plugins=f'/{LIBRARIES}/ganesha', nfs=NFS_PORT, mount=MOUNT_PORT,
            id=f'{os.getpid()}.{self.host.number}'))
        self.spawn('rpcbind', '-f')
        self.await_port(PORTMAPPER)
        self.spawn('ganesha.nfsd', '-F', '-f', conf,
                   '-p', '/run/ganesha/pid', '-L', 'STDERR')
        self.await_port(NFS_PORT)
        self.await_port(MOUNT_PORT)

    def make(self, name, byte=b'\0', size=SIZE):
        path = self._write(f'images/{name}', pattern(byte, size))
        return Volume(f'driver=nfs,server.type=inet,server.host={self.address}'
                      f',path=/srv/images/{name}', path.read_bytes)


CEPH = """
[global]
fsid = {fsid}
mon_host = [v2:{address}:3300,v1:{address}:{port}]
mon_initial_members = a
public_addr = {address}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
mon_allow_pool_size_one = true
mon_cluster_log_file = /dev/null
mon_data = {folder}/mon
osd_data = {folder}/osd
osd_objectstore = memstore
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
keyring = {folder}/keyring
log_file =
"""


class Ceph(Server):
    """A cluster of one monitor and one OSD, which keeps its data in memory.
    Its data is written and read with the program rbd."""

    tree = 'ceph'

    def prepare(self):
        self.fsid = str(uuid.uuid4())
        self.conf = self.folder / 'ceph.conf'
        self.conf.write_text(CEPH.format(
            fsid=self.fsid, address=self.address, port=MON_PORT,
            folder=self.folder))
        (self.folder / 'osd').mkdir()
        self.tool('ceph-authtool', '--create-keyring',
                  self.folder / 'keyring', '--gen-key', '-n', 'mon.')
        self.tool('ceph-mon', '--mkfs', '-i', 'a', '--fsid', self.fsid)
        self.spawn('ceph-mon', '-c', self.conf, '-i', 'a', '-f')
        self.await_port(MON_PORT)
        osd = str(uuid.uuid4())
        self.tool('ceph', 'osd', 'new', osd)
        self.tool('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd)
        self.spawn('ceph-osd', '-c', self.conf, '-i', '0', '-f')
        wait_until(lambda: json.loads(self.tool(
            'ceph', 'osd', 'stat', '-f', 'json'))['num_up_osds'], 60,
            'the OSD is up')
        self.tool('ceph', 'osd', 'pool', 'create', 'rbd', '8')
        self.tool('rbd', 'pool', 'init', 'rbd')

    def tool(self, name, *words):
        return self.run(name, '-c', self.conf, *words).stdout

    def make(self, name, byte=b'\0', size=SIZE):
        path = self._write(f'{name}.in', pattern(byte, size))
        self.tool('rbd', 'import', '--no-progress', path, f'rbd/{name}')
        return Volume(f'driver=rbd,pool=rbd,image={name},server.0.host='
                      f'{self.address},server.0.port={MON_PORT},'
                      'auth-client-required.0=none',
                      lambda: self._export(name))

    def _export(self, name):
        path = self.folder / f'{name}.out'
        path.unlink(missing_ok=True)
        self.tool('rbd', 'export', '--no-progress', f'rbd/{name}', path)
        return path.read_bytes()


class Gluster(Server):
    """glusterd with the volume vm, of one brick."""

    tree = 'gluster'
    over_qemu = 'gluster'

    def prepare(self):
        self.spawn('glusterd', '-N', '-l', '/dev/stderr')
        self.await_port(GLUSTER_PORT)
        wait_until(lambda: self._volume('list', check=False).returncode == 0,
                   60, 'glusterd answers')
        self._volume('create', 'vm', f'{self.host.address}:/srv/brick',
                     'force')
        self._volume('start', 'vm')

    def _volume(self, *words, check=True):
        return self.run('gluster', '--mode=script', 'volume', *words,
                        check=check)

    def make(self, name, byte=b'\0', size=SIZE):
        path = self._write(f'brick/{name}', pattern(byte, size))
        return Volume(f'driver=gluster,volume=vm,path={name},'
                      f'server.0.type=inet,server.0.host={self.address},'
                      f'server.0.port={GLUSTER_PORT}', path.read_bytes)
