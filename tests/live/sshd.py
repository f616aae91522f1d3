"""A real sshd of the test's own on a host of the lab.

The ssh client reads the passwd entry's home, not $HOME; so the engine finds a
client configuration through a wrapper named ssh, first in its PATH, which
adds -F. Use ssh_env(lab) for the engine's environment; it may then say
ssh://ALIAS/path for each host of the lab that has an sshd, the alias being
the host's name.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

from host import command_line, processes_in
from lab import wait_until

PORT = 2222
BOOT_ID = '/proc/sys/kernel/random/boot_id'


def make_key(path):
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path],
                   check=True, stdin=subprocess.DEVNULL, timeout=30)
    return path


def ssh_env(lab):
    """The environment of a process that is to find the lab's sshds."""
    return lab.env(PATH=f'{lab.dir / "ssh-bin"}:{os.environ["PATH"]}')


class Sshd:
    """Listens on host.address:port until the lab ends. boot_id: who logs in
    sees another machine, booted as that one; machine_id: of that id. shell:
    the login shell of root and of games."""

    def __init__(self, lab, host, options=(), boot_id=None, machine_id=None,
                 shell=None):
        self.lab = lab
        self.passwd = shell and re.sub(
            '^((?:root|games):.*:).*$', rf'\g<1>{shell}',
            Path('/etc/passwd').read_text(), flags=re.M)
        self.boot_id = boot_id
        self.uptime = None
        self.machine_id = machine_id
        self.host = host
        self.port = PORT
        self.dir = lab.folder(f'sshd-{host.name}')
        Path('/run/sshd').mkdir(mode=0o755, exist_ok=True)
        host_key = make_key(self.dir / 'host_key')
        key = make_key(self.dir / 'key')
        authorized = self.dir / 'authorized'
        authorized.write_text((self.dir / 'key.pub').read_text())
        kind, public = (self.dir / 'host_key.pub').read_text().split()[:2]
        known = self.dir / 'known_hosts'
        known.write_text(f'[{host.address}]:{self.port} {kind} {public}\n')
        self._add_to_config(key, known)
        self._write_config(host_key, authorized, options)
        lab.show(f'sshd on {host.name}', self.log)
        lab.on_exit(self._end)
        self.start()

    @property
    def url(self):
        """ssh://alias, to which the path of a socket is added."""
        return f'ssh://{self.host.name}'

    def log(self):
        return (self.dir / 'log').read_text(errors='replace')

    def stop(self):
        """The daemon ends, and all its connections with it."""
        self.process.terminate()
        self.process.wait(10)
        for pid in processes_in(self.host.netns):
            if command_line(pid).startswith('sshd'):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _add_to_config(self, key, known):
        config, folder = self.lab.dir / 'ssh-config', self.lab.dir / 'ssh-bin'
        with open(config, 'a', encoding='ascii') as f:
            f.write(f'Host {self.host.name}\n'
                    f'    HostName {self.host.address}\n'
                    f'    Port {self.port}\n'
                    f'    User root\n'
                    f'    IdentityFile {key}\n'
                    f'    IdentitiesOnly yes\n'
                    f'    UserKnownHostsFile {known}\n'
                    f'    StrictHostKeyChecking yes\n')
        if not folder.exists():
            folder.mkdir()
            script = folder / 'ssh'
            script.write_text('#!/bin/sh\nexec /usr/bin/ssh '
                              f'-F {shlex.quote(str(config))} "$@"\n')
            script.chmod(0o755)

    def _write_config(self, host_key, authorized, options):
        (self.dir / 'sshd_config').write_text('\n'.join([
            f'ListenAddress {self.host.address}:{self.port}',
            f'HostKey {host_key}', f'AuthorizedKeysFile {authorized}',
            'PidFile none', 'UsePAM no', 'StrictModes no',
            'PermitRootLogin prohibit-password',
            # not what the machine's own user has a shell do at each login
            f'SetEnv HOME={self.lab.dir}',
            'AllowStreamLocalForwarding yes', 'AllowTcpForwarding yes',
            'PrintMotd no', *options]) + '\n')

    def _argv(self):
        argv = ['/usr/sbin/sshd', '-D', '-e', '-f', self.dir / 'sshd_config']
        for path, text in ((BOOT_ID, self.boot_id),
                           ('/proc/uptime', self.uptime),
                           ('/etc/machine-id', self.machine_id),
                           ('/etc/passwd', self.passwd)):
            if text:
                shown = self.dir / Path(path).name
                shown.write_text(text + '\n')
                argv = ['unshare', '--mount', '--', 'sh', '-c',
                        f'mount --bind {shown} {path} && exec "$@"', 'sh',
                        *argv]
        return argv

    def start(self):
        """Again, after stop()."""
        with open(self.dir / 'log', 'ab') as log:
            self.process = self.host.spawn(self._argv(), stdout=log,
                                           stderr=log)
        wait_until(lambda: self.port in self.host.listening(), 10,
                   'sshd listens')

    def _end(self):
        if getattr(self, 'process', None) and self.process.poll() is None:
            self.stop()
