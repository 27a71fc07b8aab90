"""Bad words and bad configs: one clear line a problem, status 2, nothing on the disk.

Most calls are made in this process, with whatever would start TensorFlow replaced by a
failure; some are made for real, to see their exit status and what they print.
"""

import json
import os
import random
import subprocess
import sys

import pytest

import download
import main
from dataset import catalog
from runs import folders, start
from settings import checks, flags, parser
from settings.config import Config
from settings.errors import UserError
from settings.flags import spelled

ROOT = os.path.dirname(os.path.abspath(main.__file__))
FIELDS = [f for f in flags.fields() if f.metadata['help']]
LONGEST_LINE = 1000
MB = 10**6
PLACES = [flags.TRAIN] + list(flags.TASKS)
NOBODY = 65534


class Started(Exception):
    """TensorFlow would have been started: the words were taken."""


def snapshot(folder):
    """Return what lies below a folder: {path: (kind and mode, size, time)}."""
    found = {}
    for above, below, files in os.walk(str(folder)):
        for name in below + files:
            stat = os.lstat(os.path.join(above, name))
            found[os.path.join(above, name)] = (
                stat.st_mode, stat.st_size if name in files else 0, stat.st_mtime_ns)
    return found


def check_said(text, start):
    """Assert that a text is an error in lines that a person can read."""
    assert text.startswith(start), text[:300]
    assert 'Traceback' not in text
    lines = text.splitlines()
    assert 1 <= len(lines) <= 40
    assert max(map(len, lines)) <= LONGEST_LINE
    assert text.isprintable() or all(line.isprintable() for line in lines)


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Return a function that asserts that words are refused, and how; see above."""
    monkeypatch.chdir(tmp_path)

    def start(module):
        raise Started(module)

    def call(words, expected=''):
        capsys.readouterr()
        before = snapshot(tmp_path)
        assert main.main([str(word) for word in words]) == 2
        said = capsys.readouterr().err
        check_said(said, 'error: ')
        assert expected in said
        assert snapshot(tmp_path) == before
        return said

    monkeypatch.setattr(main, 'start_tensorflow', start)
    return call


def flag(field):
    """Return the flag of a field, as it is written."""
    return '--' + spelled(field.name)


def where(field):
    """Return the words that make the place where a field's flag belongs."""
    place = next((place for place in field.metadata['of'] or PLACES[1:]
                  if place not in field.metadata['not_of']), None)
    if field.name in ('train', 'task'):
        return []
    return ['--train'] if place == flags.TRAIN else ['--task', place]


# --- one value ---------------------------------------------------------------

NO_NUMBERS = ['', ' ', 'x', 'nan', '-nan', 'inf', '-inf', 'Infinity', '1e400', '1,5',
              'None', '3 4', '1;2', '--', '٪', 'ünï', '\udcff', 'a\nb', '1\x00',
              '{}', '[1]', '1/0', '$(reboot)', '9' * 401, '-' + '9' * 401, '9' * 5000,
              '0x' + 'f' * 10000, '9' * MB, 'x' * MB]
NO_WHOLE_NUMBERS = ['1.5', '1e3', 'True', 'true']
NO_BOOLEANS = ['', 'maybe', '2', '-1', 'nan', 'None', 'ture', '1.0', 'a\nb', '\udcff',
               'x' * MB]
NO_TEXTS = ['', 'a\nb', '\n', 'a\x00b', '\x1b[31m', 'tab\there', '\udcff',
            'name-\udce9', 'x' * 4097, 'x' * MB, 'ü' * MB]


def bad_values(field):
    """Return texts that the flag of a field must refuse."""
    limits = field.metadata
    if field.type is bool:
        return NO_BOOLEANS
    if field.type is tuple:
        return ['', 'a\x00b', 'x' * MB]
    if field.type is str:
        return NO_TEXTS + (['nonsense', limits['choices'][0].upper(),
                            limits['choices'][0] + ' '] if limits['choices'] else [])
    beyond = [-1, 10**12] if limits['choices'] else [limits['high'] + 1]
    beyond += [limits['low'] - 1] if limits['low'] is not None else [0, -1e-9]
    return NO_NUMBERS + beyond + (NO_WHOLE_NUMBERS if field.type is int else [])


@pytest.mark.parametrize('field', FIELDS, ids=lambda field: field.name)
def test_a_bad_value_is_refused_by_the_name_of_its_flag(field, refused):
    for value in bad_values(field):
        for words in ['%s=%s' % (flag(field), value)], [flag(field), value]:
            said = refused(where(field) + words)
            # what follows a boolean, as -1 may, is a word or a flag of its own
            assert flag(field) in said or field.type is bool and (
                'Unexpected word' in said or 'Unknown flag --1' in said)


@pytest.mark.parametrize('field', FIELDS, ids=lambda field: field.name)
def test_a_missing_value_is_named(field, refused):
    refused([flag(field) + '='], flag(field))
    if field.type is not bool:
        for words in [], ['--epoch', '3']:
            refused([flag(field)] + words, '%s needs a value' % flag(field))
        refused(['--no' + spelled(field.name)], 'did you mean')


@pytest.mark.parametrize('field', FIELDS, ids=lambda field: field.name)
def test_of_two_bad_values_the_last_one_is_named_and_a_good_one_wins(field, refused):
    value = bad_values(field)[0]
    refused(where(field) + ['%s=%s' % (flag(field), value)] * 2)
    if field.type in (int, float):
        refused(['--%s=%s' % (field.name, field.metadata['low'] or 1), '--epoch=1',
                 '--%s=x' % field.name], '--%s' % field.name)


@pytest.mark.parametrize('field', FIELDS, ids=lambda field: field.name)
def test_every_number_has_a_lower_and_an_upper_limit(field):
    limits = field.metadata
    if field.type in (int, float) and not limits['choices']:
        assert limits['high'] is not None
        assert (limits['low'] is None) != (limits['above'] is None)


@pytest.mark.parametrize('flag', ['dataset', 'name'])
@pytest.mark.parametrize('value', ['.', '..', 'a/b', '/', '../../etc', 'a\\b',
                                   'x' * 201, 'ü' * 101, '/dev/null'])
def test_what_is_part_of_a_path_is_a_name(flag, value, refused):
    refused(['--' + flag, value], 'is not a name')
    refused(['--train', '--%s=%s' % (flag, value)], 'is not a name')


@pytest.mark.parametrize('value', ['', 'x', '-1', '²', '٣', '1.5', '9' * 19, '9' * 4000,
                                   'BEST', 'best ', '1 2'])
def test_a_checkpoint_is_best_or_a_number(value, refused, tmp_path):
    make_run(tmp_path)
    refused(['--name', 'run', '--checkpoint=' + value], '--checkpoint')


def test_several_problems_have_a_line_each(refused):
    said = refused(['--epoch=0', '--z_dim=0', '--beta1=7', '--label='])
    assert len(said.splitlines()) == 4


# --- words -------------------------------------------------------------------

@pytest.mark.parametrize('words', [
    [], ['--train'], ['--'], ['-'], ['---'], ['--='], ['-='], ['--=3'], ['='], [''],
    [' '], ['\n'], ['--\n'], ['-\udcff'], ['\udcff'], ['--\udcff=\udcfe'], ['--ünï'],
    ['---epoch', '3'], ['--epoch==3'], ['--epoch', '=3'], ['-epoch=x'], ['train'],
    ['--train', '--', '--epoch', '3'], ['--epoch 3'], ['--epoch:3'], ['/epoch', '3'],
    ['--epoch=3=4'], ['--epoch', '--epoch'], ['--\x00'], ['x' * MB], ['--' + 'x' * MB],
    ['--' + 'a' * 30 + '\n' + 'b'], ['-' * MB], ['--train'] * 1000 + ['x'],
    ['--no'], ['--nono'], ['--notrain=1'], ['--train', 'tru'], ['None'], ['--flagfile'],
    ['--flagfile='], ['--flagfile', ''], ['--train', 'True', 'False']])
def test_odd_words_are_refused(words, refused):
    refused(words)


@pytest.mark.parametrize('field', FIELDS, ids=lambda field: field.name)
def test_of_an_unknown_flag_the_nearest_is_named(field, refused):
    name = spelled(field.name)
    for wrong in {name + name[-1], name.replace('_', '-') + '-',
                  name[:-1] + '.' + name[-1]}:
        for words in ['--' + wrong, '3'], ['--%s=3' % wrong], ['-' + wrong]:
            refused(words, 'did you mean --%s?' % name)


@pytest.mark.parametrize('words', [['--flagfil', 'x'], ['--flag_file=x']])
def test_the_nearest_may_be_flagfile(words, refused):
    refused(words, 'did you mean --flagfile?')


def random_words(rng):
    """Return a line of flags, values and rubbish."""
    values = ['3', '0', '-1', 'x', '', 'nan', 'True', 'false', '1e400', '9' * 50, 'ünï',
              '\udcff', 'a\nb', '=', '--', '-', 'train', 'complete', 'walk', 'none']
    words = []
    for _ in range(rng.randint(1, 6)):
        name = spelled(rng.choice(FIELDS).name)
        if rng.random() < 0.2:
            cut = rng.randrange(len(name))
            name = name[:cut] + rng.choice('abc_=-\n\udcff') + name[cut + 1:]
        flag = rng.choice(['--', '-', '--no', '']) + name
        value = rng.choice(values)
        words += rng.choice([[flag], [flag, value], ['%s=%s' % (flag, value)]])
    return words


def test_a_thousand_random_lines_are_refused_or_taken(refused, tmp_path):
    rng, taken = random.Random(0), 0
    for _ in range(1000):
        words = random_words(rng)
        try:
            refused(words)
        except Started:
            taken += 1
    assert taken < 100 and list(tmp_path.iterdir()) == []


# --- places ------------------------------------------------------------------

def good_value(field):
    """Return a text that the flag of a field takes."""
    limits = field.metadata
    if limits['choices']:
        return str(limits['choices'][0])
    return {bool: 'True', str: 'x', tuple: 'x'}.get(field.type, str(
        limits['low'] if limits['low'] is not None else limits['high']))


def place_words(place):
    """Return the words that make a call's place."""
    return ['--train'] if place == flags.TRAIN else ['--task', place]


@pytest.mark.parametrize('place', PLACES)
def test_a_flag_is_refused_where_it_has_no_use_and_taken_where_it_has(place, refused):
    for field in FIELDS:
        of, not_of = field.metadata['of'], field.metadata['not_of']
        given = {field.name: good_value(field)}
        config = Config(train=place == 'train',
                        task='sample' if place == 'train' else place)
        if place in not_of or of and place not in of:
            said = refused(place_words(place) + [flag(field), good_value(field)],
                           flag(field) + ' is ')
            assert 'leave it out' in said
        else:
            start.check_place(given, config)


@pytest.mark.parametrize('line', [
    '--eval_freq 10', '--eval_samples 10', '--formula a', '--task drop --indices 1,2',
    '--z a --num_samples 3', '--z a --task filters', '--train --z a', '--dry_run',
    '--save_features', '--real_folder a', '--dataset gaussian --z a',
    '--dataset gaussian --indices 1', '--dataset gaussian --train --dry_run',
    '--dataset gaussian --train --flip',
    '--walk sphere', '--frames 10', '--labels_per_class 5', '--attribute Smiling',
    '--mask left', '--restarts 2', '--iterations 5', '--perceptual_weight 0',
    '--images a.png', '--features pixels', '--inception_path x', '--runs a',
    '--train --checkpoint best', '--train --label 3', '--train --separate',
    '--train --walk line', '--train --images a', '--task curves --num_samples 3',
    '--task curves --checkpoint 3', '--task filters --label 3',
    '--task walk --separate', '--task classify --features pixels',
    '--task evaluate --eval_samples 5', '--train --eval_samples 5 --dataset gaussian',
    '--task curves --runs a --name b', '--task complete --images a --num_samples 5',
    '--train --task walk', '--train --task nothing', '--task nothing',
    '--momentum 0.9', '--penalty_weight 3', '--attributes A --conditional',
    '--attributes A,A',
    '--attributes A,', '--loss wgan --label_smoothing 0.1', '--augment x',
    '--augment color,', '--architecture mlp --gf_dim 5', '--z_dim 5000 '
    '--dataset gaussian', '--dataset gaussian --output_width 32',
    '--dataset gaussian --output_height 32', '--dataset gaussian --separate',
    '--dataset gaussian --train --eval_freq 5', '--dataset gaussian --train_size 1',
    '--dataset gaussian --train_size 1000000000', '--dataset gaussian --crop',
    '--dataset gaussian --task walk', '--train --train_size 15'])
def test_contradictions_are_refused(line, refused):
    said = refused(line.split())
    assert said.startswith('error: --')     # not for want of a run, or of images
    assert any(word in said for word in line.split() if word.startswith('--'))


@pytest.mark.parametrize('line', [
    '--epoch 5 --sample_freq 5 --max_to_keep 3', '--train --features pixels',
    '--learning_rate 0.1', '--separate False --train'])
def test_flags_of_training_are_harmless_where_it_is_sampled_from(line, refused):
    said = refused(line.split())        # for want of a run, or of images
    assert 'is for' not in said and 'No ' in said


def test_a_flag_file_may_serve_training_and_sampling(refused, tmp_path):
    file = tmp_path / 'both.flags'
    file.write_text('--eval_freq 100\n--eval_samples 50\n--label 3\n')
    assert 'No run' in refused(['--flagfile', file])
    refused(['--flagfile', file, '--eval_freq', '10'], '--eval_freq is for --train')


def test_places_are_tasks():
    for field in FIELDS:
        places = (field.metadata['of'] or []) + field.metadata['not_of']
        assert set(places) <= set(PLACES)
    checkpoint = next(field for field in FIELDS if field.name == 'checkpoint')
    assert checkpoint.metadata['not_of'] == [flags.TRAIN, 'curves', 'watch']


# --- flag files --------------------------------------------------------------

@pytest.mark.parametrize('contents, expected', [
    (b'\xff\xfe\x00', 'cannot be read'), (b'\x89PNG\r\n\x1a\n', 'cannot be read'),
    (b'\x00' * 100, 'is no flag'), (b'epoch 3\n', 'is no flag'),
    (b'--epohc 3\n', 'did you mean --epoch?'), (b'--epoch\n', 'needs a value'),
    (b'--epoch x\n', '--epoch'), (b'--train maybe\n', "'maybe'"),
    (b'--epoch 3 4\n', "'3 4'"), (b'--flagfile other\n', 'cannot name another'),
    (b'-flagfile=other\n', 'cannot name another'), (b'--\n', 'Unexpected word'),
    (b'-\n', 'Unexpected word'), (b'--=3\n', 'Unknown flag'),
    (b'--out_name x\n', 'use --name'), (b'<html>\n', 'is no flag'),
    (b'{"epoch": 3}\n', 'is no flag'), (b'x' * 2 * MB, 'more than'),
    (b'x' * MB, 'is no flag'), (b'--name ' + b'x' * MB, None),
    (b'--epoch ' + b'9' * MB, '--epoch'), (b'--' + b'x' * MB, 'Unknown flag'),
    (b'--epoch 0\n', None), (b'--name a\x00b\n', None)])
def test_what_is_wrong_with_a_flag_file_is_said_with_its_name(
        contents, expected, refused, tmp_path):
    file = tmp_path / 'own.flags'
    file.write_bytes(contents)
    for words in ['--flagfile', file], ['--train', '--flagfile=%s' % file]:
        said = refused(words, expected or '--')
        if expected:        # a value out of range may be anyone's: its flag is named
            assert 'own.flags' in said


@pytest.mark.parametrize('path', ['missing.flags', '.', '/dev/zero', '/dev/null/x',
                                  'x' * 300, 'x' * 5000, 'a\x00b', '\udcff', 'a\nb'])
def test_a_flag_file_that_cannot_be_read_is_named(path, refused):
    refused(['--flagfile', path], '--flagfile ' + repr(path)[:30].rstrip("'"))


@pytest.mark.parametrize('contents', [
    b'', b'\n\n# nothing\n// nothing\n', b'\xef\xbb\xbf--epoch 3\n',
    b'--epoch 3\r\n--crop\r\n', b'  --epoch   3  \n'])
def test_flag_files_of_other_editors_are_read(contents, tmp_path):
    file = tmp_path / 'own.flags'
    file.write_bytes(contents)
    given = parser.parse_flags(['--flagfile=%s' % file])
    assert given == {} or given['epoch'] == 3


def test_images_of_the_command_line_win_over_those_of_a_flag_file(tmp_path):
    file = tmp_path / 'own.flags'
    file.write_text('--images a\n--images b\n')
    assert parser.parse_flags(['--flagfile', str(file)])['images'] == ('a', 'b')
    assert parser.parse_flags(['--flagfile', str(file), '--images', 'c', 'd'])[
        'images'] == ('c', 'd')


# --- config.json -------------------------------------------------------------

# but for watch, which shows any run
CALLS = [['--train']] + [['--task', task] for task in flags.TASKS if task != 'watch']
NEEDED = {'arithmetic': ['--formula', '1,2 - 3,4'], 'drop': ['--attribute', 'A']}


def make_run(folder, config=None):
    """Make a run whose checkpoint is not read before its config; return its config."""
    run = folder / 'checkpoint' / 'run'
    run.mkdir(parents=True, exist_ok=True)
    (run / 'DCGAN.model-1.index').write_bytes(b'')
    (run / 'history.csv').write_text(
        'step,epoch,seconds,d_loss_real,d_loss_fake,g_loss,d_acc_real,d_acc_fake\n'
        '1,1,0.5,1,1,1,0.5,0.5\n')
    path = run / 'config.json'
    Config.make({'dataset': 'flat', 'name': 'run', 'output_height': 16}, {}).save(
        str(path))
    return path


def damaged(text):
    """Return texts that are no config.json, made of a good one."""
    values = json.loads(text)
    cut = [text[:size] for size in range(0, len(text) - 3, 97)]
    fields = [dict(values, **{field.name: wrong}) for field in FIELDS
              for wrong in wrong_json(field)]
    return cut + [json.dumps(value) for value in fields] + [
        '[]', '[{}]', 'null', 'true', '3', '"text"', 'NaN', '[' * 10**5,
        '{"a":' * 10**5,
        text.replace('25', '9' * 5000), text.replace('25', '1e999'), text + text,
        text + 'x', '\x00' * 100, '<html>', json.dumps(dict(values, unheard_of=1)),
        json.dumps(dict(values, **{'x' * MB: 1})),
        json.dumps(dict(values, name='x' * MB)),
        ' ' * 2 * MB + text, json.dumps(dict(values, classes='abc')),
        json.dumps(dict(values, classes={'a': 1})),
        json.dumps(dict(values, classes=[1])),
        json.dumps(dict(values, classes=[['a']])), json.dumps(dict(values, part='x')),
        json.dumps(dict(values, classes=[''])), text.replace('"', "'")]


def wrong_json(field):
    """Return values that the field of a config.json must refuse."""
    found = [{}, {'a': 1}, [[1]], [1, 2], float('nan'), float('inf'), 10**400]
    # of these None once stood for 0 and none
    found += [] if field.default is None or field.name in checks.BEFORE else [None]
    found += [] if field.type is bool else [True]
    found += [] if field.type is str else ['text', '']
    return found + ([] if field.type in (int, float) else [3, 2.5])


@pytest.mark.slow
def test_a_damaged_config_is_named_by_training_and_by_every_task(refused, tmp_path):
    path = make_run(tmp_path)
    texts = damaged(path.read_text())
    assert len(texts) > 500
    for index, text in enumerate(texts):
        path.write_text(text)
        with pytest.raises(UserError, match='config.json of this program'):
            Config.load(str(path))
        # all of the calls for some, one of them for each
        calls = CALLS if index % 25 == 0 else [CALLS[index % len(CALLS)]]
        for words in calls:
            refused(words + NEEDED.get(words[-1], []) + ['--name', 'run'],
                    'config.json')
        if index % 50 == 0:
            refused([], 'config.json')      # the newest run there is


@pytest.mark.parametrize('words', CALLS)
def test_a_config_that_is_no_text_or_no_file_is_named(words, refused, tmp_path):
    path = make_run(tmp_path)
    words = words + NEEDED.get(words[-1], []) + ['--name', 'run']
    good = path.read_bytes()
    for contents in b'\xff\xfe' + good, good.replace(b'flat', b'fl\xe4t'), b'\x80' * 50:
        path.write_bytes(contents)
        refused(words, 'config.json')
    path.unlink()
    path.mkdir()
    refused(words, 'config.json')
    path.rmdir()
    path.symlink_to('/dev/zero')
    refused(words, 'config.json')


def test_a_run_goes_on_only_with_its_own_values(refused, tmp_path):
    make_run(tmp_path)
    for field in flags.fields(flags.NETWORK, flags.TRAINING):
        if field not in FIELDS or field.name in (
                'from_', 'attributes', 'conditional', 'momentum', 'penalty_weight'):
            continue
        value = {'output_height': '28', 'output_width': '28', 'bias': 'False',
                 'augment': 'color', 'num_samples': '3', 'label_smoothing': '0.1',
                 'seed': '1', 'learning_rate': '1', 'train_size': '40', 'beta1': '0.3'
                 }.get(field.name,
                       str((field.metadata['choices'] or [good_value(field)])[-1]))
        if value != str(field.default):
            refused(['--train', '--name', 'run', '--' + field.name, value],
                    '--%s: ' % field.name)


# --- paths -------------------------------------------------------------------

@pytest.fixture
def data(tmp_path, make_images):
    """Write a folder of images that can be trained on; return the words for it."""
    make_images(str(tmp_path / 'data' / 'flat'), 70)
    (tmp_path / 'file').write_text('a file')
    return ['--dataset', 'flat', '--output_height', '16', '--threads', '1']


@pytest.mark.parametrize('flag', ['data_dir', 'cache_dir', 'checkpoint_dir',
                                  'sample_dir'])
@pytest.mark.parametrize('path', ['file', 'file/below', '/dev/null', '/dev/null/x',
                                  'x' * 300, 'link'])
def test_a_path_that_can_be_no_folder_is_found_before_training(
        flag, path, refused, data, tmp_path):
    (tmp_path / 'link').symlink_to('link')
    said = refused(['--train'] + data + ['--%s=%s' % (flag, path)])
    assert path[:30] in said
    if flag == 'sample_dir':
        make_run(tmp_path)
        refused(['--name', 'run', '--sample_dir', path], 'folder')
        refused(['--task', 'curves', '--sample_dir', path], 'folder')


@pytest.mark.parametrize('path', ['missing', 'data', '/dev/null', 'file/below'])
@pytest.mark.parametrize('words', [['--train', '--eval_freq', '5'],
                                   ['--task', 'evaluate']])
def test_an_inception_path_that_is_no_file_is_found_before_packing(
        words, path, refused, data):
    refused(words + data + ['--inception_path', path], '--inception_path')


@pytest.mark.parametrize('features, named', [
    ('inception', 'No Inception graph at'), ('classifier', '--features classifier')])
def test_features_that_cannot_be_had_are_found_before_packing(
        features, named, refused, data):
    refused(['--train', '--eval_freq', '5', '--features', features] + data, named)


def test_a_folder_that_must_not_be_written_to_is_found_before_training(
        data, tmp_path, monkeypatch):
    (tmp_path / 'locked').mkdir(mode=0o555)
    denied = str(tmp_path / 'locked')
    usual = os.access
    monkeypatch.setattr(os, 'access', lambda path, mode: (     # root may do anything
        usual(path, mode) and not (path == denied and mode & os.W_OK)))
    for folder in denied, os.path.join(denied, 'below', 'that'):
        with pytest.raises(UserError, match='no permission to write to .*locked'):
            folders.check_folders(folder)
    folders.check_folders(str(tmp_path), str(tmp_path / 'new' / 'one'))
    assert not (tmp_path / 'new').exists()


def test_what_is_good_reaches_tensorflow(refused, data, tmp_path, capsys):
    with pytest.raises(Started, match='runs.sessions'):
        refused(['--train'] + data)
    make_run(tmp_path)
    with pytest.raises(Started, match='runs.holding'):     # it is read first
        refused(['--name', 'run', '--num_samples', '5'])


# --- for real ----------------------------------------------------------------

def run(words, cwd, **more):
    environment = dict(os.environ, **more.pop('environment', {}))
    return subprocess.run([sys.executable, os.path.join(ROOT, 'main.py')] + words,
                          cwd=str(cwd), env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, **more)


@pytest.mark.parametrize('words', [
    ['--train'], [b'--name', b'\xff\xfe'], ['--flagfile', '/dev/zero'],
    ['--mask', 'left'],
    ['--train', '--sample_dir', '/dev/null/x', '--dataset', 'gaussian'],
    [b'--data_dir', 'gemälde'.encode('latin-1')]])
def test_the_real_program_says_a_line_and_ends_with_status_2(words, tmp_path):
    result = run(words, tmp_path)
    assert result.returncode == 2
    check_said(result.stderr.decode(), 'error: ')
    assert len(result.stderr.decode().splitlines()) == 1
    assert result.stdout == b''
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('encoding', ['ascii', 'latin-1', 'cp1252'])
def test_help_is_printed_whatever_the_terminal_can_show(encoding, tmp_path):
    result = run(['--help'], tmp_path, environment={'PYTHONIOENCODING': encoding})
    assert (result.returncode, result.stderr) == (0, b'')
    assert b'--perceptual_weight' in result.stdout


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() != 0,
                    reason='only root can become another user')
def test_a_locked_folder_is_refused_to_a_user_who_is_not_root(tmp_path):
    code = ('import os, sys; sys.path.insert(0, %r); import main, dataset.batches; '
            'os.setgid(%d); os.setuid(%d); sys.exit(main.main(sys.argv[1:]))'
            % (ROOT, NOBODY, NOBODY))
    result = subprocess.run(
        [sys.executable, '-c', code, '--train', '--dataset', 'gaussian',
         '--checkpoint_dir', str(tmp_path / 'below')],
        cwd='/', stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert result.returncode == 2
    check_said(result.stderr.decode(), 'error: ')
    assert b'no permission' in result.stderr


# --- download.py -------------------------------------------------------------

NO_MIRRORS = ['', 'x', 'ftp://host/', 'http://', 'https:///path', 'file:///etc/passwd']


@pytest.mark.parametrize('words', [
    [], ['x'], [''], ['mnist', 'x'], ['--bogus'], ['mnist', '--data'], ['-'], ['--'],
    ['mnist', '--mirror'], ['mnist', '--data_dir'], ['mnist', '--archive'], ['\udcff'],
    ['mnist', '--data_dir', 'file'], ['mnist', '--data_dir=/dev/null'],
    ['mnist', '--archive', ''], ['mnist', '--archive', 'missing'],
    ['mnist', '--archive', '.'], ['mnist', '--archive', 'file'],
    ['--archive', 'file'], ['mnist', 'celebA', '--archive', 'file'],
    ['anime', '--archive', 'file'], ['toonfaces', '--archive', 'file'],
    ['inception', '--archive', 'file'], ['mnist', '--data_dir', 'file/below'],
    ['MNIST'], ['mnist,celebA']] + [
    ['mnist', '--mirror', mirror] for mirror in NO_MIRRORS])
def test_wrong_arguments_of_download_are_refused(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').write_text('no data set')
    before = snapshot(tmp_path)
    try:
        status = download.main(words)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    check_said(capsys.readouterr().err, 'download.py: ')
    assert snapshot(tmp_path) == before


def test_a_path_of_download_that_is_no_text_is_refused_for_real(tmp_path):
    result = subprocess.run(
        [sys.executable, os.path.join(ROOT, 'download.py'), 'mnist', '--archive',
         b'\xff'], cwd=str(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert result.returncode == 2
    check_said(result.stderr.decode(), 'download.py: ')
    assert list(tmp_path.iterdir()) == []


def test_data_sets_are_all_known():
    assert set(download.BUNDLED) | set(download.BY_HAND) <= set(catalog.DATASETS)
