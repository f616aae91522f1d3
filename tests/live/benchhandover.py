#!/usr/bin/python3
"""./dev bench handover: what a long way to the monitors costs the guest.

A guest at work moves over a link of 1 Gbit/s, with a mirrored disk and without,
while each message of both monitors takes 50 ms longer each way (proxy.py), and
for comparison no longer. What the blackout grows by, over a trip there and
back, are the round trips that the guest stands still for; of those, what comes
on top of QEMU's own downtime is what follows once the source is done. The
proxies also see which commands wait for which: each list was sent at once.
"""

import statistics
from typing import NamedTuple

import page
import script
from bench import LOAD
from engine import Engine
from guest import Guest
from lab import Lab
from proxy import rounds
from qemu import Qemu, make_image

LINK_MBIT = 1000
ONE_WAY_S = 0.05
TRIP_MS = 2000 * ONE_WAY_S
MEM = 128                       # MiB
SLACK = 0.3                     # of a trip: what else the machine does


class Way(NamedTuple):
    disks: int
    beyond: int         # round trips, at most, on top of QEMU's downtime
    whole: int          # and in all of the blackout


# STOP comes and the destination is asked, with it the mirrors are ended; the
# switch; `cont`: three. The exports are closed before `cont`: one more with a
# disk. A sample that is under way as the guest stops may be waited for.
WAYS = {'no disk': Way(0, 1, 4), 'a mirrored disk': Way(1, 2, 5)}


def make_pair(lab, way, delay_s):
    pair = []
    for name, incoming in (('source', False), ('destination', True)):
        images = [make_image(lab, f'{name}{n}') for n in range(way.disks)]
        qemu = Qemu(lab, lab.host(name), images, incoming=incoming, live=True,
                    mem=MEM, proxied=True)
        qemu.proxy.delay(delay_s)
        pair.append(qemu)
    pair[0].host.limit(LINK_MBIT)
    return pair


def commands(source, destination):
    """Lists of commands that were sent at once while the guest stood still."""
    return rounds([source.proxy, destination.proxy],
                  source.spy.wait_event('STOP').time,
                  destination.spy.wait_event('RESUME').time, ONE_WAY_S)


def measure(way, delay_s):
    with Lab() as lab:
        source, destination = make_pair(lab, way, delay_s)
        guest = Guest(source).wait_ready()
        guest.follow(destination)
        guest.load(**LOAD)
        engine = Engine(lab, 'migrate', '--json', '--keep-source',
                        '--insecure', '--max-downtime-ms', '2000',
                        '--disks', 'all' if way.disks else 'none',
                        '--address', destination.host.address,
                        source.address, destination.address,
                        host=source.host)
        if engine.wait(180) != 0:
            raise RuntimeError(f'the engine failed:\n{engine.text()}')
        guest.wait_alive(destination)
        if guest.faults():
            raise RuntimeError(f'the guest was harmed: {guest.faults()}')
        blackout = guest.handover()[0]
        downtime = source.spy.cmd('query-migrate')['downtime']
        return {'blackout': blackout, 'downtime': downtime,
                'beyond': blackout - downtime,
                'split': engine.result()['handover'],
                'commands': commands(source, destination) if delay_s else []}


def run(count):
    """{way: [(near, far)]}"""
    found = {name: [] for name in WAYS}
    for n in range(count):
        for name, way in WAYS.items():
            page.show_progress(f'{n + 1} of {count}: {name}')
            found[name].append((measure(way, 0), measure(way, ONE_WAY_S)))
    page.show_progress('')
    return found


def medians(moves, figure):
    return tuple(statistics.median(move[figure] for move in side)
                 for side in zip(*moves))


def judge(found):
    """(lines of a table, whether each goal was met)"""
    rows = [('', 'near', 'far', 'round trips', 'goal', '')]
    met = True
    for name, moves in found.items():
        for what, figure, most in (
                (f'blackout, {name}', 'blackout', WAYS[name].whole),
                ('  beyond QEMU\'s downtime', 'beyond', WAYS[name].beyond)):
            near, far = medians(moves, figure)
            trips = (far - near) / TRIP_MS
            ok = trips <= most + SLACK
            met = met and ok
            rows.append((what, f'{near:.0f} ms', f'{far:.0f} ms',
                         f'{trips:.1f}', f'<= {most}', 'ok' if ok else 'OVER'))
    return page.table(rows), met


def told(found):
    """What waited for what, and what the engine says of it, in the middle one
    of the moves: a list of lines for each way."""
    parts = []
    for name, moves in found.items():
        far = sorted((far for _, far in moves),
                     key=lambda move: move['blackout'])[len(moves) // 2]
        split = ', '.join(f'{key[:-3]} {ms} ms'
                          for key, ms in far['split'].items())
        parts.append([f'{name}: {split}',
                      *(f'    {n}. {", ".join(names)}' for n, names in
                        enumerate(far['commands'], 1))])
    return parts


BENCH = page.Bench('handover', 'What a long way to the monitors costs', f"""
    A guest of {MEM} MiB at work, over a link of {LINK_MBIT} Mbit/s. Near: as
    it is. Far: each message to or from a monitor takes {ONE_WAY_S * 1000:.0f}
    ms longer, a round trip {TRIP_MS:.0f} ms. The blackout is that of the
    guest's heartbeat; medians. Round trips: how much longer it is, far away.
    A goal is met with {SLACK} of a trip to spare.""")


def report(found):
    """(parts of a page, whether each goal was met)"""
    lines, met = judge(found)
    return [lines, [f'{len(next(iter(found.values())))} moves each; ' +
                    ('each goal is met.' if met else
                     'NOT each goal is met.')],
            ['What waited for what, in the middle one of the moves:'],
            *told(found)], met


def parse_arguments():
    parser = BENCH.parser('What a long way to the monitors costs the guest, '
                          'in round trips: medians.')
    parser.add_argument('-n', type=int, default=5, metavar='N',
                        help='moves of each kind (default: 5)')
    parser.add_argument('--json', metavar='FILE',
                        help='write all that was measured there')
    return parser.parse_args()


def main():
    options = parse_arguments()
    script.begin('bench')
    found = run(options.n)
    page.keep_json(options.json, found=found)
    parts, met = report(found)
    BENCH.tell(parts, options.write)
    return 0 if met else 1


if __name__ == '__main__':
    script.run(main)
