"""The command line: parsing, help, errors and their exit statuses."""

import glob
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

import main
from settings import flags, parser
from settings.config import Config
from settings.errors import UserError

ROOT = os.path.dirname(os.path.abspath(main.__file__))


def parse(line):
    return parser.parse_flags(line.split())


@pytest.mark.parametrize('line, value', [
    ('--train', True), ('--train True', True), ('--train=True', True),
    ('--train true', True), ('--train=1', True), ('--train yes', True),
    ('--train False', False), ('--train false', False), ('--train=False', False),
    ('--train=no', False), ('--train 0', False), ('--notrain', False),
    ('-train False', False)])
def test_booleans_in_every_spelling(line, value):
    assert parse(line) == {'train': value}


@pytest.mark.parametrize('name', [
    f.name for f in flags.fields() if f.type is bool])
def test_false_as_a_second_word_works_for_every_boolean(name, tmp_path):
    assert parse('--%s False --epoch 3' % name) == {name: False, 'epoch': 3}
    file = tmp_path / 'a.flags'
    file.write_text('--%s False\n' % name)
    assert parse('--flagfile=%s' % file) == {name: False}


def test_no_train_means_no_train():
    assert 'train' not in parse('--epoch 3')


def test_types_of_values():
    given = parse('--epoch 3 --learning_rate 1e-3 --dataset x --gpu_memory_fraction=.5')
    assert given == {'epoch': 3, 'learning_rate': 1e-3, 'dataset': 'x',
                     'gpu_memory_fraction': 0.5}


def test_a_text_that_looks_like_a_boolean_stays_a_text():
    assert parse('--name true --label 1') == {'name': 'true', 'label': '1'}


@pytest.mark.parametrize('value', [
    'two words', ' x ', 'a=b', '=', '-x', '-x y', '-epoch=3', 'a\nb', 'ünï', "'q'"])
def test_a_text_stays_as_it_is(value):
    assert parser.parse_flags(['--label', value, '--epoch', '3']) == {
        'label': value, 'epoch': 3}
    assert parser.parse_flags(['--label=' + value]) == {'label': value}


@pytest.mark.parametrize('line, expected', [
    ('--epoch 3 --epoch 5', {'epoch': 5}), ('--epoch=5 --epoch 3', {'epoch': 3}),
    ('--train --train False', {'train': False}), ('--notrain --train', {'train': True}),
    ('--train --notrain', {'train': False})])
def test_of_repeated_flags_the_last_wins(line, expected):
    assert parse(line) == expected


@pytest.mark.parametrize('line, expected', [
    ('--train maybe', "'maybe'"), ('stray --train', "'stray'"),
    ('--train False False', "'False'"), ('--train=maybe', 'maybe'),
    ('--notrain=True', '--notrain'), ('--name train true', "'true'"),
    ('--undefok=foo --foo=3', '--undefok'), ('--undefok foo --foo=3', '--undefok'),
    ('--epoch x', "'x'"), ('--epoch', 'epoch'), ('--epoch 1.5', '1.5'),
    ('--epohc 3', 'did you mean --epoch?'), ('--nonsense', 'Unknown flag --nonsense'),
    ('--visualize True', '--train False'), ('--out_name x', '--name'),
    ('--generate_test_images 5', '--num_samples'), ('--out_dir x', '--sample_dir'),
    ('--flagfile missing.flags', 'missing.flags')])
def test_what_is_wrong_is_named(line, expected):
    with pytest.raises(UserError) as error:
        parse(line)
    assert expected in str(error.value)


@pytest.mark.parametrize('line', ['--flagfile {} --epoch 3', '--epoch 3 --flagfile {}',
                                  '--epoch=3 --flagfile={}'])
def test_the_command_line_wins_over_the_flag_file(line, tmp_path):
    file = tmp_path / 'a.flags'
    file.write_text('# a comment\n\n--epoch 5\n--crop False\n--name=two words\n')
    assert parse(line.format(file)) == {
        'epoch': 3, 'crop': False, 'name': 'two words'}


def test_of_flag_files_the_last_wins(tmp_path):
    files = [tmp_path / name for name in 'ab']
    for epoch, file in zip((3, 5), files):
        file.write_text('--epoch 1\n--epoch %d\n' % epoch)
    both = ['--flagfile=%s' % file for file in files]
    assert parser.parse_flags(both) == {'epoch': 5}
    assert parser.parse_flags(both[::-1]) == {'epoch': 3}


# What a file ends in and what follows on the command line have nothing to do with
# each other.
@pytest.mark.parametrize('ending, words, expected', [
    ('--crop', ['True'], "'True'"), ('--crop', ['false', '--epoch', '3'], "'false'"),
    ('--name', ['mine'], '--name needs a value'),
    ('--name', ['-epoch', '3'], '--name needs a value'),
    ('--epoch', ['3'], '--epoch needs a value')])
def test_the_last_line_of_a_flag_file_takes_no_word_of_the_command_line(
        ending, words, expected, tmp_path):
    file = tmp_path / 'a.flags'
    file.write_text('--z_dim 5\n%s\n' % ending)
    for line in (['--flagfile', str(file)] + words, words + ['--flagfile', str(file)]):
        with pytest.raises(UserError) as error:
            parser.parse_flags(line)
        assert expected in str(error.value)


@pytest.mark.parametrize('text, expected', [
    ('epoch 3\n', 'epoch 3'), ('--flagfile other\n', 'another'),
    ('--epohc 3\n', 'did you mean'), ('--train\nFalse\n', 'False')])
def test_a_broken_flag_file_says_what_is_wrong(text, expected, tmp_path):
    file = tmp_path / 'a.flags'
    file.write_text(text)
    with pytest.raises(UserError) as error:
        parser.parse_flags(['--flagfile', str(file)])
    assert expected in str(error.value)


def test_presets_parse_and_make_a_config():
    from dataset import catalog
    presets = glob.glob(os.path.join(ROOT, 'configs', '**', '*.flags'), recursive=True)
    assert len(presets) >= 20
    for path in presets:
        given = parser.parse_flags(['--flagfile', path])
        Config.make(given, catalog.defaults(given.get('dataset', 'celebA')))


def test_carpedm20s_preset_is_his():
    given = parser.parse_flags(['--flagfile', ROOT + '/configs/carpedm20.flags'])
    expected = {'kernel_size': 5, 'g_steps': 2, 'z_dist': 'uniform_signed'}
    assert expected.items() <= given.items()


def test_images_takes_several_words_and_files_with_commas():
    given = parser.parse_flags(['--images', 'a,b.png', 'c.png', '--mask', 'left'])
    assert given['images'] == ('a,b.png', 'c.png') and given['mask'] == 'left'


def test_every_field_but_classes_is_a_flag_with_help():
    assert sorted(parser.TYPES) == sorted(
        flags.spelled(f.name) for f in flags.fields()
        if f.name not in ('classes', 'part', 'chosen_by', 'origin', 'pictures', 'seen',
                          'teams', 'trained_in'))


def test_help_lists_every_flag_once_within_the_width_of_a_terminal():
    lines = parser.help_text().splitlines()
    for name in parser.TYPES:
        assert len([ln for ln in lines if ln.startswith('  --%s' % name)
                    and ln.split()[0] == '--' + name]) == 1
    assert max(map(len, lines)) <= 100
    assert '[0.9999]' in parser.help_text()
    assert '[0.0003]' not in parser.help_text()     # said in words: G's is another


@pytest.mark.parametrize('line', [
    '--help', '-help', '-h', '--help=true', '--helpfull', '--train --help',
    '--bogus --help'])
def test_help_in_every_spelling(line, capsys):
    assert main.main(line.split()) == 0
    said = capsys.readouterr()
    assert '--learning_rate' in said.out
    assert said.err == ''


def run(*arguments, cwd=ROOT, **environment):
    return subprocess.run([sys.executable, os.path.join(ROOT, 'main.py'), *arguments],
                          cwd=cwd, capture_output=True, text=True,
                          env=dict(os.environ, **environment))


def test_help_exits_0_and_starts_no_tensorflow(tmp_path):
    result = subprocess.run(
        [sys.executable, '-X', 'importtime', os.path.join(ROOT, 'main.py'), '--help'],
        cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0
    assert '--learning_rate' in result.stdout
    assert 'tensorflow' not in result.stderr
    assert 'numpy' not in result.stderr


@pytest.mark.parametrize('line', [
    '--epoch 0', '--bogus', '--train maybe', '--dataset nothing-there --train',
    '--dataset mnist', '--task nothing', '--label x --train', '--kernel_size 3'])
def test_errors_exit_2_in_one_message_and_leave_nothing_behind(line, tmp_path):
    result = run(*line.split(), cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith('error: ')
    assert 'Traceback' not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_errors_come_before_tensorflow_is_imported(tmp_path):
    code = ('import sys; sys.path.insert(0, %r); import main; '
            'status = main.main(["--dataset", "nothing", "--train"]); '
            'sys.exit(status if "tensorflow" not in sys.modules else 99)' % ROOT)
    result = subprocess.run([sys.executable, '-c', code], cwd=tmp_path,
                            capture_output=True)
    assert result.returncode == 2


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_a_reader_that_has_gone_causes_no_traceback(unbuffered):
    process = subprocess.Popen(
        [sys.executable, os.path.join(ROOT, 'main.py'), '--help'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=dict(os.environ, PYTHONUNBUFFERED=unbuffered))
    process.stdout.close()              # as `| head` does when it has seen enough
    assert process.stderr.read() == ''
    process.stderr.close()
    assert process.wait(60) == 1


def test_what_is_not_installed_is_said_with_the_remedy(tmp_path):
    (tmp_path / 'absl').mkdir()
    (tmp_path / 'absl' / '__init__.py').write_text('raise ImportError("no absl")')
    result = run('--help', PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert 'pip install -r requirements.txt' in result.stderr
    assert 'Traceback' not in result.stderr


def test_sigterm_while_packing_leaves_no_half_file_behind(tmp_path):
    folder = tmp_path / 'data' / 'many'
    folder.mkdir(parents=True)
    Image.new('RGB', (1200, 1200)).save(folder / '000.png')
    picture = (folder / '000.png').read_bytes()
    for i in range(1, 400):             # some seconds of work
        (folder / ('%03d.png' % i)).write_bytes(picture)
    process = subprocess.Popen(
        [sys.executable, os.path.join(ROOT, 'main.py'), '--dataset', 'many', '--train',
         '--threads', '1'], cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    cache = tmp_path / 'data' / '.cache'
    end = time.time() + 60
    while time.time() < end and not any(
            file.stat().st_size for file in cache.glob('.*.npy.*.part')):
        time.sleep(0.01)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert 'Traceback' not in process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert list(cache.iterdir()) == []
