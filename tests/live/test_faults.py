"""A part of ./dev faults: each row of the recipe is attacked, with one fault
after the other in turn, with disks and in post-copy, and so are the commands
that open something. (Without a disk, rows are what they are with one.)
"""

import pytest

from attack import ANSWERS, FAULTS, ROWS, Attack, Cell

DURING = [f for f in FAULTS if f not in ANSWERS and f != 'disk full']
FIRST = {'mirror': 'connect', 'postcopy': 'settle disks'}
UNDONE = ['start migration', 'open the door', 'mirror disks', 'export disks',
          'agree capabilities', 'install credentials']
LASTS_S = 1                     # what is lifted again
COMMANDS = [
    'hold the destination:1:destination:stop',
    'install credentials:1:destination:object-add',
    'agree capabilities:1:source:migrate-set-parameters',
    'export disks:1:destination:nbd-server-start',
    'mirror disks:1:source:blockdev-mirror',
    'open the door:1:destination:migrate-incoming',
    'start migration:1:source:migrate',
    'settle disks:1:source:block-job-cancel',
    'switch over:1:source:migrate-continue',
    'run the destination:1:destination:cont',
    'retire the source:1:source:quit',
]


def rows_in_turn():
    turn = 0
    for row in UNDONE:
        yield Cell('undo', f'undo {row}:before', DURING[turn % len(DURING)])
        turn += 1
    for kind, first in FIRST.items():
        for row in ROWS[ROWS.index(first):]:
            yield Cell(kind, f'{row}:after', DURING[turn % len(DURING)])
            turn += 1


CELLS = [*rows_in_turn(),
         *(Cell('mirror', point, 'answer lost') for point in COMMANDS[1::2]),
         *(Cell('mirror', point, 'engine killed') for point in COMMANDS[::2]),
         Cell('mirror', 'mirror disks:after', 'disk full'),
         Cell('undo', 'undo mirror disks:1:source:block-job-cancel',
              'engine killed'),
         # recover goes on with the post-copy
         Cell('postcopy', 'switch over:after', 'supervised engine killed'),
         Cell('postcopy', 'run the destination:after', 'engine killed'),
         # the guest is taken back: the dead one never becomes the owner
         Cell('mirror', 'close exports:1:destination:nbd-server-stop',
              'destination killed'),
         # the source is not ended for a guest that is lost already
         Cell('mirror', 'retire the source:2:destination:object-del',
              'destination killed'),
         Cell('mirror', 'start migration:1:source:migrate', 'answer late')]


@pytest.mark.sample(2)
@pytest.mark.parametrize('cell', CELLS, ids=map(str, CELLS))
def test_fault(lab, pki, cell):
    assert Attack(lab, pki, cell).run(LASTS_S).problems() == {}
