"""The command line: flags → Config → a session → one task.

python main.py --dataset celebA --train            train
python main.py --dataset celebA --train False      sample from the checkpoint
"""

import importlib
import os
import re
import signal
import sys
import textwrap

try:
    from absl import flags
except ImportError:
    sys.exit('Not installed yet. Run `make install` and use .venv/bin/python, or run '
             '`python -m pip install -r requirements.txt`.')

import tasks
from runs import folders
from settings import config as configs
from settings import parser
from settings.config import Config, NotFoundError, UserError, shown

# Every flag, a line each: a field of Config, which has its type, default and limits.
HELP = """
What to do
  dataset        celebA, mnist, fashion_mnist, cifar10, lsun, anime, toonfaces (bundled)
                 or the name of a folder of images in --data_dir; or gaussian, points of
                 the plane, to see how a GAN works
  train          train; without it, and by --train False, sample from the checkpoint
  task           what to do with a checkpoint, or with histories:
                 {tasks}
  name           name of the run; by default DATASET_BATCH_HEIGHT_WIDTH, such as
                 celebA_16_64_64

Training
  epoch          epochs in all; with a larger number a finished run goes on
  batch_size     images in a batch
  learning_rate  of Adam, in both networks
  beta1          of Adam, its momentum
  train_size     use only the first so many images; with class folders evenly of each
  d_steps        updates of D a step, each on a batch of its own (Goodfellow et al.'s k;
                 WGAN's 5)
  g_steps        updates of G a step, all on the same z (2, as carpedm20's code; the
                 paper's algorithm: 1)
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
  attributes     learn these columns of the attribute table too, as Smiling,Eyeglasses

Network
  z_dim          how many numbers z has, from which an image is drawn
  z_dist         how z is drawn: normal01, uniform_signed (carpedm20's) or
                 uniform_unsigned
  gf_dim         channels of the generator's last feature map
  df_dim         channels of the discriminator's first feature map
  kernel_size    4, which overlaps evenly at stride 2 (PyTorch's example), carpedm20's
                 5, or 3 (as write-ups tried that compare kernels)
  ema            sample with a moving average of the generator's weights, of this decay
                 (Karras et al., 2018); 0: with the weights themselves

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
  num_samples    images to draw; by default 64, or 10 for each row
  separate       write one PNG each, not a sheet
  label          draw this label alone, as 7 for mnist; of attributes those that shall
                 be there, as Smiling,Young, or none; by default a row each

  checkpoint     best, by Fréchet distance, as --eval_freq found it, or the number of a
                 step; by default the newest

Curves
  runs           the runs to compare, as a,b,c; by default all of --checkpoint_dir

Judging: --task evaluate, and --eval_freq while training
  features       what images are compared by: inception (the FID's network), classifier
                 (a small network, which learns the labels or attributes of the data
                 set), pixels or random (an untrained network)
  inception_path file of the Inception graph; by default where `python download.py
                 inception` puts it
  eval_freq      judge every so many steps of training, and keep the best checkpoint
  eval_samples   images that are judged while training; --task evaluate takes
                 --num_samples, by default 10,000

The paper's experiments: --task classify, walk, arithmetic, filters, drop
  labels_per_class
                 of classify: learn from so many labelled images of each class, drawn
                 five times; by default once from --num_samples images, up to 5,000
  walk           from z to z by sphere (spherical interpolation) or line; or one number
                 of z at a time: dimensions (a sheet, a row each), dimensions_random
                 (films of some, each from a z of its own), dimensions_each (a film
                 each), dimensions_merged (all in one film)
  frames         pictures of a film
  indices        of walk, which images of the sheet to go through, counted from 0, as
                 3,17,4; along dimensions those to start from, by default the first
  formula        of arithmetic, as "Smiling,-Male - -Smiling,-Male + -Smiling,Male" by
                 attributes (-X: without X), or "3,8,12 - 4,7,9 + 1,2,5" by images of
                 the sheet; one term, as Eyeglasses, turns it off and on
  attribute      what drop makes the generator forget, as Eyeglasses; of classify what
                 is told apart, as Smiling,Male; by default what the run learned, or
                 else classes

Completing images: --task complete
  images         the files to complete, and folders of them; by default 16, or
                 --num_samples, of the images held out by --train_size
  mask           what is hidden: center, left, random (80% of the pixels), grid (all
                 but each 4th pixel), lowres (all but the means of 8 x 8), full
                 (nothing: the z of all of it), or the file of a mask, black where it
                 is hidden
  restarts       searches for each image, of which the best is kept
  iterations     steps of a search
  perceptual_weight
                 how much D's opinion weighs beside the pixels that are known

Variants, to compare with what others did
  architecture   dcgan, or mlp: fully connected, 128 hidden units, as in tutorials of
                 the conditional GAN on MNIST
  optimizer      adam (the paper's) or sgd, as in comparisons of optimizers
  momentum       of sgd; the write-up that compared it with Adam had none
  d_learning_rate
                 of D alone; by default --learning_rate (Heusel et al. part them)
  g_learning_rate
                 of G alone, likewise
  init           dcgan: weights N(0, 0.02), gamma N(1, 0.02) (the paper's); or xavier,
                 Glorot and Bengio's uniform, TensorFlow's own default
  d_head         how D ends: linear, a dense layer (carpedm20's); conv, a convolution
                 over the whole last map (PyTorch's example); pool, its mean, then dense
  bias           have biases before batch norm (carpedm20's); PyTorch's example has none
  loss           gan (Goodfellow et al.), lsgan (Mao et al.), wgan (Arjovsky et al.) or
                 hinge (Lim and Ye; Miyato et al.)
  penalty        on D's gradient: none, wgan-gp (Gulrajani et al.), dragan (Kodali et
                 al.) or r1 (Mescheder et al.); D is then built without batch norm
  penalty_weight its weight: 10 is that of WGAN-GP, DRAGAN and R1 alike
  spectral_norm  divide D's weights by their largest singular value (Miyato et al.)
  label_smoothing
                 take it off the label of real images (Salimans et al.: 0.1)
  augment        show D images changed at random: some of translation, color and cutout
                 (Zhao et al., 2020), as color,translation; or none (mnist: none)
  augment_after  begin with that after so many steps: early on D is not yet ahead of G,
                 and whole images teach faster; 0: from the start

Machine
  gpu_memory_fraction
                 share of the GPU's memory that TensorFlow may take, up to 1
  allow_growth   take GPU memory as it is needed, not all at once
  precision      of convolutions and products: float32; bfloat16, for processors with
                 AMX or AVX512-BF16; or auto, bfloat16 where there are AMX and no GPU
  threads        how many; by default one a core
"""
NOTES = """
python main.py --dataset celebA --train            train
python main.py --dataset celebA --train False      sample from the checkpoint

[…] is the default; a data set may bring another. A boolean is written --crop,
--crop True, --crop=True, or --nocrop, --crop False, --crop=False.
--flagfile configs/carpedm20.flags reads flags from a file, a line each; those of the
command line win over it.""".strip()
HELP_FLAGS = ('--help', '-help', '-h', '--helpfull', '--helpshort')


def define_flags():
    """Return the FlagValues of all flags, none of them set yet."""
    FLAGS = flags.FlagValues()
    define = {int: flags.DEFINE_integer, float: flags.DEFINE_float,
              bool: flags.DEFINE_boolean, str: flags.DEFINE_string,
              tuple: flags.DEFINE_multi_string}
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
        shown = '' if value in (None, ()) else ' [%s]' % value
        return '  --%s%s' % (match.group(1), shown)

    flag = re.compile(r'^  ((\w+).*(?:\n   .*)*)', re.MULTILINE)
    names = textwrap.fill(', '.join(tasks.TASKS), 70, subsequent_indent=' ' * 17)
    listed = flag.sub(entry, HELP.format(tasks=names))
    return '%s\n%s' % (NOTES, listed)


def parse_flags(arguments):
    """Return {name: value} of the flags that were given.

    absl alone reads `--train False` as true and a stray word, and lets a flag file win
    over what stands before it; here it is false, and the command line wins. Raises
    UserError for unknown flags, wrong values and stray words.
    """
    given = {}
    paths, own = parser.take_flag_files(arguments)
    for path in paths:
        with parser.blaming(path):
            given.update(parser.parse(parser.read_flag_file(path),
                                          define_flags()))
    given.update(parser.parse(own, define_flags()))
    return given


def own_flags(arguments):
    """Return what parse_flags does, of the command line without its flag files."""
    return parse_flags(parser.take_flag_files(arguments)[1])


# --- tasks -------------------------------------------------------------------

def main(arguments):
    """Do what the command line says; return the exit status."""
    if any(word.partition('=')[0] in HELP_FLAGS for word in arguments):
        print(help_text())
        return 0
    try:
        given = parse_flags(arguments)
        from dataset import catalog  # after --help: NumPy and Pillow take their time
        config = Config.make(given, catalog.defaults(given.get(
            'dataset', Config.dataset)))
        if config.task not in tasks.TASKS:
            raise UserError('--task %s: expected one of %s.'
                            % (shown(config.task), ', '.join(tasks.TASKS)))
        # A flag file serves training and sampling alike; what is said here is meant.
        configs.check_place(own_flags(arguments), config)
        if config.inception_path and not os.path.isfile(config.inception_path):
            raise NotFoundError('--inception_path %s: there is no such file; `python '
                                'download.py inception` fetches it.'
                                % shown(config.inception_path))
        if not config.crop and {'input_height', 'input_width'} & set(given):
            print('note: the input size is that of the crop; without --crop it has no '
                  'effect')
        return run_training(config, given) if config.train else run_task(config, given)
    except UserError as error:
        print('error: %s' % error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except (OSError, MemoryError) as error:     # a full disk, no leave to read, …
        print('error: %s' % what_failed(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return 130


def what_failed(error):
    """Return what to say of an OSError or MemoryError; what to do about a full disk."""
    if getattr(error, 'errno', None) in configs.NO_ROOM:
        if not error.filename:      # as files have
            return 'what is printed cannot be written: %s' % error.strerror
        return ('%s cannot be written: %s. What was saved before is as it was: make '
                'room and give the same command again.'
                % (error.filename, error.strerror))
    return str(error) or 'not enough memory'


def start_tensorflow(module):
    """Import a module that imports TensorFlow, without its start-up noise."""
    from utils import quiet
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    with quiet():
        return importlib.import_module(module)


def run_training(config, given):
    """Train, from the newest checkpoint where there is one."""
    from dataset import batches
    asked, (run, config) = config, folders.to_train(config, given)
    if 'eval_samples' in given and not config.eval_freq:
        raise UserError('--eval_samples is for --eval_freq: add it, or leave '
                        '--eval_samples out.')
    if config.eval_freq:
        from metrics import extractors
        extractors.check(config)
    folders.check_free(run)
    if config.dataset != configs.GAUSSIAN:
        data = batches.load(config)
        data.steps_per_epoch(config.batch_size)     # refuses too few images
    with folders.locked(run):
        run, config = folders.to_train(asked, given)    # trained meanwhile?
        if config.dataset == configs.GAUSSIAN:
            return start_tensorflow('toy').train(config, run)
        folders.check_classes(run, config, data)
        return start_tensorflow('train').train(config, run, data)


def run_task(config, given):
    """Do a task; one on a checkpoint, with the config that lies beside it."""
    if not tasks.TASKS[config.task].checkpoint:
        importlib.import_module('tasks.' + config.task).run(config)
        return 0
    run, restored = folders.to_restore(config, given)
    folders.check_folders(run.sample_dir)
    step, path = folders.chosen(run, config.checkpoint)
    if restored is not None:
        restored.check_label()
    if config.checkpoint is None:
        step, path = start_tensorflow('runs.checkpoints').newest(run.checkpoint_dir)
    print('checkpoint: %s (step %d)' % (path, step))
    if restored is None:
        restored = start_tensorflow('runs.checkpoints').infer_config(
            path, config, given)
        print('no config.json there; told by the shapes: %s' % ', '.join(
            '%s %s' % (f.name, getattr(restored, f.name))
            for f in configs.fields(configs.NETWORK) if f.name != 'dataset'))
    restored.check_label()
    if restored.dataset == configs.GAUSSIAN:
        start_tensorflow('toy').run(restored, run, path)
        return 0
    start_tensorflow('tasks.' + config.task).run(restored, run, path)
    return 0


def terminate(number, frame):
    """Leave on SIGTERM as on an exception, so that half-written files are removed."""
    sys.exit(128 + number)


def start(arguments):
    """Do what main does as a program; return its status, also where nobody listens."""
    for name in 'stdin', 'stdout', 'stderr':    # closed: a file would get its number
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), 'w'))
    signal.signal(signal.SIGTERM, terminate)
    sys.stdout.reconfigure(errors='backslashreplace')   # names may be no valid text
    status = 0
    try:
        status = main(arguments)
        sys.stdout.flush()
    except OSError as error:    # whoever read has gone, as `head` does, or a full disk
        if not status and not isinstance(error, BrokenPipeError):
            print('error: %s' % what_failed(error), file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = status or 1
    return status


if __name__ == '__main__':
    sys.exit(start(sys.argv[1:]))
