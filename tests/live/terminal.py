"""A terminal of some size, as a person sees it: tmux draws it.

    terminal = Terminal(lab, 80, 24, command_line(lab, 'watch', 'vm'), host)
    terminal.wait_for('RAM', 30)
    terminal.lines()            all that stands there, or has scrolled away
    terminal.raw()              every byte that was written to it

What the command ended with stands last: "[exit 0]".
"""

import re
import subprocess

from lab import wait_until

AND_SAY_HOW = '"$@"; printf "[exit %s]" $?'
ENDED = re.compile(r'\[exit (\d+)\]$')


class Terminal:
    def __init__(self, lab, columns, rows, argv, host, **env):
        self._socket = lab.path('tmux')
        self._raw = lab.path('raw')
        self.columns = columns
        self._server = lab.spawn([*self._tmux(), '-D'], host=host,
                                 env=lab.env(**env))
        lab.on_exit(self._end)
        wait_until(self._socket.exists, 10, 'tmux')
        self._ask('set-option', '-g', 'remain-on-exit', 'on', ';',
                  'set-option', '-g', 'remain-on-exit-format', '', ';',
                  'new-session', '-d', '-x', columns, '-y', rows,
                  'sh', '-c', AND_SAY_HOW, 'sh', *argv, ';',
                  'pipe-pane', f'exec cat >{self._raw}')
        lab.show(f'terminal of {columns} columns',
                 lambda: '\n'.join(self.lines()))

    def _tmux(self):
        return 'tmux', '-u', '-f', '/dev/null', '-S', str(self._socket)

    def _ask(self, *words):
        return subprocess.run(
            [*self._tmux(), *map(str, words)], check=True, timeout=30,
            text=True, capture_output=True).stdout

    def _end(self):
        """With it ends what runs in it; that is waited for."""
        if self._server.poll() is None:
            self._ask('kill-server')
            self._server.wait(10)

    def _capture(self, *options):
        lines = self._ask('capture-pane', '-p', *options).splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        return [line.rstrip() for line in lines]

    def lines(self):
        return self._capture('-S', '-')

    def joined(self):
        """The same, with each line whole that the terminal had to wrap."""
        return self._capture('-S', '-', '-J')

    def raw(self):
        return self._raw.read_text() if self._raw.exists() else ''

    def resize(self, columns, rows):
        self.columns = columns
        self._ask('resize-window', '-x', columns, '-y', rows)

    def wait_for(self, pattern, timeout=30):
        """Until a line has it: the match."""
        def find():
            for line in self.lines():
                if found := re.search(pattern, line):
                    return found
            return None

        return wait_until(find, timeout, f'{pattern!r} at the terminal')

    def wait_end(self, timeout=60):
        """Its exit status."""
        code = int(self.wait_for(ENDED, timeout)[1])
        wait_until(lambda: self.raw().endswith(f'[exit {code}]'), 10,
                   'the last bytes')
        return code
