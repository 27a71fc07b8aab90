"""The words of a command line or a flag file → {name: value}; and what --help prints.

absl converts the values. By itself it reads `--train False` as true and a stray word,
and lets a flag file win over what stands before it. Here it is false, and the command
line wins.
"""

import collections
import difflib
import os
import re
import textwrap

from absl import flags

from settings import beside
from settings.checks import EXPECTED
from settings.errors import UserError, shown
from settings.flags import TASKS, fields, spelled

HELP = ('--help', '-help', '-h', '--helpfull', '--helpshort')
NOTES = """
python main.py --dataset toonfaces --train           train on the faces that come along
python main.py --dataset shoes --crop --train        on your pictures, in data/shoes
python main.py --dataset shoes                       draw with what it has learned
python main.py --dataset shoes --train --epoch 50    go on, to 50 epochs in all
python main.py --dataset shoes --task export         a page to send to anybody

G is the generator, the network that draws; z are the random numbers that it draws an
image from; D is the discriminator, which learns to tell real images from drawn ones.
In a step both learn from one batch of images; a checkpoint is their weights, saved.

A run, one training, keeps its flags. Ctrl-C ends it and loses nothing: --dataset shoes
--train goes on (with --name, if it was begun so), and every task finds it by --dataset,
or by --name where there are several. Another --batch_size or size begins another run,
which is said; other flags that would make another training of it are refused: begin
that under a --name of its own. "The paper" is Radford et al., 2016, which DCGAN comes
from; carpedm20 wrote its best-known program: --flagfile configs/carpedm20.flags is his.

Begin with --dataset, --crop, --epoch and --output_height; leave the rest alone until
you miss something, Network and Variants above all.

[…] is the default; a data set may bring another. A boolean is written --crop,
--crop True, --crop=True, or --nocrop, --crop False, --crop=False.
--flagfile FILE reads flags from a file, a line each; the command line wins over it.
""".strip()
FIELDS = {spelled(f.name): f.name for f in fields() if f.metadata['help']}   # of flags
TYPES = {spelled(f.name): f.type for f in fields() if f.metadata['help']}
BOOLEAN = {'true': True, 't': True, '1': True, 'yes': True, 'y': True,
           'false': False, 'f': False, '0': False, 'no': False, 'n': False}
MOST_FLAGS = 2**20      # characters of a flag file

# carpedm20's flags that have another name here, or something else in their place
REPLACED = {
    'out_dir': 'use --checkpoint_dir and --sample_dir',
    'out_name': 'use --name',
    'visualize': 'use --train False, which samples (his option 0), or --task walk with '
                 '--walk dimensions (1), dimensions_random (2), dimensions_each (3) or '
                 'dimensions_merged (4)',
    'generate_test_images': 'use --num_samples, with --separate for one file each',
    'export': 'use --task export, which writes a SavedModel among others',
    'freeze': 'use --task export, which writes a frozen graph among others',
    'G_img_sum': 'the sheets are always among the TensorBoard summaries',
    'is_train': 'use --train',
    'is_crop': 'use --crop',
    'image_size': 'use --input_height, with --crop',
    'output_size': 'use --output_height',
    'sample_num': 'use --num_samples',
    'sample_size': 'use --num_samples',
}


# --- help --------------------------------------------------------------------

def asks_for_help(words):
    """Tell whether a command line asks for help."""
    return any(word.partition('=')[0] in HELP for word in words)


def help_text():
    """Return what --help prints: every flag, its sentence, its default, in groups."""
    lines = [NOTES]
    for field in fields():
        if field.metadata['group']:
            lines += ['', field.metadata['group']]
        if field.metadata['help']:
            lines.append(help_entry(field))
    width = max(map(len, TASKS)) + 2
    lines += ['', 'Tasks'] + ['  %-*s%s' % (width, *row) for row in TASKS.items()]
    return '\n'.join(lines)


def help_entry(field):
    """Return the lines of --help on one flag."""
    unset = field.default in (None, ()) or 'by default' in field.metadata['help']
    text = field.metadata['help'] + ('' if unset else ' [%s]' % field.default)
    name = '  --%-16s' % spelled(field.name)
    start = '' if name.endswith(' ') else name + '\n'
    return start + textwrap.fill(
        text, 88, initial_indent=' ' * 20 if start else name,
        subsequent_indent=' ' * 20, break_on_hyphens=False)


# --- values ------------------------------------------------------------------

def parse_flags(words, flag_files=True):
    """Return {name of the field: value} of the flags that a command line gives.

    Without `flag_files` those of its flag files are left out. Raises UserError for
    unknown flags, wrong values and stray words.
    """
    given = {}
    paths, own = take_flag_files(words)
    for path in paths if flag_files else ():
        try:
            given.update(parse(read_flag_file(path)))
        except UserError as error:
            raise UserError('--flagfile %s: %s' % (shown(path), error))
    given.update(parse(own))
    return given


def parse(words):
    """Return {name: value} of what words give. UserError where they are wrong."""
    given, FLAGS = {}, define_flags()
    for name, value in pair(words):
        try:
            FLAGS[name].parse(value)
        except flags.IllegalFlagValueError:
            raise UserError('--%s is %s; expected %s.'
                            % (name, shown(value), EXPECTED[TYPES[name]]))
        value = FLAGS[name].value
        given[FIELDS[name]] = tuple(value) if isinstance(value, list) else value
    return given


def define_flags():
    """Return the FlagValues of all flags, none of them set yet."""
    FLAGS = flags.FlagValues()
    define = {int: flags.DEFINE_integer, float: flags.DEFINE_float,
              bool: flags.DEFINE_boolean, str: flags.DEFINE_string,
              tuple: flags.DEFINE_multi_string}
    for name, kind in TYPES.items():
        define[kind](name, None, '', flag_values=FLAGS)
    return FLAGS


# --- flag files --------------------------------------------------------------

def take_flag_files(arguments):
    """Return the paths of every --flagfile, and the other words."""
    paths, own, words = [], [], iter(arguments)
    for word in words:
        name, equals, path = word.lstrip('-').partition('=')
        if word.startswith('-') and name == 'flagfile':
            paths.append(path if equals else next(words, ''))
            if not paths[-1]:
                raise UserError('--flagfile needs a value: expected the path of a file '
                                'after it.')
        else:
            own.append(word)
    return paths, own


def read_flag_file(path):
    """Return the words of a flag file: a flag a line, # and // begin a comment.

    The presets are also found where one does not stand in the program's folder.
    """
    try:
        with open(beside.first(path), encoding='utf-8-sig') as file:
            text = file.read(MOST_FLAGS + 1)
    except FileNotFoundError:
        folders = [repr(os.path.dirname(place)) for place in beside.places(path)]
        raise UserError('there is no such file in %s.' % ', nor in '.join(folders))
    except (OSError, ValueError) as error:
        raise UserError('it cannot be read: %s'
                        % (getattr(error, 'strerror', None) or error))
    if len(text) > MOST_FLAGS:
        raise UserError('it has more than %d characters; expected lines like --epoch 5.'
                        % MOST_FLAGS)
    return [word for line in text.split('\n') for word in words_of(line.strip())]


def words_of(line):
    """Return the words of a line of a flag file; see read_flag_file."""
    if not line or line.startswith(('#', '//')):
        return []
    if not line.startswith('-'):
        raise UserError('%s is no flag; expected lines like --epoch 5.' % shown(line))
    if re.match('-+flagfile', line):
        raise UserError('a flag file cannot name another (%s).' % shown(line))
    name, value = re.match(r'([^\s=]+)\s*(.*)', line).groups()
    return [line] if value.startswith('=') or not value else [name, value]


# --- words -------------------------------------------------------------------

def pair(words):
    """Return the (name, value as text) of each flag; see parse_flags."""
    pairs, words = [], collections.deque(words)
    while words:
        word = words.popleft()
        if not word.startswith('-') or word in ('-', '--'):
            raise UserError('Unexpected word %s: every word belongs to a flag. See '
                            '`python main.py --help`.' % shown(word))
        name, equals, value = re.match(r'--?([^=]*)(=?)(.*)', word, re.DOTALL).groups()
        if TYPES.get(name) is bool:
            if not equals:
                said = words and words[0].lower() in BOOLEAN
                value = words.popleft() if said else 'true'
            value = str(BOOLEAN.get(value.lower(), value))
        elif name.startswith('no') and TYPES.get(name[2:]) is bool and not equals:
            name, value = name[2:], 'False'
        elif name not in TYPES:
            raise UserError(unknown_flag(name))
        elif not equals:
            if not words or words[0].startswith('--'):
                raise UserError('--%s needs a value: expected %s after it.'
                                % (name, EXPECTED[TYPES[name]]))
            value = words.popleft()
        pairs.append((name, value))
        while TYPES[name] is tuple and words and not words[0].startswith('-'):
            pairs.append((name, words.popleft()))
    return pairs


def unknown_flag(name):
    """Say what a flag that there is not may have meant."""
    if name in REPLACED:
        return "--%s of carpedm20's is not a flag here: %s." % (name, REPLACED[name])
    there = list(TYPES) + ['flagfile', 'help']
    near = [name[2:]] if name.startswith('no') and name[2:] in there else (
        difflib.get_close_matches(name.replace('-', '_'), there, 1))
    written = name if re.match(r'[\w-]{1,60}$', name) else shown(name)
    return 'Unknown flag --%s%s See `python main.py --help`.' % (
        written, '; did you mean --%s?' % near[0] if near else '.')
