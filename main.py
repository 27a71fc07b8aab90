"""The command line: flags → Config → a session → one task.

python main.py --dataset celebA --train            train
python main.py --dataset celebA --train False      sample from the checkpoint
"""

import difflib
import importlib
import os
import re
import sys

from absl import flags

import config as configs
import runs
from config import Config, UserError

# Every flag, a line each: a field of Config, which has its type, default and limits.
HELP = """
What to do
  dataset        celebA, mnist, toonfaces (bundled) or the name of a folder of images
                 in --data_dir
  train          train; without it, and by --train False, sample from the checkpoint
  task           what to do with a checkpoint: sample
  name           name of the run; by default DATASET_BATCH_HEIGHT_WIDTH, such as
                 celebA_64_64_64

Training
  epoch          epochs in all; with a larger number a finished run goes on
  batch_size     images in a batch
  learning_rate  of Adam, in both networks
  beta1          of Adam, its momentum
  train_size     use only the first so many images; with class folders evenly of each
  d_steps        updates of D a step, each on a batch of its own
  g_steps        updates of G a step, all on the same z (carpedm20's code: 2)
  seed           decides weights, batches and z: the same seed, the same pictures

Images
  output_height  height of the images that the networks see and draw (mnist: 28)
  output_width   their width; by default the height
  crop           take the central part of each picture, then resize (celebA: true)
  input_height   height of that part, for --crop; by default what fits (celebA: 108)
  input_width    its width; by default its height
  c_dim          channels: 3 for colour, 1 for gray (mnist: 1)
  input_fname_pattern
                 use only files with such names, as *.jpg
  conditional    learn labels too: the folders that images are in (mnist: true)

Network
  z_dim          how many numbers z has, from which an image is drawn
  z_dist         how z is drawn: normal01, uniform_signed (carpedm20's) or
                 uniform_unsigned
  gf_dim         channels of the generator's last feature map
  df_dim         channels of the discriminator's first feature map
  kernel_size    4, which overlaps evenly at stride 2, or carpedm20's 5
  ema            sample with a moving average of the generator's weights, of this decay,
                 as 0.998; by default with the weights themselves

Files
  data_dir       folder of the data sets
  cache_dir      folder of the packed images; by default .cache in --data_dir
  checkpoint_dir folder of the runs, or one that itself holds a checkpoint
  sample_dir     folder of the pictures
  sample_freq    draw a sheet every so many steps
  ckpt_freq      save a checkpoint every so many steps
  summary_freq   write TensorBoard summaries every so many steps
  max_to_keep    how many checkpoints are kept, the newest

Sampling
  num_samples    images to draw; by default 64, or 10 for each label
  separate       write one PNG each, not a sheet
  label          draw this label alone, as 7 for mnist; by default a row each

Machine
  gpu_memory_fraction
                 share of the GPU's memory that TensorFlow may take, up to 1
  allow_growth   take GPU memory as it is needed, not all at once
  precision      float32, or bfloat16 inside (for processors with AMX or AVX512-BF16)
  threads        how many; by default one a core
"""
NOTES = """
[…] is the default; a data set may bring another. A boolean is written --crop,
--crop True, --crop=True, or --nocrop, --crop False, --crop=False.
--flagfile configs/carpedm20.flags reads flags from a file, a line each; those of the
command line win over it.""".strip()
HELP_FLAGS = ('--help', '-help', '-h', '--helpfull', '--helpshort')
TRUE, FALSE = ('true', 't', '1', 'yes', 'y'), ('false', 'f', '0', 'no', 'n')

# carpedm20's flags that have no counterpart of the same name
REPLACED = {
    'out_dir': '--checkpoint_dir and --sample_dir',
    'out_name': '--name',
    'visualize': '--train False, which samples',
    'generate_test_images': '--num_samples, with --separate for one file each',
    'export': 'the checkpoint itself: its variables restore by their names',
    'freeze': 'the checkpoint itself: its variables restore by their names',
    'is_train': '--train',
    'is_crop': '--crop',
    'image_size': '--input_height',
    'output_size': '--output_height',
}


def define_flags():
    """Return the FlagValues of all flags, none of them set yet."""
    FLAGS = flags.FlagValues()
    define = {int: flags.DEFINE_integer, float: flags.DEFINE_float,
              bool: flags.DEFINE_boolean, str: flags.DEFINE_string}
    types = {field.name: field.type for field in configs.fields()}
    for name in flag_names():
        define[types[name]](name, None, '', flag_values=FLAGS)
    return FLAGS


def flag_names():
    """Return the names of all flags in the order of HELP."""
    return re.findall(r'^  (\w+)', HELP, re.MULTILINE)


def help_text():
    """Return what --help prints: HELP with dashes and the defaults."""
    default = {field.name: field.default for field in configs.fields()}

    def entry(match):
        value = default[match.group(2)]
        shown = '' if value is None else ' [%s]' % value
        return '  --%s%s' % (match.group(1), shown)

    flag = re.compile(r'^  ((\w+).*(?:\n   .*)*)', re.MULTILINE)
    return '%s\n\n%s\n%s' % (__doc__.strip(), NOTES, flag.sub(entry, HELP))


# --- parsing -----------------------------------------------------------------

def parse_flags(arguments):
    """Return {name: value} of the flags that were given.

    absl alone reads `--train False` as true and a stray word, and lets a flag file win
    over what stands before it; here it is false, and the command line wins. Raises
    UserError for unknown flags, wrong values and stray words.
    """
    FLAGS = define_flags()
    words = join_values(flag_files_first(arguments), FLAGS)
    try:
        rest = FLAGS([''] + words)[1:]
    except flags.UnrecognizedFlagError as error:
        raise UserError(unknown_flag(error.flagname))
    except flags.Error as error:
        raise UserError('%s. See `python main.py --help`.' % error)
    if rest:
        raise UserError('Unexpected word %r: every word belongs to a flag. See '
                        '`python main.py --help`.' % rest[0])
    return {name: FLAGS[name].value for name in flag_names() if FLAGS[name].present}


def flag_files_first(arguments):
    """Move the content of every --flagfile in front of the other words."""
    own, from_files, words = [], [], iter(arguments)
    for word in words:
        name, equals, path = word.lstrip('-').partition('=')
        if word.startswith('-') and name == 'flagfile':
            from_files += read_flag_file(path if equals else next(words, ''))
        else:
            own.append(word)
    return from_files + own


def read_flag_file(path, depth=0):
    """Return the words of a flag file: a flag a line, # and // begin a comment."""
    try:
        with open(path, encoding='utf-8') as file:
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError('--flagfile %r cannot be read: %s' % (path, error))
    lines = [line for line in lines if line and not line.startswith(('#', '//'))]
    for line in lines:
        if not line.startswith('-'):
            raise UserError('%s: %r is no flag; expected lines like --epoch 5'
                            % (path, line))
        if line.lstrip('-').startswith('flagfile'):
            raise UserError('%s: a flag file cannot name another (%s)' % (path, line))
    return lines


def join_values(words, FLAGS):
    """Write each flag and its value as one word, --name=value, booleans so too."""
    joined = []
    for word in words:
        before = joined[-1].lstrip('-') if joined else ''
        if word.lower() in TRUE + FALSE and is_boolean(before, FLAGS):
            joined[-1] += '=' + word
        elif word.startswith('-'):
            joined.append(re.sub(r'^([^\s=]+)\s+', r'\1=', word))
        else:
            joined.append(word)
    return [plain_boolean(word, FLAGS) for word in joined]


def is_boolean(name, FLAGS):
    """Tell whether there is a boolean flag of this name."""
    return name in FLAGS and FLAGS[name].boolean


def plain_boolean(word, FLAGS):
    """Rewrite --train=No as --train=False, which absl understands."""
    name, equals, value = word.partition('=')
    if equals and is_boolean(name.lstrip('-'), FLAGS):
        known = dict.fromkeys(TRUE, True)
        known.update(dict.fromkeys(FALSE, False))
        return '%s=%s' % (name, known.get(value.lower(), value))
    return word


def unknown_flag(name):
    """Say what a flag that there is not may have meant."""
    if name in REPLACED:
        return "--%s of carpedm20's has no counterpart here; instead: %s." % (
            name, REPLACED[name])
    near = difflib.get_close_matches(name, flag_names(), 1)
    return 'Unknown flag --%s%s See `python main.py --help`.' % (
        name, '; did you mean --%s?' % near[0] if near else '.')


# --- tasks -------------------------------------------------------------------

def main(arguments):
    """Do what the command line says; return the exit status."""
    if set(arguments) & set(HELP_FLAGS):
        print(help_text())
        return 0
    try:
        given = parse_flags(arguments)
        import dataset  # after --help: NumPy and Pillow take their time
        config = Config.make(given, dataset.defaults(given.get(
            'dataset', Config.dataset)))
        return run_training(config, given) if config.train else run_task(config, given)
    except UserError as error:
        print('error: %s' % error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return 130


def start_tensorflow(module):
    """Import a module that imports TensorFlow, without its start-up noise."""
    from utils import quiet
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    with quiet():
        return importlib.import_module(module)


def run_training(config, given):
    """Train, from the newest checkpoint where there is one."""
    import dataset
    run, config = runs.to_train(config, given)
    data = dataset.load(config)
    data.steps_per_epoch(config.batch_size)     # refuses too few images
    return start_tensorflow('train').train(config, run, data)


def run_task(config, given):
    """Do a task on a checkpoint, with the config that lies beside it."""
    import tasks
    if config.task not in tasks.TASKS:
        raise UserError('--task %r: expected one of %s.'
                        % (config.task, ', '.join(tasks.TASKS)))
    run, restored = runs.to_restore(config, given)
    step, path = runs.latest(run.checkpoint_dir)
    print('checkpoint: %s (step %d)' % (path, step))
    task = start_tensorflow('tasks.' + config.task)
    if restored is None:
        restored = importlib.import_module('session').infer_config(path, config, given)
    task.run(restored, run, path)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
