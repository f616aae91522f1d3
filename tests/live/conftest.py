"""Fixtures of the live tests; see README."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite('cases', 'made')     # they say what is unequal

import lab as lab_module            # noqa: E402
from pki import Pki                 # noqa: E402


def pytest_addoption(parser):
    parser.addoption('--long', action='store_true',
                     help='the cases too that wait for minutes')


def pytest_configure(config):
    config.addinivalue_line('markers', 'long: waits for minutes (--long)')


def pytest_collection_modifyitems(config, items):
    """Left out, not skipped: what is skipped should be a surprise."""
    if not config.getoption('--long'):
        long = [item for item in items if item.get_closest_marker('long')]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
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
