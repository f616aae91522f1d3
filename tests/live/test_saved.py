"""A guest from a saved state is one like any other, and takes no time."""

import saved
from cases import Case, Move
from guest import Guest
from qemu import make_image
from records import missing_records


def test_goes_on(lab):
    images = [make_image(lab, 'a', 'raw'), make_image(lab, 'b', 'qcow2')]
    first = saved.get(lab, lab.host('source'), images)
    source = saved.start(lab, lab.host('source'), images)
    assert saved.get(lab, lab.host('source'), images) == first
    assert len(list(lab.dir.glob('saved-*'))) <= 1     # booted once at most
    guest = Guest(source).wait_ready().load(10, 4, 50)
    guest.wait_acks(10)
    guest.wait_alive()
    source.quit()
    assert guest.faults() == []
    assert missing_records(guest, images) == []


def test_one_that_booted_is_moved(lab, pki):
    """All other moves begin with a saved state."""
    Move(lab, pki, Case(boots=True)).start().moved()
