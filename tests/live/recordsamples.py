#!/usr/bin/python3
"""Record what the convergence policy sees of real migrations, as files for
tests/unit/test-core-samples.c, which plays them to the policy again:

    sudo QMIGRATE=build/qmigrate tests/live/recordsamples.py FOLDER [NAME...]

Two QEMUs, a link of 200 Mbit/s, a guest that writes; the engine moves it, and a
proxy before the source's monitor (proxy.py) hears each reply to query-migrate
and what the engine sets. A line is:

    # words about the run
    policy NAME, max-downtime-ms N, timeout-ms N
    sample AT PASS TOTAL REMAINING TRANSFERRED PROCESSED DIRTY EXPECTED THROTTLE
    set limit N, set throttle N     by the engine, after that sample
    end AT DOWNTIME                 the guest stopped, for so long by QEMU
    never AT                        it did not, until the timeout

AT and times are in ms since `migrate`, all else in bytes and bytes a second.
"""

import datetime
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import binaries
import script
from benchconverge import HOT, LINK_MBIT, LINK_MIB, MEM, Saved
from engine import Engine
from guest import Guest
from lab import Lab, wait_until
from qemu import Qemu

OWN_PART_MS = 2         # of the stop, as the engine reckons it here
MAX_DOWNTIME_MS = {'gentle': 300, 'balanced': 300, 'urgent': 1000}


class Run(NamedTuple):
    policy: str
    rate: float         # of the link's
    timeout_s: int = 48


RUNS = {
    'writes-a-fifth': Run('balanced', 0.2),
    'writes-half': Run('gentle', 0.5),
    'writes-half-as-much-again': Run('balanced', 1.5),
    'writes-twice': Run('urgent', 2),
    'never': Run('gentle', 2, timeout_s=20),
}


class Recording:
    """What a proxy hears, as lines."""

    def __init__(self, proxy):
        self.lines = []
        self.began = None
        self.proxy = proxy
        self.seen = 0               # commands
        proxy.hear = self.hear

    def hear(self, line):
        message = json.loads(line)
        self._commands()
        reply = message.get('return')
        if self.began and isinstance(reply, dict) and \
                reply.get('status') in ('active', 'setup') and 'ram' in reply:
            self._sample(reply, reply['ram'])

    def _commands(self):
        for command in self.proxy.commands[self.seen:]:
            if command.name == 'migrate':
                self.began = command.time
            told = command.arguments
            # all at once: that is how it puts everything back
            if not self.began or command.name != 'migrate-set-parameters' \
                    or 'max-bandwidth' in told:
                continue
            if 'downtime-limit' in told:
                self.lines.append(f'set limit {told["downtime-limit"]}')
            if 'max-cpu-throttle' in told:
                self.lines.append(f'set throttle {told["max-cpu-throttle"]}')
        self.seen = len(self.proxy.commands)

    def _sample(self, reply, ram):
        page = ram['page-size']
        self.lines.append(' '.join(map(str, (
            'sample', self.at(), ram['dirty-sync-count'], ram['total'],
            ram['remaining'], ram['transferred'],
            ram['normal-bytes'] + ram['duplicate'] * page,
            ram['dirty-pages-rate'] * page,
            reply.get('expected-downtime', 0),
            reply.get('cpu-throttle-percentage', 0)))))

    def at(self, when=None):
        return round(((when or time.monotonic()) - self.began) * 1000)


def pair(saved, lab):
    source = Qemu(lab, lab.host('source'), [], live=True, mem=MEM,
                  proxied=True, extra=['-incoming', f'file:{saved.path}'])
    wait_until(lambda: source.status() == 'running', 30, 'the guest runs')
    source.host.limit(LINK_MBIT)
    return source, Qemu(lab, lab.host('destination'), [], live=True, mem=MEM,
                        incoming=True)


def record(saved, run):
    """The lines of one run."""
    with Lab() as lab:
        source, destination = pair(saved, lab)
        guest = Guest(source)
        guest.load(round(run.rate * LINK_MIB), HOT, 0)
        guest.follow(destination)
        recording = Recording(source.proxy)
        engine = Engine(lab, 'migrate', '--keep-source', '--insecure',
                        '--json', '--policy', run.policy, '--timeout-s',
                        run.timeout_s, '--disks', 'none', '--address',
                        destination.host.address, source.address,
                        destination.qmp, host=source.host)
        code = engine.wait(run.timeout_s + 60)
        if code not in (0, 4):
            raise RuntimeError(f'the engine failed:\n{engine.text()}')
        if code == 0:
            stopped = source.spy.wait_event('STOP').time
            downtime = source.spy.cmd('query-migrate')['downtime']
            return [*recording.lines,
                    f'end {recording.at(stopped)} {downtime}']
        return [*recording.lines, f'never {run.timeout_s * 1000}']


def max_downtime_ms(run, lines):
    """QEMU's part of it, as far as it was gone."""
    limits = [int(line.split()[2]) for line in lines
              if line.startswith('set limit')]
    return limits[-1] if limits else \
        MAX_DOWNTIME_MS[run.policy] - OWN_PART_MS


def page_of(run, lines):
    version = binaries.qemu10().version.split()[0]
    return '\n'.join([
        f'# A guest of {MEM} MiB rewrites {HOT} MiB at '
        f'{run.rate * LINK_MIB:.0f} MiB/s, and {LINK_MIB:.0f} MiB/s leave.',
        f'# QEMU {version}, TCG; recorded by tests/live/recordsamples.py on '
        f'{datetime.date.today().isoformat()}.',
        f'policy {run.policy}',
        f'max-downtime-ms {max_downtime_ms(run, lines)}',
        f'timeout-ms {run.timeout_s * 1000}', *lines]) + '\n'


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.split('\n\n')[1].strip())
    script.begin('recordsamples')
    folder = Path(sys.argv[1])
    with Lab() as lab:
        saved = Saved(lab, False)
        for name in sys.argv[2:] or RUNS:
            lines = record(saved, RUNS[name])
            (folder / f'{name}.samples').write_text(page_of(RUNS[name], lines))
            print(f'{name}: {len(lines)} lines, {lines[-1]}', flush=True)
    return 0


if __name__ == '__main__':
    script.run(main)
