"""Epochs are counted by what was trained, whatever pictures come and go."""

import pytest

from runs.epochs import Epochs, change, take_up
from settings.config import Config
from settings.errors import UserError


def epochs(pictures, batch_size=4, d_steps=1):
    return Epochs(Config(pictures=pictures, batch_size=batch_size, d_steps=d_steps))


def test_of_pictures_that_stay_it_is_a_division():
    e = epochs('0:19')
    assert e.steps == 4
    assert [e.of(step) for step in range(1, 10)] == [1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert [step for step in range(1, 10) if e.ends(step)] == [4, 8]
    assert [e.so_far(step) for step in range(1, 6)] == [1, 2, 3, 0, 1]
    assert [e.total(n) for n in (1, 2, 25)] == [4, 8, 100]
    assert epochs('0:19', d_steps=2).total(3) == 6
    assert epochs('0:5', d_steps=7).total(3) == 3       # a step an epoch at least


def test_after_half_of_the_pictures_are_gone_it_goes_on_from_what_was_trained():
    e = epochs('0:96 144:48')                           # 6 epochs of 24 steps
    assert (e.trained(144), e.of(144), e.of(145)) == (6, 6, 7)
    assert (e.total(6), e.total(8)) == (144, 144 + 2 * 12)
    assert e.total(3) <= 144                            # is done
    assert [step for step in range(140, 170) if e.ends(step)] == [144, 156, 168]


def test_a_change_within_an_epoch_counts_as_the_part_that_it_was():
    e = epochs('0:96 36:24 42:960')                     # 1.5 epochs, then 1, then …
    assert (e.trained(36), e.trained(42), e.trained(162)) == (1.5, 2.5, 3)
    assert e.total(3) == 42 + 120
    assert [e.of(step) for step in (24, 25, 36, 39, 40, 42)] == [1, 2, 2, 2, 3, 3]
    assert [step for step in range(1, 170) if e.ends(step)] == [24, 39, 162]


@pytest.mark.parametrize('before, start, count, after, said', [
    (None, 0, 96, '0:96', None), (None, 144, 48, '0:48', None),     # an older run
    ('0:96', 144, 96, '0:96', None), ('0:96', 144, 48, '0:96 144:48', (96, 48)),
    ('0:96', 0, 48, '0:48', None),                                  # begins anew
    ('0:96 144:48', 144, 48, '0:96 144:48', (96, 48)),              # cut off there
    ('0:96 144:48', 144, 96, '0:96', None),                         # brought back
    ('0:96 144:48', 150, 48, '0:96 144:48', None),
    ('0:96 144:48', 120, 48, '0:96 120:48', (96, 48)),  # from an earlier checkpoint
    ('0:96 144:48', 160, 50, '0:96 144:48 160:50', (48, 50))])
def test_what_is_kept_and_said(before, start, count, after, said):
    assert take_up(before, start, count) == after
    assert change(after, start) == said


@pytest.mark.parametrize('text', ['x', '3:4', '0:4 ', '0:4 5', '0:' + '9' * 20])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(UserError, match='pictures is .*STEP:COUNT'):
        Config().replace(pictures=text)


def test_several_workers_share_an_epoch():
    config = Config(pictures='0:96 30:48', teams='0:1 12:4 36:2', batch_size=4)
    e = Epochs(config)      # 24 steps an epoch, then 6, then 3, then 6
    assert [e.trained(step) for step in (12, 18, 30, 36)] == [0.5, 1.5, 3.5, 5.5]
    assert e.steps == 6 and e.total(7) == 45
    assert change(config.teams, 36) == (4, 2) and change(config.teams, 40) is None
    assert take_up('0:1', 5, 2) == '0:1 5:2' and take_up('0:2', 0, 3) == '0:3'
