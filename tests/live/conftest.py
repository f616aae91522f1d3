"""Fixtures of the live tests; see README."""

import collections
import hashlib
import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite('cases', 'made')     # they say what is unequal

import lab as lab_module            # noqa: E402
from pki import Pki                 # noqa: E402


def pytest_addoption(parser):
    parser.addoption('--long', action='store_true',
                     help='all cases, not only those of every day')


def pytest_configure(config):
    config.addinivalue_line(
        'markers', 'long: takes long, or shows once more what another case '
        'shows; runs with --long')
    config.addinivalue_line(
        'markers', 'sample(every, first=0): many cases of one kind; all run '
        'with --long, else each EVERY-th, from number FIRST on')
    # A shell's background job ignores SIGINT, and so would all that it starts:
    # no test could interrupt anything.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def every_day(items):
    """Those that run without --long.  The others are left out, not skipped:
    what is skipped should be a surprise."""
    seen = collections.Counter()
    for item in items:
        sample = item.get_closest_marker('sample')
        if sample:
            kind = item.nodeid.partition('[')[0]
            number = seen[kind] - sample.kwargs.get('first', 0)
            seen[kind] += 1
            if number < 0 or number % sample.args[0]:
                continue
        if not item.get_closest_marker('long'):
            yield item


def pytest_collection_modifyitems(config, items):
    if not config.getoption('--long'):
        keep = list(every_day(items))
        kept = set(keep)
        config.hook.pytest_deselected(
            items=[item for item in items if item not in kept])
        items[:] = keep
    # xdist hands them out in long runs: those of one file, that each wait for
    # half a minute, would all come to one worker, and the others be idle.
    if os.environ.get('PYTEST_XDIST_WORKER'):
        items.sort(key=lambda item: hashlib.sha256(
            item.nodeid.encode()).digest())
    if os.geteuid() != 0:
        skip = pytest.mark.skip(reason='network namespaces need root')
        for item in items:
            item.add_marker(skip)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the parts of a lab have to say goes with a failure."""
    report = (yield).get_result()
    lab_of_item = getattr(item, 'funcargs', {}).get('lab')
    if report.when == 'call' and report.failed and lab_of_item:
        report.sections += lab_of_item.describe()


@pytest.fixture(scope='session', autouse=True)
def clean_start():
    """What killed runs left is removed first; at the end nothing of ours
    may be there."""
    lab_module.sweep()
    yield
    ours = f'{lab_module.PREFIX}{os.getpid()}-'
    left = lab_module.list_namespaces(ours)
    assert not left, f'namespaces left behind: {left}'


@pytest.fixture(scope='session')
def pki():
    with Pki() as p:
        yield p


@pytest.fixture
def lab():
    """A Lab for one case; what it leaves behind fails the case, and so does
    what a sanitizer says of an engine, however that ends."""
    with lab_module.Lab() as one:
        yield one
        found = one.found()
        left = lab_module.orphans(one.name)
    left += one.stragglers + lab_module.leftovers(one.name)
    lab_module.end_marked(one.name)
    assert not left, f'left behind: {left}'
    assert not found, found
