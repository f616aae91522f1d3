#!/usr/bin/python3
"""./dev bench rekey: does a long TLS stream survive its new keys?

GnuTLS gives a TLS 1.3 session with AES-GCM new keys after 2^24 records, by
itself, in whichever thread sends or receives; QEMU uses one session from two
threads where a migration has a return path (QEMU's issue 1937, GnuTLS' issue
1717). So a guest under KVM, a boot sector that writes to each page of 512 MiB
again and again, is kept from getting across one such stream until --gib were
sent; then it may, which takes the return path, and must run on at the
destination.

A migration of plain QEMUs: the engine has no part in it. What a QEMU has
measured is kept in --results, and it is not measured again; --write makes
REKEY.md of all that is there.
"""

import contextlib
import json
import re
import time
from pathlib import Path

import binaries
import page
import reference
import script
import sector
from lab import Lab, wait_until
from pki import Pki
from qemu import Qemu
from qmp import LinkLost, QmpError

GIB = 1 << 30
MEM, HOT = 640, 512                 # MiB: of the guest, and what it writes to
REKEY_RECORDS = 1 << 24             # GnuTLS: of one key with AES-GCM
RECORD_COST = 5 + 1 + 16            # bytes of TLS 1.3 around what is in one
PORT = 49152
LOOK_S = 0.2
# A pass ends slowly, so that the guest, where it writes slower than all is
# sent, has written to enough until the next one begins.
LAST_MIB, LAST_MIB_S = 32, 32
SLOW_S = 60                         # without a byte
END_S = 120                         # until it is across, once it may be
# TLS 1.3 with AES-GCM, or no handshake
PRIORITY = 'NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM'
KNOWN = {'7.2': binaries.system, '10.0': binaries.qemu10,
         '11.1': lambda: binaries.suite('sid')}


def boot_image(path):
    path.write_bytes(sector.sector(sector.writer(HOT)) + bytes(1 << 20))


class Kvm(Qemu):
    """With the boot sector; what the guest does is seen in its RAM."""

    def _argv(self, theirs, o):
        argv = super()._argv(theirs, o)
        argv[argv.index('tcg')] = 'kvm'
        return argv

    def counter(self):
        text = self.spy.cmd('human-monitor-command',
                            command_line=f'xp /1wx {sector.FIRST_WORD}')
        return int(text.split(':')[1], 16)

    def wait_working(self):
        """It has written to all twice."""
        first = self.counter()
        wait_until(lambda: self.counter() > first + 1, 120,
                   'the guest writes', 0.1)

    def gnutls(self):
        """The version of the library that it has loaded."""
        maps = Path(f'/proc/{self.pid}/maps').read_text()
        [path] = set(re.findall(r'/\S*libgnutls\.so\S*', maps))
        found = re.search(rb'\0(3\.\d+\.\d+)\0', Path(path).read_bytes())
        return found.group(1).decode() if found else Path(path).name


def start(lab, name, binary, image):
    return Kvm(lab, lab.host(name), [], incoming=name == 'destination',
               live=False, binary=binary, mem=MEM, extra=[
                   '-blockdev', 'driver=file,node-name=boot,read-only=on,'
                   f'filename={image}',
                   '-device', 'virtio-blk-pci,id=vd0,drive=boot'])


def add_credentials(pki, lab, pair):
    for qemu, endpoint in zip(pair, ('client', 'server')):
        folder = pki.for_host(lab.folder(f'pki-{endpoint}'), qemu.host)
        qemu.spy.cmd('object-add', qom_type='tls-creds-x509', id='tls0',
                     endpoint=endpoint, dir=str(folder), verify_peer=True,
                     priority=PRIORITY)


def begin_migration(source, destination):
    """One stream with a return path, never short enough to end."""
    address = destination.host.address
    reference.set_capabilities(destination, ('events', 'return-path'))
    reference.set_capabilities(source, ('events', 'return-path'))
    destination.spy.cmd('migrate-set-parameters', tls_creds='tls0')
    source.spy.cmd('migrate-set-parameters', tls_creds='tls0',
                   tls_hostname=destination.host.name,
                   **{'max-bandwidth': 0, 'downtime-limit': 1})
    destination.spy.cmd('migrate-incoming', uri=f'tcp:{address}:{PORT}')
    source.spy.cmd('migrate', uri=f'tcp:{address}:{PORT}')
    wait_until(lambda: source.spy.cmd('query-migrate')['status'] == 'active',
               60, 'the stream begins', 0.1)


def bytes_on_wire(lab, source):
    """What the peer has acknowledged, and what waits in the socket."""
    out = lab.run(['ss', '-tinH', 'state', 'established', 'dport', '=',
                   f':{PORT}'], host=source.host).stdout
    [(waits, acked)] = re.findall(
        r'^\d+ +(\d+) [^\n]*\n.*?bytes_acked:(\d+)', out, re.S)
    return int(waits) + int(acked)


def count_bytes(lab, source, found):
    """Both in one moment, as far as that can be had."""
    before = source.spy.cmd('query-migrate')['ram']['transferred']
    wire = bytes_on_wire(lab, source)
    ram = source.spy.cmd('query-migrate')['ram']
    found.update(plain_bytes=(before + ram['transferred']) // 2,
                 wire_bytes=wire, pages=ram['normal'],
                 passes=ram['dirty-sync-count'])


def pace(source, info, slow):
    """Whether it is to be sent slowly from now on."""
    wanted = info['ram']['remaining'] < LAST_MIB << 20
    if wanted != slow:
        source.spy.cmd('migrate-set-parameters', **{
            'max-bandwidth': LAST_MIB_S << 20 if wanted else 0})
    return wanted


class Ended(Exception):
    """Not as it should."""


def check_alive(pair, info):
    for qemu in pair:
        if not qemu.is_alive():
            raise Ended(f'the {qemu.host.name} ended with exit status '
                        f'{qemu.process.returncode}: '
                        f'{qemu.stderr().strip()[-300:]}')
    if info['status'] in ('failed', 'cancelled'):
        raise Ended(f"{info['status']}: {info.get('error-desc', '')}; "
                    f'destination: {pair[1].stderr().strip()[-300:]}')


def ask(pair):
    """Of a source that may just have died."""
    try:
        info = pair[0].spy.cmd('query-migrate')
    except (LinkLost, QmpError) as e:
        wait_until(lambda: not pair[0].is_alive(), 10, f'an end after: {e}')
        info = {'status': 'gone'}
    check_alive(pair, info)
    return info


def send(lab, pair, limits, found, name):
    """Until so many bytes were sent, or the time is over."""
    wanted, seconds = limits
    began = moved = time.monotonic()
    last, slow = 0, False
    while True:
        info = ask(pair)
        if info['status'] != 'active':
            raise Ended(f"it came to {info['status']} too early")
        slow = pace(pair[0], info, slow)
        sent, now = info['ram']['transferred'], time.monotonic()
        if sent != last:
            last, moved = sent, now
        found['seconds'] = now - began
        page.show_progress(f'{name}: {sent / GIB:.1f} of {wanted / GIB:.0f} '
                           f'GiB in {now - began:.0f} s')
        if sent >= wanted or now - began > seconds:
            return count_bytes(lab, pair[0], found)
        if now - moved > SLOW_S:
            raise Ended(f'no byte for {SLOW_S} s')
        time.sleep(LOOK_S)


def let_end(pair):
    source, destination = pair
    source.spy.cmd('migrate-set-parameters', **{'downtime-limit': 2000000,
                                                'max-bandwidth': 0})
    by = time.monotonic() + END_S
    while ask(pair)['status'] != 'completed':
        if time.monotonic() > by:
            raise Ended(f'not across after {END_S} s')
        time.sleep(0.1)
    wait_until(lambda: destination.spy.cmd('query-migrate').get('status') ==
               'completed', 60, 'the destination has it all')
    destination.spy.cmd('cont')
    destination.wait_working()


def measure(pki, name, gib, minutes):
    binary = KNOWN[name]()
    found = {'qemu': binary.version.split()[0], 'gib': gib, 'plain_bytes': 0,
             'wire_bytes': 0, 'pages': 0, 'seconds': 0, 'passes': 0}
    with Lab() as lab:
        image = lab.path('boot.img')
        boot_image(Path(image))
        pair = [start(lab, side, binary, image)
                for side in ('source', 'destination')]
        found['gnutls'] = pair[0].gnutls()
        pair[0].wait_working()
        add_credentials(pki, lab, pair)
        begin_migration(*pair)
        try:
            send(lab, pair, (gib * GIB, minutes * 60), found, name)
            let_end(pair)
            found['outcome'] = 'moved'
        except Ended as e:
            found['outcome'] = str(e)
        except (LinkLost, QmpError, RuntimeError, TimeoutError) as e:
            with contextlib.suppress(Exception):
                wait_until(lambda: not all(q.is_alive() for q in pair), 5, '')
            found['outcome'] = f'{e}; ' + '; '.join(
                f'{q.host.name}: exit status {q.process.poll()}'
                for q in pair)
    page.show_progress('')
    return found


# ---- what is made of it ----

def records(one):
    """That went over the wire: what the bytes of QEMU's are fewer by."""
    return (one['wire_bytes'] - one['plain_bytes']) // RECORD_COST


def is_enough(one):
    """Did it get new keys at all?"""
    return records(one) > REKEY_RECORDS


def judge(found):
    """(lines of a table, a sentence, whether all is well)"""
    rows = [('QEMU', 'GnuTLS', 'sent', 'records', 'new keys', 'passes', 'took',
             'outcome', '')]
    bad, little = [], []
    for one in found:
        ok = one['outcome'] == 'moved'
        said = 'ok' if ok and is_enough(one) else \
            'TOO LITTLE' if ok else 'BAD'
        if said != 'ok':
            (little if ok else bad).append(one['qemu'])
        rows.append((
            one['qemu'], one['gnutls'],
            f"{one['plain_bytes'] / GIB:.1f} GiB",
            f"{records(one) / 1e6:.1f} million",
            str(records(one) // REKEY_RECORDS), str(one['passes']),
            f"{one['seconds']:.0f} s", one['outcome'], said))
    said = f'{len(found)} of {len(KNOWN)} measured; ' + (
        f'NOT well: {", ".join(bad)}.' if bad else 'no fault was seen.')
    if little:
        said += (' Too little was sent for new keys, so that nothing is known '
                 f'of {", ".join(little)}.')
    return page.table(rows), said, not bad and not little and bool(found)


BENCH = page.Bench('rekey', 'New keys in a long TLS stream', f"""
    A guest that writes to {HOT} MiB again and again is kept from getting
    across one stream under TLS 1.3 with AES-256-GCM and a return path, until
    so much was sent; then it is let across, and must run there. GnuTLS makes
    new keys after 2^24 records. Records: what the socket sent beyond what
    QEMU gave it, {RECORD_COST} bytes each. It is a race that is looked for,
    so that no fault was seen proves little.""", 'KVM')


def parse_arguments():
    parser = BENCH.parser('Does a long TLS stream survive its new keys?')
    parser.add_argument('--gib', type=int, default=100, metavar='N',
                        help='how much is sent (default: 100)')
    parser.add_argument('--minutes', type=int, default=60, metavar='N',
                        help='no longer than that, each (default: 60)')
    parser.add_argument('--only', action='append', choices=KNOWN,
                        help='this QEMU alone; may be repeated')
    parser.add_argument('--again', action='store_true',
                        help='also what was measured already')
    parser.add_argument('--results', metavar='FILE', type=Path,
                        default=Path('build/rekey.json'),
                        help='what was measured is kept there (default: '
                        'build/rekey.json)')
    return parser.parse_args()


def main():
    options = parse_arguments()
    script.begin('bench')
    kept = json.loads(options.results.read_text()) \
        if options.results.exists() else {}
    with Pki() as pki:
        for name in options.only or KNOWN:
            if options.again or kept.get(name, {}).get('gib') != options.gib:
                kept[name] = measure(pki, name, options.gib,
                                     options.minutes)
                options.results.parent.mkdir(exist_ok=True)
                options.results.write_text(json.dumps(kept, indent=1) + '\n')
    lines, said, well = judge([kept[n] for n in KNOWN if n in kept])
    BENCH.tell([lines, [page.filled(said)]], options.write)
    return 0 if well else 1


if __name__ == '__main__':
    script.run(main)
