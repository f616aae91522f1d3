"""What must not be moved is refused, with a reason, and nothing is changed.

A case is a row: what is wrong with the pair, and what the engine has to say.
No guest runs here, since none has to.
"""

import socket
from dataclasses import replace

import pytest

import binaries
from qemu import make_image
from refusals import Refusal, run_case


# ---- what is done to a pair ----

def migrate_to_a_dead_end(pair):
    """A stream that nobody reads."""
    spy = pair.source.spy
    spy.cmd('migrate-set-parameters', max_bandwidth=4096)
    listener = socket.socket(socket.AF_UNIX)
    pair.lab.on_exit(listener.close)
    path = str(pair.lab.path('dead-end'))
    listener.bind(path)
    listener.listen()
    spy.cmd('migrate', uri=f'unix:{path}')
    spy.wait_status('active')


def listen(pair):
    pair.destination.spy.cmd('migrate-incoming',
                             uri=f'tcp:{pair.words["there"]}:49170')


def waste(pair):
    """It took a stream once, and that was none."""
    spy = pair.destination.spy
    spy.cmd('migrate-incoming', exit_on_error=False, channels=[{
        'channel-type': 'main', 'addr': {
            'transport': 'exec', 'args': ['/bin/echo', 'no guest']}}])
    spy.wait_status('failed', failing=())


def start_job(pair):
    """A mirror to nowhere, ready for ever."""
    spy = pair.source.spy
    spy.cmd('blockdev-add', driver='null-co', node_name='nowhere',
            size=16 << 20, read_zeroes=True)
    spy.cmd('blockdev-mirror', job_id='foreign', device='disk0',
            target='nowhere', sync='none')
    spy.wait_event('BLOCK_JOB_READY')


def leave_job(pair):
    """One that has ended, which nobody dismissed."""
    spy = pair.destination.spy
    spy.cmd('blockdev-create', job_id='foreign', options={
        'driver': 'file', 'size': 1 << 20,
        'filename': str(pair.lab.path('created'))})
    spy.wait_event('JOB_STATUS_CHANGE', id='foreign', status='concluded')


def export_disk(pair):
    spy = pair.destination.spy
    spy.cmd('nbd-server-start', addr={'type': 'inet', 'data': {
        'host': pair.words['there'], 'port': '49171'}})
    spy.cmd('block-export-add', type='nbd', id='foreign', node_name='disk0')


def pc(kind, **more):
    return {'extra': ('-device', ','.join(
        [kind, *(f'{k}={v}' for k, v in more.items())]))}


def dimm(size, slot=0):
    return {'extra': ('-m', '64,slots=2,maxmem=1G', '-object',
                      f'memory-backend-ram,id=m0,size={size}M', '-device',
                      f'pc-dimm,id=dimm0,memdev=m0,slot={slot}')}


def backend(size):
    return {'extra': ('-object', f'memory-backend-ram,id=m0,size={size}M')}


def cpu(model):
    return {'extra': ('-cpu', model)}


STATES = {
    'migration-running': Refusal(
        r'a migration of the source is already under way \(active\)',
        'wait for it', ('migration-running',), spoil=migrate_to_a_dead_end,
        changes=('parameters',)),
    'not-waiting': Refusal(
        r"the destination does not wait for a guest \(it is 'prelaunch'\)",
        'start a fresh destination.*-incoming defer',
        ('destination-waiting',),
        destination={'incoming': False, 'paused': True}),
    'running-there': Refusal(
        r"the destination does not wait for a guest \(it is 'running'\)",
        'start a fresh destination', ('destination-waiting',),
        destination={'incoming': False}),
    'listening': Refusal(
        r'the destination already listens, on port 49170.*agreed before',
        'start a fresh destination', ('destination-waiting',), spoil=listen),
    'used': Refusal(
        r"the destination was already used \(its migration is 'failed'\).*"
        'one incoming guest in its life', 'start a fresh destination',
        ('destination-waiting',), spoil=waste),
    'source-is-waiting': Refusal(
        "the source's guest has not arrived yet; SOURCE and DESTINATION may be .*"
        "'inmigrate'", '', ('run-state',), source={'incoming': True}),
    'not-migratable': Refusal(
        "the source's QEMU cannot be migrated: .*nvme.*and 1 more reason",
        'device_del', ('blocked-reasons',),
        both=pc('nvme', id='n0', serial='1')),
    'job-at-source': Refusal(
        r'the source has a job: mirror foreign \(ready\).*would not survive',
        'job-cancel foreign', ('foreign-jobs',), spoil=start_job),
    'job-at-destination': Refusal(
        r'the destination has a job: create foreign \(concluded\)',
        'job-dismiss foreign at the destination', ('foreign-jobs',),
        spoil=leave_job),
    'exporting': Refusal(
        'the destination already exports disks: foreign.*one NBD server',
        'nbd-server-stop at the destination', ('exports',),
        spoil=export_disk),
}

MACHINES = {
    'machine-type': Refusal(
        'the machine type is pc-q35-7.2 at the source and pc-q35-7.1 at the '
        'destination', '-machine pc-q35-7.2', ('machine-type',),
        destination={'machine': 'pc-q35-7.1'}),
    'ram-size': Refusal(
        'RAM is 64 MiB at the source and 96 MiB at the destination',
        "the source's -m$", ('memory-backends', 'ram-size'),
        destination={'mem': 96}),
    'cpus': Refusal(
        'the guest has 1 CPUs? at the source and 2 at the destination',
        '-smp', ('cpu-topology',), destination={'smp': 2}),
    'topology': Refusal(
        'CPU 1 is socket 0 core 1 thread 0 at the source and socket 1 core 0',
        "the source's -smp", ('cpu-topology',),
        source={'smp': '2,sockets=1,cores=2'},
        destination={'smp': '2,sockets=2,cores=1'}),
    'uuid': Refusal(
        'the UUID is 11111111-.* at the source and 22222222-.* at the '
        'destination: .*made for another guest', '-uuid 11111111-',
        ('uuid',),
        source={'uuid': '11111111-1111-1111-1111-111111111111'},
        destination={'uuid': '22222222-2222-2222-2222-222222222222'}),
    'dimm-size': Refusal(
        'hot-plugged RAM is 128 MiB at the source and 256 MiB at the',
        'DIMMs', ('memory-backends', 'memory-devices', 'ram-size'),
        source=dimm(128), destination=dimm(256)),
    'dimm-slot': Refusal(
        'memory device dimm0 is .*slot 0.* at the source and .*slot 1',
        '', ('memory-devices',),
        source=dimm(128), destination=dimm(128, slot=1)),
    'backend-size': Refusal(
        'memory backend m0 is 32 MiB at the source and 48 MiB', '',
        ('memory-backends',), source=backend(32), destination=backend(48)),
    'backend-missing': Refusal(
        r'memory backend m0 \(32 MiB\) of the source is not at the dest', '',
        ('memory-backends',), source=backend(32)),
    'device-only-there': Refusal(
        'the destination has a device that the source has not: '
        'virtio-rng-pci rng0.*would not notice',
        "remove it from the destination's command line", ('devices',),
        destination=pc('virtio-rng-pci', id='rng0')),
    'device-only-here': Refusal(
        'the source has a device that the destination has not: '
        'virtio-rng-pci rng0.*could not load', 'add it to the destination',
        ('devices',), source=pc('virtio-rng-pci', id='rng0')),
    'device-elsewhere': Refusal(
        'a device differs: virtio-rng-pci rng0 at .*06.* at the source, '
        'virtio-rng-pci rng0 at .*07', r'bus=,addr=', ('devices',),
        source=pc('virtio-rng-pci', id='rng0', addr='06'),
        destination=pc('virtio-rng-pci', id='rng0', addr='07')),
    'device-of-another-type': Refusal(
        'a device differs: e1000 n at .* at the source, virtio-net-pci n ',
        'same type', ('devices',), source=pc('e1000', id='n'),
        destination=pc('virtio-net-pci', id='n')),
    'feature-lost': Refusal(
        "the guest's CPU has ssse3 at the source, which the destination "
        'does not have: programs that use them would crash',
        'same -cpu', ('cpu-features',), source=cpu('qemu64,+ssse3'),
        destination=cpu('qemu64')),
    'feature-gained-by-max': Refusal(
        "the guest's CPU would gain ssse3 at the destination", 'named model',
        ('cpu-features',), source=cpu('max,-ssse3'),
        destination=cpu('max')),
    'cpu-property': Refusal(
        r"the guest's CPU differs .*: family \(15, 16\)",
        'same -cpu', ('cpu-features',), source=cpu('qemu64'),
        destination=cpu('qemu64,family=16')),
}


def by_hand(path_of, *more):
    """disk0 with more words for its node, on a file that the pair tells."""
    return {'disks': [], 'extra': lambda pair: (
        '-blockdev', 'driver=file,node-name=disk0-file,'
        f'filename={path_of(pair)}',
        '-blockdev', ','.join(('driver=raw', 'node-name=disk0',
                               'file=disk0-file', *more)),
        '-device', 'virtio-blk-pci,id=vd0,drive=disk0,serial=disk0')}


def new_image(pair):
    return make_image(pair.lab, 'image', size=16 << 20)


def symlink(pair):
    path = pair.lab.path('symlink')
    path.symlink_to(pair.source.disks[0].path)
    return path


def hard_link(pair):
    path = pair.lab.path('hard-link')
    path.hardlink_to(pair.source.disks[0].path)
    return path


SAME = 'disk vd0 is the same image on both sides: .*source0.raw.*destroy it'

DISKS = {
    'same-path': Refusal(
        SAME, 'as --disks auto does', ('disks',), options=('--disks', 'all'),
        destination={'disks': lambda pair: pair.source.disks}),
    'same-by-symlink': Refusal(SAME, 'leave it out', ('disks',),
                               options=('--disks', 'vd0'),
                               destination=by_hand(symlink)),
    'same-by-hard-link': Refusal(SAME, 'leave it out', ('disks',),
                                 options=('--disks', 'disk0'),
                                 destination=by_hand(hard_link)),
    'read-only': Refusal(
        'disk vd0 is read-only at the destination', 'read-only=off',
        ('disks',), destination=by_hand(new_image, 'read-only=on')),
    'size': Refusal(
        'disk vd0 has 16777216 bytes at the source and 33554432 at the '
        'destination: .*to the byte', 'size=16777216', ('disks',),
        destination={'size': 32 << 20}),
    'no-counterpart': Refusal(
        'the source has a device that the destination has not: virtio-blk-pci'
        ' vd0', '', ('devices', 'disks'), destination={'disks': []}),
    'unknown-id': Refusal(
        '--disks names vd7, which is not a disk of the source',
        "the source's disks are vd0", ('disks',), options=('--disks', 'vd7')),
    'unknown-among-known': Refusal(
        '--disks names sda, which is not a disk of the source', 'vd0',
        ('disks',), options=('--disks', 'disk0,sda')),
    'empty-tray': Refusal(
        'disk cd0 cannot be copied: empty tray', 'leave it out of --disks',
        ('disks',), both=pc('ide-cd', id='cd0', bus='ide.0'),
        options=('--disks', 'vd0,cd0')),
}


# What 7.2 cannot do is left out: a destination that outlives its failure.
ALL = STATES | MACHINES | DISKS
OLD = {name: refusal for name, refusal in ALL.items() if name != 'used'}


@pytest.mark.parametrize('refusal', ALL.values(), ids=ALL)
def test_refused(lab, pki, refusal):
    run_case(lab, pki, refusal)


@pytest.mark.sample(6)
@pytest.mark.parametrize('refusal', OLD.values(), ids=OLD)
def test_refused_by_an_older_qemu(lab, pki, refusal):
    old = {'binary': binaries.system()}
    run_case(lab, pki, replace(refusal, both=refusal.both | old))
