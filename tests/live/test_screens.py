"""What people see: of a terminal of 80 and of 200 columns, of one that cannot
draw, without colours, and in a pipe. tmux draws it; what stands there is
compared with what went into the pipe."""

import re

import pytest

from cases import CANCELLED, DONE, FAILED, REFUSED, Case, Move
from engine import Engine, command_line
from lab import wait_until
from terminal import Terminal
from test_control import NAME, SLOW_DISK, command
from test_mirror import Stored, data

BAR = re.compile(r'\[#*\.*\] (RAM|disks) +\d+ %')
CLOCK = re.compile(r'^\d+:\d\d\b')
STAMP = re.compile(r'^\[ *(\d+\.\d) s\] ')
COLOR = re.compile(r'\x1b\[[0-9;]*m')
UP = re.compile(r'\x1b\[\d+A')
WIDTHS = 80, 200


def at(move, columns, *args, through=(), **env):
    return Terminal(move.lab, columns, 24, command_line(
        move.lab, *args, through=through), move.source.host, **env)


def in_pipe(move, *args):
    return Engine(move.lab, *args, host=move.source.host, env=move.lab.env())


def words(lines):
    return ' '.join(lines).split()


def text(terminal):
    """The words that stand there, of lines that the terminal need not wrap;
    without the one that is the test's."""
    lines = terminal.lines()
    assert lines == terminal.joined()
    assert max(map(len, lines)) < terminal.columns
    return words(lines)[:-2]


# ---- a migration, and all who watch it ----

@pytest.fixture
def move(lab, pki):
    """To be started; its disk and its RAM take as long as one likes."""
    case = Case(mem_rate=0, options=(*SLOW_DISK, '--bandwidth', '2M'))
    return Stored(lab, pki, case, data)


def watch_all(move):
    """The engine at a terminal, and who watches it elsewhere."""
    seen = {'migrate': at(move, 80, 'migrate', *move.arguments())}
    seen['migrate'].wait_for(r'^mirror disks .*\[#', 60)
    watch = 'watch', NAME
    seen['wide'] = at(move, 200, *watch)
    seen['plain'] = at(move, 80, *watch, NO_COLOR='1')
    seen['dumb'] = at(move, 80, *watch, through=('env', 'TERM=dumb'))
    return seen, in_pipe(move, *watch)


def is_in_place(terminal):
    """One bar, its two lines the last ones."""
    bars = [n for n, line in enumerate(terminal.lines()) if BAR.search(line)]
    clocks = [n for n, line in enumerate(terminal.lines())
              if CLOCK.search(line)]
    last = len(terminal.lines()) - 1
    return (bars, clocks) == ([last - 1], [last])


def moves_in_place(terminal, step):
    """Its clock goes on; the bar is where it was."""
    began = terminal.wait_for(rf'^{step} .*\[#') and terminal.wait_for(CLOCK)[0]
    wait_until(lambda: terminal.wait_for(CLOCK)[0] != began, 10, 'the clock')
    wait_until(lambda: is_in_place(terminal), 10, 'one bar')
    wait_until(lambda: terminal.lines() == terminal.joined(), 10,
               'no line is wrapped, between two of its clock')


def check_pipe(pipe):
    """Lines alone; of a long step one each 5 s, but for when it is asked."""
    assert not re.search(r'[\x1b\r]', pipe.err + pipe.out)
    told = [STAMP.match(line) for line in pipe.err.splitlines()]
    assert all(told)
    since = [float(m[1]) for m in told if 'mirror disks' in m.string]
    assert len(since) >= 3
    assert all(b - a > 4.8 for a, b in zip(since[1:], since[2:])), since


def for_good(pipe):
    """What is to stand on a screen in the end, as words."""
    lines = [STAMP.sub('', line) for line in pipe.err.splitlines()
             if re.search('warning: |the limits are now', line)]
    return words(lines + [pipe.out])


def test_a_migration(move):
    seen, pipe = watch_all(move)
    drawn = [seen[name] for name in ('migrate', 'wide', 'plain')]
    for terminal in drawn:
        moves_in_place(terminal, 'mirror disks')
    pipe.wait_for(lambda: pipe.err.count('mirror disks: ') >= 3, 40, 'lines')
    move.engine = in_pipe(move, 'watch', '--json', NAME)
    move.engine.wait_event('PROGRESS')
    command(move, 'set', NAME, 'disk-bandwidth=0')
    for terminal in drawn:
        moves_in_place(terminal, 'converge')
    command(move, 'set', NAME, 'bandwidth=0')
    result = move.moved()
    assert pipe.wait(30) == DONE
    assert [t.wait_end() for t in seen.values()] == [DONE] * len(seen)
    check_pipe(pipe)
    last = for_good(pipe)
    assert 'security' in last and len(result['connections']) == 2
    assert [text(t) for t in drawn] == [last] * len(drawn)
    raw = {name: terminal.raw() for name, terminal in seen.items()}
    assert UP.search(raw['plain']) and not COLOR.search(raw['plain'])
    assert UP.search(raw['wide']) and COLOR.search(raw['wide'])
    assert '\x1b' not in raw['dumb'] and not re.search('\r(?!\n)', raw['dumb'])
    summary = words([pipe.out])
    assert text(seen['dumb'])[-len(summary):] == summary


def test_a_terminal_becomes_narrower(move):
    """The bar fits again. (What was drawn before the engine could know, and
    was wrapped, may stand above.)"""
    terminal = at(move, 200, 'migrate', *move.arguments())
    terminal.wait_for(r'^mirror disks .*\[#', 60)
    moves_in_place(terminal, 'mirror disks')
    terminal.resize(80, 24)
    moves_in_place(terminal, 'mirror disks')
    command(move, 'cancel', NAME)
    assert terminal.wait_end() == CANCELLED
    assert not any(map(CLOCK.match, terminal.lines()))
    assert 'qmigrate: cancelled by the operator' in terminal.lines()


# ---- what ends at once ----

@pytest.fixture
def still(lab, pki):
    return Move(lab, pki, Case(live=False, options=('--name', NAME)))


WRONG = '--tls-hostname', 'wrong.example'


@pytest.mark.parametrize('columns', WIDTHS)
def test_what_changes_nothing(still, columns):
    for code, *args in ((DONE, 'check', *still.arguments()),
                        (DONE, 'migrate', '--dry-run', *still.arguments()),
                        (REFUSED, 'check', *WRONG, *still.arguments()),
                        (REFUSED, 'status', 'nobody'),
                        (2, 'migrate', '--bandwidth', 'much')):
        pipe = in_pipe(still, *args)
        assert pipe.wait(60) == code
        terminal = at(still, columns, *args)
        assert terminal.wait_end() == code
        assert text(terminal) == words([pipe.out, pipe.err])


@pytest.mark.parametrize('columns', WIDTHS)
def test_what_is_undone(still, columns):
    """What failed is said, and how it was undone; the bar is gone."""
    terminal = at(still, columns, 'migrate', *still.arguments(),
                  QMIGRATE_FAIL='converge:before=fail')
    assert terminal.wait_end() == FAILED
    said = ' '.join(text(terminal))
    assert said.startswith('qmigrate: converge: ')
    assert f' {NAME} is where it was: the migration failed and was undone ' \
        in said
    assert not BAR.search(said)


@pytest.mark.parametrize('columns', WIDTHS)
def test_what_is_recovered(still, columns):
    still.die('converge:before')
    terminal = at(still, columns, 'recover')
    assert terminal.wait_end() == FAILED
    said = ' '.join(text(terminal))
    assert f' {NAME} is where it was' in said
    assert not BAR.search(said)
