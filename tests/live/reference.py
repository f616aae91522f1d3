"""A migration in plain Python: the shortest correct sequence of commands.

It proves the harness without the engine, and is what the engine is measured
against. It trusts that nothing goes wrong, and undoes nothing.
"""

import time
from typing import NamedTuple

CAPABILITIES = ('events', 'return-path', 'pause-before-switchover')


class Result(NamedTuple):
    total_ms: float             # from the first command to the guest's cont
    qemu_total_ms: int          # as QEMU reports it
    qemu_downtime_ms: int
    stopped_ms: float           # source's STOP to destination's RESUME


def set_capabilities(qemu, names):
    qemu.spy.cmd('migrate-set-capabilities', capabilities=[
        {'capability': name, 'state': True} for name in names])


def add_credentials(qemu, endpoint, directory):
    qemu.spy.cmd('object-add', qom_type='tls-creds-x509', id='ref-tls',
                 endpoint=endpoint, dir=str(directory), verify_peer=True)


def mirror(source, destination, disks, address, port, tls, hostname,
           copy_mode='write-blocking'):
    """Export at the destination, mirror from the source, wait until in sync;
    what discard the target may have is a matter of the source's version."""
    s, d = source.spy, destination.spy
    creds = {'tls_creds': 'ref-tls'} if tls else {}
    d.cmd('nbd-server-start', **creds, addr={
        'type': 'inet', 'data': {'host': address, 'port': str(port)}})
    for n in disks:
        d.cmd('block-export-add', type='nbd', id=f'ref-{n}', name=f'ref-{n}',
              node_name=f'disk{n}', writable=True)
    if tls:
        creds['tls_hostname'] = hostname
    for n in disks:
        s.cmd('blockdev-add', driver='nbd', node_name=f'ref-{n}',
              export=f'ref-{n}', **creds, **target_options(source, n),
              server={'type': 'inet', 'host': address, 'port': str(port)})
        s.cmd('blockdev-mirror', job_id=f'ref-{n}', device=f'disk{n}',
              target=f'ref-{n}', sync='full', copy_mode=copy_mode,
              on_target_error='report', auto_dismiss=False)
    for n in disks:
        s.wait_event('BLOCK_JOB_READY', device=f'ref-{n}')


def target_options(source, disk):
    """8.2 to 10.0.12 lose writes while the mirror of an image that is not
    raw starts, if the target may discard."""
    raw = source.disks[disk].format == 'raw'
    buggy = (8, 2, 0) <= source.spy.version < (10, 0, 13)
    return {'discard': 'unmap'} if raw or not buggy else {}


def settle(source, disks):
    """With the guest stopped: the mirrors end in sync, or this raises."""
    s = source.spy
    for n in disks:
        s.cmd('block-job-cancel', device=f'ref-{n}')
    for n in disks:
        done = s.wait_event('BLOCK_JOB_COMPLETED', device=f'ref-{n}')
        if 'error' in done.data:
            raise RuntimeError(f'mirror of disk {n}: {done.data["error"]}')
        s.wait_event('JOB_STATUS_CHANGE', id=f'ref-{n}', status='concluded')
        s.cmd('job-dismiss', id=f'ref-{n}')
        s.cmd('blockdev-del', node_name=f'ref-{n}')


def migrate(source, destination, *, disks=(), tls=None, hostname=None,
            channels=0, parameters=None, address=None, port=49152,
            nbd_port=49153, uri=None, resume=True, quit_source=True,
            timeout=120):
    """Moves the guest. tls: (source's folder, destination's folder). disks:
    numbers of those to mirror. uri: another way than TCP, as unix:PATH.
    timeout: how long RAM may take, in s; then it raises TimeoutError."""
    s, d = source.spy, destination.spy
    address = address or destination.host.address
    hostname = hostname or destination.host.name
    began = time.monotonic()
    if tls:
        add_credentials(source, 'client', tls[0])
        add_credentials(destination, 'server', tls[1])

    multifd = ('multifd',) if channels else ()
    set_capabilities(destination, ('events', 'return-path', *multifd))
    set_capabilities(source, (*CAPABILITIES, *multifd))
    common = {'multifd_channels': channels} if channels else {}
    if tls:
        common['tls_creds'] = 'ref-tls'
    if common:
        d.cmd('migrate-set-parameters', **common)
    if tls:
        common['tls_hostname'] = hostname
    s.cmd('migrate-set-parameters', **common,
          **{'max-bandwidth': 0, 'downtime-limit': 300, **(parameters or {})})

    if disks:
        mirror(source, destination, disks, address, nbd_port, tls, hostname)
    uri = uri or f'tcp:{address}:{port}'
    d.cmd('migrate-incoming', uri=uri)
    first = len(s.events)
    s.cmd('migrate', uri=uri)
    s.wait_status('pre-switchover', timeout=timeout)
    if destination.status() != 'inmigrate':
        raise RuntimeError(f'destination is {destination.status()}')
    settle(source, disks)
    s.cmd('migrate-continue', state='pre-switchover')
    info = s.wait_status('completed')
    d.wait_status('completed')
    if disks:
        d.cmd('nbd-server-stop')
    if resume:
        d.cmd('cont')
    ended = time.monotonic()
    stopped = 0.0
    if resume:
        stop = s.wait_event('STOP', since=first)
        stopped = (d.wait_event('RESUME').time - stop.time) * 1000
    if tls:
        d.cmd('migrate-set-parameters', tls_creds='')
        d.cmd('object-del', id='ref-tls')
    if quit_source:
        source.quit()
    return Result((ended - began) * 1000, info['total-time'],
                  info['downtime'], stopped)
