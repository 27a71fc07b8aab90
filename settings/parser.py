"""Words of a command line or a flag file → (name, value) of the flags that they give.

main.py defines the flags and reads them; here is how they are written.
"""

import collections
import contextlib
import difflib
import re

from absl import flags

from settings import config as configs
from settings.config import UserError, shown

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
    'export': 'use the checkpoint: its variables restore by their names',
    'freeze': 'use the checkpoint: its variables restore by their names',
    'G_img_sum': 'the sheets are always among the TensorBoard summaries',
    'is_train': 'use --train',
    'is_crop': 'use --crop',
    'image_size': 'use --input_height, with --crop',
    'output_size': 'use --output_height',
    'sample_num': 'use --num_samples',
    'sample_size': 'use --num_samples',
}


def parse(words, FLAGS):
    """Return {name: value} of what words give. UserError where they are wrong."""
    given = {}
    for name, value in pair(words, FLAGS):
        try:
            FLAGS[name].parse(value)
        except flags.IllegalFlagValueError:
            raise UserError('--%s is %s; expected %s.'
                            % (name, shown(value), configs.expected(name)))
        value = FLAGS[name].value
        given[name] = tuple(value) if isinstance(value, list) else value
    return given


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


@contextlib.contextmanager
def blaming(path):
    """Begin what is wrong with the flags of a file with the file's name."""
    try:
        yield
    except UserError as error:
        raise UserError('--flagfile %s: %s' % (shown(path), error))


def read_flag_file(path):
    """Return the words of a flag file: a flag a line, # and // begin a comment."""
    try:
        with open(path, encoding='utf-8-sig') as file:
            text = file.read(MOST_FLAGS + 1)
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

def pair(words, FLAGS):
    """Return the (name, value as text) of each flag; see parse_flags."""
    pairs, words = [], collections.deque(words)
    while words:
        word = words.popleft()
        if not word.startswith('-') or word in ('-', '--'):
            raise UserError('Unexpected word %s: every word belongs to a flag. See '
                            '`python main.py --help`.' % shown(word))
        name, equals, value = re.match(r'--?([^=]*)(=?)(.*)', word, re.DOTALL).groups()
        if is_boolean(name, FLAGS):
            if not equals:
                said = words and words[0].lower() in BOOLEAN
                value = words.popleft() if said else 'true'
            value = str(BOOLEAN.get(value.lower(), value))
        elif name.startswith('no') and is_boolean(name[2:], FLAGS) and not equals:
            name, value = name[2:], 'False'
        elif name not in FLAGS:
            raise UserError(unknown_flag(name, FLAGS))
        elif not equals:
            if not words or words[0].startswith('--'):
                raise UserError('--%s needs a value: expected %s after it.'
                                % (name, configs.expected(name)))
            value = words.popleft()
        pairs.append((name, value))
        while takes_several(name) and words and not words[0].startswith('-'):
            pairs.append((name, words.popleft()))
    return pairs


def takes_several(name):
    """Tell whether a flag is followed by one word or more."""
    return configs.expected(name) == configs.EXPECTED[tuple]


def is_boolean(name, FLAGS):
    """Tell whether there is a boolean flag of this name."""
    return name in FLAGS and FLAGS[name].boolean


def unknown_flag(name, FLAGS):
    """Say what a flag that there is not may have meant."""
    if name in REPLACED:
        return "--%s of carpedm20's is not a flag here: %s." % (name, REPLACED[name])
    there = list(FLAGS) + ['flagfile', 'help']
    near = difflib.get_close_matches(name.replace('-', '_'), there, 1)
    written = name if re.match(r'[\w-]{1,60}$', name) else shown(name)
    return 'Unknown flag --%s%s See `python main.py --help`.' % (
        written, '; did you mean --%s?' % near[0] if near else '.')
