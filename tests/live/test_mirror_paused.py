"""Somebody else pauses the mirror's job: it is said, and nothing is left."""

import pytest

from cases import CANCELLED, FAILED, Case, Move
from qemu import MIB, make_image
from test_mirror import fill

STILL = dict(live=False, proxied=True)
SLOW = '--disk-bandwidth', '2M'


class Paused(Move):
    def _make_image(self, name, image_format):
        image = make_image(self.lab, name, image_format)
        if name == 'source0':
            fill(image, [(32 * MIB, 16 * MIB)])
        return image

    def pause(self):
        """The mirror, as a person does at the monitor."""
        [job] = self.source.spy.cmd('query-jobs')
        self.source.spy.cmd('block-job-pause', device=job['id'])
        return job['id']

    def undone(self, codes=(FAILED,), destination='waiting'):
        super().undone(codes, destination)
        assert self.source.spy.cmd('query-jobs') == []


@pytest.mark.parametrize('binary', ['qemu10', pytest.param(
    'system', marks=pytest.mark.long)])
def test_undo_ends_it(lab, pki, binary):
    move = Paused(lab, pki, Case(options=SLOW, binaries=(binary, binary),
                                 **STILL))
    move.start()
    move.source.spy.wait_event('JOB_STATUS_CHANGE', status='running')
    move.wait_step('mirror disks')
    move.pause()
    move.engine.interrupt()
    move.undone((CANCELLED,))


def test_at_the_handover(lab, pki):
    """It is in sync, and cannot be ended well: the guest runs on."""
    move = Paused(lab, pki, Case(**STILL))
    hold = move.source.proxy.hold('migrate')
    move.start()
    hold.wait()
    move.pause()
    hold.release()
    move.undone(destination='gone')
    assert 'paused' in move.error and 'block-job-pause' in move.error


@pytest.mark.long
def test_for_long(lab, pki):
    move = Paused(lab, pki, Case(options=SLOW, **STILL))
    move.start()
    move.wait_step('mirror disks')
    move.source.spy.wait_event('JOB_STATUS_CHANGE', status='running')
    job = move.pause()
    move.engine.wait(120)
    move.undone()
    assert f'somebody has paused the mirror of disk vd0 (job {job})' in \
        move.error
    assert any('somebody has paused its mirror' in e['data']['message']
               for e in move.engine.events('WARNING'))
