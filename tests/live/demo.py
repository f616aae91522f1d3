#!/usr/bin/python3
"""./dev demo: a running Linux guest moves to another host, before your eyes.

Nothing that is said at the end is taken from the engine: the guest is heard
through its own lines, its disk is read, and the wire was listened to.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import binaries
import records
import script
from engine import command_line, program
from guest import Guest
from lab import Lab, leftovers, orphans
from qemu import MIB, Qemu, make_image
from sshd import Sshd, ssh_env
from wire import Wire

WIRE_MBIT = 1000
QUEUE_MS = 30                   # a longer one makes the blackout longer
GUEST = {'mem': 512, 'machine': 'pc-q35-7.2', 'name': 'demo'}
DISK_BYTES = 256 * MIB
USED_BYTES = 160 * MIB          # of it, at its end, before the guest boots
LOAD = {'mem_rate': 20, 'hot': 16, 'disk_rate': 150}
MOVE_LIMIT_S = 300


class Terminal:
    """Short lines for people; no colours where nobody sees them."""

    def __init__(self):
        self.color = sys.stdout.isatty() and 'NO_COLOR' not in os.environ
        self.stage = 0

    def dress(self, code, text):
        return f'\033[{code}m{text}\033[0m' if self.color else text

    def wrap(self, text, indent):
        width = 79
        with contextlib.suppress(OSError):
            width = min(width, os.get_terminal_size().columns - 1)
        return textwrap.fill(' '.join(text.split()), max(width, 30),
                             initial_indent=indent, subsequent_indent=indent,
                             break_on_hyphens=False)

    def say(self, text):
        """Text of several sentences."""
        print(self.wrap(text, '   '), flush=True)

    def title(self, text):
        self.stage += 1
        print(flush=True)
        print(self.dress('1', f'{self.stage}. {text}'), flush=True)

    def verdict(self, is_true, text):
        word = self.dress('32', 'ok') if is_true else self.dress('1;31', 'NO')
        print(f'   {word}  {self.wrap(text, " " * 7)[7:]}', flush=True)
        return is_true


def number(n):
    return f'{n:,}'


def fill_disk(image):
    """Something to copy besides the guest's own records, which are few and
    spread over all of the disk: its last MiBs have content that does not
    compress."""
    noise = os.urandom(MIB)
    with open(image.path, 'r+b') as f:
        f.seek(image.size - USED_BYTES)
        for _ in range(USED_BYTES // MIB):
            f.write(noise)


class Demo:
    def __init__(self, lab, insecure):
        self.lab = lab
        self.insecure = insecure
        self.term = Terminal()
        self.status = None      # the engine's exit status

    # ---- the scene ----

    def make_hosts(self):
        self.term.title('Two hosts')
        self.source_host = self.lab.host('host1')
        self.destination_host = self.lab.host('host2')
        for host in (self.source_host, self.destination_host):
            with contextlib.suppress(subprocess.CalledProcessError):
                host.limit(WIRE_MBIT, QUEUE_MS)     # if the kernel can
        self.sshd = Sshd(self.lab, self.destination_host)
        self.term.say(f'''host1 and host2 are network namespaces of this
            machine with a wire of {WIRE_MBIT // 1000} Gbit/s between them.
            host1 reaches host2 as it would any other: by ssh.''')
        self.make_keys()

    def make_keys(self):
        self.term.say('''Each gets a certificate, both signed by one CA. Three
            commands make all of it; what they say is left out here.''')
        print()
        keys = self.lab.path('keys')
        hosts = self.source_host, self.destination_host
        for arguments in (['create-ca'], *(
                ['create-host', h.name, '--address',
                 f'{h.address},{h.migration_address}'] for h in hosts)):
            print(f'     $ qmigrate keys {" ".join(arguments)}', flush=True)
            self.lab.run([program(), 'keys', *arguments, '--dir', keys])
        self.tls = [keys / 'hosts' / h.name for h in hosts]

    def start_qemus(self):
        self.term.title('A guest on host1')
        images = [make_image(self.lab, name, size=DISK_BYTES)
                  for name in ('host1-disk', 'host2-disk')]
        fill_disk(images[0])
        self.source = Qemu(self.lab, self.source_host, images[:1], **GUEST)
        self.destination = Qemu(self.lab, self.destination_host, images[1:],
                                incoming=True, **GUEST)
        self.term.say(f'''QEMU {binaries.qemu10().version.split()[0]} boots a Linux with
            {GUEST["mem"]} MiB of memory and a disk of
            {DISK_BYTES // MIB} MiB, the image a file of host1. On host2
            another QEMU waits, with an empty image.''')
        began = time.monotonic()
        self.guest = Guest(self.source).wait_ready()
        self.guest.follow(self.destination)
        self.term.say(f'It has booted, in {time.monotonic() - began:.1f} s.')

    def start_load(self):
        self.term.title('It works')
        self.guest.load(**LOAD)
        self.guest.wait_acks(LOAD['disk_rate'])
        self.term.say(f'''The guest writes {LOAD["disk_rate"]} numbered
            records a second to its disk, and tells us the number of each as
            soon as the disk has it. It dirties {LOAD["mem_rate"]} MiB of
            memory a second, and checks all of its memory again and again.
            Its heart beats each millisecond, and we hold the watch.''')

    # ---- the move ----

    def arguments(self):
        security = ['--insecure']
        if not self.insecure:
            security = ['--source-tls-dir', str(self.tls[0]),
                        '--destination-tls-dir', str(self.tls[1])]
        return [*security, self.source.qmp,
                self.sshd.url + self.destination.qmp]

    def show_command(self, arguments):
        """One option a line, with the paths as short as can be."""
        words = [a.replace(str(self.lab.dir), '...') for a in arguments]
        text = '     $ qmigrate migrate'
        for word in words:
            text += (' ' if text.endswith('-dir') else ' \\\n         ') + word
        print(text + '\n', flush=True)

    def move(self):
        self.term.title('It moves')
        self.term.say(f'''On host1 one command is given. Listen: RAM and disk
            go over the wire while the guest works on; at the end it stops for
            a moment, the last of it goes over, and it works on at host2.
            (... is {self.lab.dir})''')
        arguments = self.arguments()
        self.show_command(arguments)
        self.wire = Wire(self.lab, self.destination_host)
        # ^C is the engine's: it undoes its work, and we look on.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        engine = self.lab.spawn(
            command_line(self.lab, 'migrate', *arguments),
            host=self.source_host, env=ssh_env(self.lab), stdin=None,
            start_new_session=False)
        try:
            self.status = engine.wait(MOVE_LIMIT_S)
        finally:
            signal.signal(signal.SIGINT, before)

    # ---- the proof ----

    def lives(self):
        """The first of the checks, and the one that the others need."""
        try:
            self.guest.wait_alive(self.destination, 2 if self.status else 20)
        except (TimeoutError, EOFError) as e:
            return self.term.verdict(False, f'the guest is not on host2: {e}')
        gone = not self.source.is_alive()
        text = 'the guest lives on host2: it answers, its heart beats'
        if not gone:
            text += '; but host1 still has its QEMU'
        if self.status:
            text += f'; but qmigrate ended with {self.status}'
        return self.term.verdict(gone and self.status == 0, text)

    def check_disk(self):
        self.destination.quit()
        there = len(re.findall(rb'(?m)^a \d+ \d+$',
                               bytes(self.destination.recorder.text)))
        total = sum(len(a) for a in self.guest.acks().values())
        missing = records.missing_records(self.guest, self.destination.disks)
        for m in missing[:3]:
            self.term.say(f'missing: {m}')
        return self.term.verdict(
            not missing and there > 0,
            f'{number(total)} writes were acknowledged ({number(there)} of '
            f'them on host2), {len(missing)} are missing')

    def check_memory(self):
        checks = self.guest.numbers('M')
        wrong = sum(errors for _, errors in checks)
        faults = self.guest.faults()
        for fault in faults[:3]:
            self.term.say(fault)
        return self.term.verdict(
            checks and not faults, f'the memory was checked as a whole '
            f'{len(checks)} times, {wrong} pages are wrong')

    def check_blackout(self):
        ms = self.guest.handover()[0]
        return self.term.verdict(
            0 < ms < 1000, f'nobody heard the guest for {ms:.0f} ms, seen '
            'from outside: its blackout')

    def check_wire(self, heard):
        clear = heard.records + heard.kernel + heard.memory
        opened = sum(heard.connections.values())
        proved = opened >= 2 and not heard.clear and not clear
        text = (f'{heard.bytes / MIB:.0f} MiB went over the wire, and we '
                f'listened: nothing of the guest was unencrypted; '
                f'{opened} connections, all of them TLS')
        if not proved:
            text = (f'IN CLEAR on the wire: the guest\'s records '
                    f'{heard.records} times, its kernel {heard.kernel} times; '
                    f'{len(heard.clear)} of {opened} connections without TLS')
        return self.term.verdict(proved, text)

    def prove(self):
        self.term.title('Is it true?')
        heard = self.wire.heard()
        if not self.lives():
            with contextlib.suppress(TimeoutError, EOFError):
                self.guest.wait_alive(self.source, 10)
                self.term.say('It lives on host1, where it was. (qmigrate '
                              f'ended with {self.status}.)')
            return False
        return all([self.check_disk(), self.check_memory(),
                    self.check_blackout(), self.check_wire(heard)])

    def run(self):
        self.make_hosts()
        self.start_qemus()
        self.start_load()
        self.move()
        return self.prove()


def cleaned_up(lab, term, left):
    left = left + leftovers(lab.name)
    for what in left[:5]:
        term.say(what)
    return term.verdict(not left, 'no process, namespace or file is left')


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./dev demo', description='A running Linux guest moves to '
        'another host, with its disk, under TLS.')
    parser.add_argument('--insecure', action='store_true', help='without '
                        'TLS, to see what a listener then hears; this fails')
    return parser.parse_args()


def main():
    options = parse_arguments()
    script.begin('demo')
    with Lab() as lab:
        demo = Demo(lab, options.insecure)
        print(demo.term.dress('1', 'A running Linux guest moves to another '
                              'host, with its disk'
                              + ('' if options.insecure else ', under TLS')))
        true = demo.run()
        left = orphans(lab.name)
    true = cleaned_up(lab, demo.term, left) and true
    print()
    print(demo.term.dress('1', 'All of it is true.' if true
                          else 'Not all of it is true.'))
    return 0 if true else 1


if __name__ == '__main__':
    script.run(main)
