"""bench/quality/race.py: milestones, what is resumed, judged and reported."""

import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from bench.peers import learn
from bench.quality import judging, race, reporting, training
from settings.config import Config
from settings.errors import UserError

# --- milestones --------------------------------------------------------------

@pytest.mark.parametrize('minutes, expected', [
    (32, (2, 4, 8, 16, 32)), (8, (2, 4, 8)), (2, (2,)), (0.05, (0.05,))])
def test_milestones(minutes, expected):
    assert race.milestones(minutes) == expected


def test_steps_are_multiples_of_the_first_milestones():
    steps = race.steps_at((2, 4, 8, 16, 32), images_per_s=117.1, images_a_step=64)
    assert steps == {2: 220, 4: 440, 8: 880, 16: 1760, 32: 3520}


def test_steps_are_at_least_one():
    assert race.steps_at((0.001,), images_per_s=10, images_a_step=64) == {0.001: 1}


def test_steps_of_a_larger_batch_are_fewer():
    assert race.steps_at((2,), 100, 128) == {2: 94}


def test_the_faster_reading_is_taken():
    speeds = {'ours': {'images_per_s': 9}, 'torch files': {'images_per_s': 5},
              'torch memory': {'images_per_s': 6}}
    assert training.reading_of('torch', speeds) == 'torch memory'
    assert training.reading_of('ours', speeds) == 'ours'


@pytest.mark.parametrize('minutes', ['3', '0', '64'])
def test_other_minutes_are_refused(minutes, capsys):
    with pytest.raises(SystemExit):
        race.parse(['--out', 'x', '--minutes', minutes])
    assert 'expected one of 2, 4, 8, 16, 32' in capsys.readouterr().err


def test_seeds_of_all_sides_in_turn():
    options = race.parse(['--out', 'x', '--seeds', '0,1', '--peer_seeds', '0'])
    assert race.pieces(options, race.SIDES) == [
        (0, 'ours'), (0, 'recipe'), (0, 'torch'), (0, 'carpedm20'), (1, 'ours')]


# --- the folder, and what is resumed -----------------------------------------

SPEEDS = {'ours': '', 'width': None, 'processor': 'P', 'cores': 2, 'date': 'today',
          'torch_device': 'cpu', 'load': [0.1, 0.2], 'sides': {
              name: {'images_per_s': 32.0, 'images_a_step': 64, 'rounds': [31.0, 32.0]}
              for name in ('ours', 'recipe float32', 'recipe bfloat16', 'torch files',
                           'torch memory', 'carpedm20')}}


@pytest.fixture
def folder(tmp_path):
    """Give a Folder whose milestones are the steps 60 and 120, with no image in it."""
    options = race.parse(['--out', str(tmp_path), '--minutes', '4'])
    learn.write_json(str(tmp_path / 'speeds.json'), SPEEDS)
    return race.Folder(options)


def finish(path, step, way='sampler'):
    samples = np.zeros((2, 8, 8, 3), np.uint8)
    learn.save_array(samples, learn.samples_path(path, step, way))
    learn.write_json(learn.milestone_path(path, step), {'step': step})


@pytest.mark.parametrize('side', race.SIDES)
def test_a_finished_piece_is_not_done_again(folder, side, monkeypatch, capsys):
    monkeypatch.setattr(training, 'call', lambda *a: pytest.fail('called'))
    for step in (60, 120):
        finish(folder.of(side, 3), step)
    training.train(folder, side, 3)
    assert '%s, seed 3: finished' % side in capsys.readouterr().out


def test_an_unfinished_piece_is_called_with_its_steps(folder, monkeypatch):
    calls = []
    monkeypatch.setattr(training, 'call', calls.append)
    monkeypatch.setattr(race.Folder, 'for_peers', lambda self: ['--files', 'list'])
    finish(folder.of('torch', 0), 60)
    training.train(folder, 'torch', 0)
    (command,) = calls
    assert command[command.index('--steps') + 1] == '60,120'
    assert command[command.index('--folder') + 1] == folder.of('torch', 0)


def test_only_sides_with_a_speed_are_reported():
    speeds = {'sides': {'torch files': {}, 'torch memory': {}, 'ours': {}}}
    assert race.measured(speeds) == ['ours', 'torch']
    with pytest.raises(UserError, match='recipe has no speed here'):
        training.reading_of('recipe', speeds['sides'])


def test_unknown_sides_are_refused(capsys):
    with pytest.raises(SystemExit):
        race.parse(['--out', 'x', '--sides', 'ours,keras'])
    assert 'expected some of ours, recipe, torch' in capsys.readouterr().err


def test_speeds_of_other_flags_are_refused(folder):
    folder.options.ours = '--ema 0.998'
    with pytest.raises(UserError, match="--ours is '--ema 0.998'.*another --out"):
        folder.speeds()


def test_speeds_are_not_measured_again_under_trainings(folder):
    os.makedirs(folder.of('ours', 0))
    with pytest.raises(UserError, match='another --out'):
        race.measure(folder, 1, 1)


class CountingPeer:
    """A peer whose state is the number of its steps; dies after step `last`."""

    def __init__(self, last=10**9):
        self.step, self.last, self.taken = 0, last, 0

    def advance(self):
        if self.step == self.last:
            raise KeyboardInterrupt
        self.step += 1
        self.taken += 1

    def save(self, path):
        with open(path, 'w') as file:
            file.write(str(self.step))

    def restore(self, path):
        with open(path) as file:
            self.step = int(file.read())

    save_generator = save

    def sample(self, num, seed):
        return {'way': np.full((num, 2, 2, 3), self.step % 256, np.uint8)}


def test_a_killed_peer_goes_on_from_its_saved_state(tmp_path):
    folder, steps = str(tmp_path), [300, 900]
    with pytest.raises(KeyboardInterrupt):
        learn.learn(CountingPeer(last=750), folder, steps, 2, 0)
    assert os.path.exists(learn.milestone_path(folder, 300))
    assert not os.path.exists(learn.milestone_path(folder, 900))
    peer = CountingPeer()
    learn.learn(peer, folder, steps, 2, 0)
    assert peer.step == 900 and peer.taken == 900 - 600     # saved every 200 steps
    drawn = np.load(learn.samples_path(folder, 900, 'way'))
    assert drawn.shape == (2, 2, 2, 3) and (drawn == 900 % 256).all()


def test_a_finished_peer_takes_no_step(tmp_path):
    learn.learn(CountingPeer(), str(tmp_path), [5], 2, 0)
    peer = CountingPeer()
    learn.learn(peer, str(tmp_path), [5], 2, 0)
    assert peer.taken == 0


def test_milestones_of_main_are_noted(tmp_path):
    path = str(tmp_path)
    (tmp_path / 'DCGAN.model-60.index').write_text('')
    (tmp_path / 'history.csv').write_text(
        ','.join(training.history.COLUMNS) + '\n'
        + ''.join('%d,1,%d.5,1,1,1,1,1\n' % (n, n) for n in (59, 60, 61)))
    assert not training.note_milestones(path, [60, 120])
    with open(learn.milestone_path(path, 60)) as file:
        assert json.load(file)['seconds'] == 60.5
    assert not os.path.exists(learn.milestone_path(path, 120))


def test_a_failing_command_ends_it():
    with pytest.raises(SystemExit, match='status 3'):
        training.call([race.sys.executable, '-c', 'raise SystemExit(3)'])


def test_files_of_a_zip_are_unpacked(tmp_path, make_images):
    make_images(str(tmp_path / 'made'), 5)
    os.makedirs(str(tmp_path / 'data' / 'celebA'))
    with zipfile.ZipFile(str(tmp_path / 'data' / 'celebA' / 'a.zip'), 'w') as archive:
        for name in os.listdir(str(tmp_path / 'made')):
            archive.write(str(tmp_path / 'made' / name), 'inside/' + name)
    config = Config.make(dict(data_dir=str(tmp_path / 'data'), train_size=3), {})
    paths = race.unpack(config, str(tmp_path / 'out'))
    assert len(set(paths)) == 3
    made = [(tmp_path / 'made' / os.path.basename(path)).read_bytes() for path in paths]
    assert made == [open(path, 'rb').read() for path in paths]


# --- judging -----------------------------------------------------------------

@pytest.fixture
def judge(tmp_path):
    """Give a Judge by pixels: 120 random images to learn from, 30 held out."""
    rng = np.random.default_rng(0)
    os.makedirs(str(tmp_path / 'data' / 'noise'))
    for i in range(150):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(
            str(tmp_path / 'data' / 'noise' / ('%03d.png' % i)))
    config = Config.make(dict(dataset='noise', output_height=16, train_size=120,
                              data_dir=str(tmp_path / 'data')), {})
    return judging.Judge('pixels', config)


def noise(count, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8)


def test_samples_as_the_data_are_near_and_differ(judge):
    of = judge.of(noise(120))
    assert of['label'] == 'pixels 16x16' and of['samples'] == 120
    assert of['duplicates'] < 0.1 and of['recall'] > 0.3
    assert not reporting.collapsed(of)
    assert of['held_out'] > 0 and judge.anchor()['held_out_images'] == 30


def test_collapse_shows_in_the_numbers(judge):
    same = np.clip(noise(1).astype(int) + noise(120, 2) // 64, 0, 255).astype(np.uint8)
    of = judge.of(same)
    assert of['duplicates'] == 1.0 and reporting.collapsed(of)
    assert of['distance'] > judge.of(noise(120))['distance']


def test_what_is_judged_is_kept_until_the_real_images_change(judge, tmp_path):
    path = str(tmp_path / 'piece')
    learn.save_array(noise(20), learn.samples_path(path, 7, 'eval'))
    learn.save_array(noise(20, 3), learn.samples_path(path, 7, 'train'))
    piece = dict(side='torch', seed=0, minutes=2, step=7, path=path)
    rows = list(judging.judge_piece(judge, 'pixels', piece))
    assert [row['way'] for row in rows] == ['eval', 'train']
    judge.of = lambda images: pytest.fail('judged again')
    assert list(judging.judge_piece(judge, 'pixels', piece)) == rows
    judge.of, judge.mark = (lambda images: dict(distance=5.0, mark='new')), 'new'
    assert [row['distance'] for row in judging.judge_piece(
        judge, 'pixels', piece)] == [5.0, 5.0]


# --- the report --------------------------------------------------------------

def row(side, seed, minutes, distance, way='sampler', **changes):
    return dict(dict(side=side, seed=seed, minutes=minutes, way=way, distance=distance,
                     label='pixels 16x16', held_out=distance + 1, precision=0.5,
                     recall=0.4, duplicates=0.02, samples=5000, step=10 * minutes,
                     seconds=60.0 * minutes, load=1.5, path=''), **changes)


ROWS = [row('ours', 0, 8, 4.0), row('ours', 1, 8, 6.0), row('ours', 2, 8, 5.0),
        row('ours', 0, 32, 3.0), row('torch', 0, 8, 14.0, 'train'),
        row('torch', 0, 8, 12.5, 'eval'), row('torch', 0, 32, 5.0, 'train'),
        row('carpedm20', 0, 8, 40.0), row('carpedm20', 0, 32, 20.0)]
ANCHORS = [dict(label='pixels 16x16', distance=0.75, held_out_images=2000)]


def test_report_has_medians_ranges_and_the_better_way():
    lines = reporting.report(ROWS, ANCHORS).split('\n')
    assert '## Fréchet distance in pixels 16x16, 5000 samples' in lines
    assert '| side | 8 min | 32 min |' in lines
    assert '| ours | 5 (4 to 6, 3 seeds) | 3 (1 seed) |' in lines
    assert '| torch | 12.5 (1 seed) | 5 (1 seed) |' in lines
    assert 'Real images held out (2000) to those learned from: 0.75' in lines


def test_report_has_the_ratios_and_their_bar():
    lines = reporting.report(ROWS, ANCHORS).split('\n')
    assert ('ours at 8 minutes over the better peer (torch): 0.40 (bar 0.50) met'
            in lines)
    assert ('ours at 32 minutes over the better peer (torch): 0.60 (bar 0.50) MISSED'
            in lines)


def test_no_ratio_without_a_peer():
    assert reporting.ratios(ROWS[:4]) == []


def test_report_counts_the_collapsed_by_the_last_milestone():
    rows = ROWS + [row('ours', 3, 32, 3.0, duplicates=0.9),
                   row('ours', 4, 32, 3.0, recall=0.0),
                   row('ours', 4, 8, 9.0, duplicates=0.9)]
    text = reporting.report(rows, ANCHORS)
    assert 'ours 2 of 5, torch 0 of 1, carpedm20 0 of 1' in text
    assert '| ours, 3 | 32 | 0.500 | 0.400 | 90.0 % | yes |' in text


def test_numbers_of_other_features_stay_apart():
    rows = ROWS + [dict(r, label='classifier', distance=r['distance'] * 100)
                   for r in ROWS]
    text = reporting.report(rows, ANCHORS)
    first, second = text.split('## Fréchet distance in classifier')
    assert '500' not in first.replace('5000', '').replace('0.500', '')
    assert '| ours | 500 (400 to 600, 3 seeds) | 300 (1 seed) |' in second


def test_speeds_table():
    lines = reporting.speeds_table(SPEEDS).split('\n')
    assert '| torch files | 32.0 | 31.0 | 32.0 | 64 |' in lines
    assert lines[0].endswith('ours: the defaults')


def test_sheets_are_drawn_side_by_side(tmp_path):
    rows = []
    for side in ('ours', 'torch'):
        for minutes in (2, 4):
            made = row(side, 0, minutes, 1.0, path=str(tmp_path / side))
            learn.save_array(noise(90), learn.samples_path(
                made['path'], made['step'], 'sampler'))
            rows.append(made)
    sheets, last = reporting.draw(rows, str(tmp_path))
    assert [os.path.basename(p) for p in (sheets, last)] == ['sheets.png', 'last.png']
    width, height = Image.open(sheets).size
    assert 0.7 < width / height < 1.1       # two sides by two milestones
    assert Image.open(last).size[0] > 900


def test_report_of_nothing():
    assert reporting.report([], []) == 'nothing is trained yet'
    assert list(reporting.draw([], 'nowhere')) == []
