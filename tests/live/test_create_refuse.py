"""Images that are not to be made, or cannot be: refused before anything is
touched."""

from dataclasses import replace

import pytest

from cases import REFUSED
from made import SIZE, STILL, Made, placeholder, small
from qemu import MIB, disk_args, make_image
from test_mirror import allocated


def test_refused_without_the_option(lab, pki):
    move = Made(lab, pki, STILL, given=False)
    move.refused(r'disk vd0 is only a placeholder at the destination '
                 r'\(null-co\)', '--create-disks')


def test_refused_where_nobody_chose_the_folder(lab, pki):
    """Only the source's QEMU names it."""
    case = replace(STILL, options=('--create-disks',))
    move = Made(lab, pki, case, given=False)
    move.refused('disk vd0 cannot be made: no folder was chosen',
                 '--create-disks=/FOLDER/')


def test_refused_where_there_is_no_room(lab, pki):
    move = Made(lab, pki, STILL, folder=small(lab, '8m'),
                fill=[(n * 4 * MIB, MIB) for n in range(12)])
    held = allocated(move.source.disks[0])
    move.refused(f'there is no room for disk vd0 at {move.paths[0]}: {held} '
                 'bytes are needed, and 8388608 are free',
                 '--create-disks=vd0=PATH')


def test_two_disks_share_the_room(lab, pki):
    """Each alone would fit."""
    case = replace(STILL, formats=('raw', 'raw'))
    move = Made(lab, pki, case, folder=small(lab, '16m'),
                fill=[(n * 4 * MIB, MIB) for n in range(10)])
    move.refused('no room for disk vd1 .* 16777216 are free')


def test_warned_where_room_may_become_short(lab, pki):
    move = Made(lab, pki, STILL, folder=small(lab, '16m')).start()
    move.moved()
    verdicts = [v for e in move.engine.events('PREFLIGHT')
                for v in e['data']['verdicts'] if v['level'] == 'warning']
    assert any('can become 67108864 bytes, and 16777216 are free' in v['what']
               for v in verdicts), verdicts


def test_nothing_is_overwritten(lab, pki):
    move = Made(lab, pki, STILL)
    move.paths[0].write_text('mine')
    move.refused('that name is taken, and nothing is overwritten')
    assert move.paths[0].read_text() == 'mine'


def test_dangling_link_is_not_followed(lab, pki):
    move = Made(lab, pki, STILL)
    move.paths[0].symlink_to('nowhere')
    move.refused('that name is taken')


def test_folder_must_be_there(lab, pki):
    move = Made(lab, pki, STILL)
    move.folder.rmdir()
    move.start()
    move.undone((REFUSED,), 'waiting')
    assert 'its folder is not there' in move.error
    assert not move.folder.exists()


def test_two_images_of_one_path(lab, pki):
    move = Made(lab, pki, replace(STILL, formats=('raw', 'raw')))
    move.destination.disks = [move.destination.disks[0]] * 2
    move.refused('disk vd1 .* another disk is to be made there')


def as_filter(number):
    return ['-blockdev', f'driver=null-co,node-name=below,size={SIZE}',
            '-blockdev', f'driver=raw,node-name=disk{number},file=below']


PLACEHOLDERS = {
    'size': (lambda n: placeholder(n, 32 * MIB),
             'cannot be replaced: its size is another one'),
    'filter': (as_filter, 'it is not directly under the device'),
    'read-only': (lambda n: placeholder(n, more=',read-only=on'),
                  'read-only'),
    'drive': (lambda n: ['-drive', 'if=none,driver=null-co,read-zeroes=on,'
                         f'id=disk{n},size={SIZE}'], 'it has no name'),
}


@pytest.mark.parametrize('blockdevs,says', PLACEHOLDERS.values(),
                         ids=PLACEHOLDERS)
def test_placeholder_must_be_replaceable(lab, pki, blockdevs, says):
    move = Made(lab, pki, STILL, blockdevs=blockdevs)
    move.refused(f'disk vd0 .*{says}', 'driver=null-co,node-name=NAME,'
                 'size=67108864,read-zeroes=on')


def test_placeholder_is_not_left_behind(lab, pki):
    """A guest would find nothing on it."""
    case = replace(STILL, options=('--disks', 'none'))
    Made(lab, pki, case).refused(
        'disk vd0 is only a placeholder at the destination, and it is not '
        'copied: --disks none')


TCP = 'tcp:10.77.0.2:4445'


def test_host_that_nobody_can_reach(lab, pki):
    """A monitor over TCP does not say where commands can be run."""
    def monitored(number):
        return placeholder(number) + [
            '-chardev', 'socket,id=tcp,host=10.77.0.2,port=4445,server=on,'
            'wait=off', '-mon', 'chardev=tcp,mode=control']

    move = Made(lab, pki, replace(STILL, tls=False), blockdevs=monitored,
                destination=TCP)
    move.refused("the image of disk vd0 cannot be made: on the destination's "
                 'host no command can be run: it is not known how to reach it',
                 '--destination-host')


# ---- sizes ----


def other_file(lab, size):
    def blockdevs(number):
        image = make_image(lab, 'other', 'raw', size)
        return disk_args(number, image)[:4]

    return blockdevs


SIZES = {'larger': (96 * MIB, 'size=67108864 .*resize'),
         'smaller': (32 * MIB, 'anew with 67108864 bytes')}


@pytest.mark.parametrize('size,hint', SIZES.values(), ids=SIZES)
def test_file_of_another_size(lab, pki, size, hint):
    Made(lab, pki, STILL, given=False,
         blockdevs=other_file(lab, size)).refused(
        f'disk vd0 has 67108864 bytes at the source and {size} at the '
        'destination', hint)
