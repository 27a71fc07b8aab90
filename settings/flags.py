"""The flags: each a field, with its default, its meaning, its limits and its sentence.

A new flag is one entry of the class Flags. What is done with them is in config.py.
"""

import dataclasses

# What a field means to a run that exists already:
NETWORK = 'network'      # the shape of the network: never differs
TRAINING = 'training'    # how it was trained: must not differ on resume
FREE = 'free'            # may change from one start to the next
CALL = 'call'            # belongs to one call of main.py; not taken from config.json

# What --task names: NAME is done by tasks/NAME.py
TASKS = {
    'sample': 'draw images: a sheet, or with --separate one PNG each',
    'evaluate': 'judge samples: a table of metrics beside those of real images',
    'walk': 'go from z to z, or along its dimensions: sheets and films',
    'arithmetic': 'add and subtract z, as smiling woman - woman + man',
    'filters': "show what D's features answer to, by guided backpropagation",
    'drop': 'make the generator forget an attribute, by dropping feature maps',
    'complete': 'fill the hidden part of --images, or of held-out images',
    'score': "tell how real D takes each of --images to be: a CSV",
    'classify': "tell labels by D's features, with a linear SVM",
    'curves': 'lay the losses of several runs over one another',
}
TRAIN = 'train'     # what flags of training belong to, as others to tasks


def option(default, role, help=None, group=None, low=None, high=None, choices=None,
           above=None, of=None, not_of=''):
    """Make a field: its default, its role, its sentence, the values that it takes.

    `group` is the heading in --help, of this field and of those after it. `of` names
    what the flag belongs to, TRAIN or tasks with spaces between; by default that is
    everything but `not_of`. On the command line of any other task the flag is refused:
    it would silently do nothing; see start.check_place.
    """
    return dataclasses.field(default=default, metadata=dict(
        role=role, help=help, group=group, low=low, high=high, choices=choices,
        above=above, of=of and of.split(), not_of=not_of.split()))


@dataclasses.dataclass(frozen=True)
class Flags:
    """All flags of main.py. A default of None stands for "not set"."""

    dataset: str = option(
        'celebA', NETWORK, 'celebA, mnist, fashion_mnist, cifar10, lsun, anime, '
        'toonfaces (bundled) or the name of a folder of images in --data_dir; or '
        'gaussian, points of the plane, to see how a GAN works', group='What to do')
    train: bool = option(
        False, CALL, 'train; without it, and by --train False, sample from the '
        'checkpoint')
    dry_run: bool = option(
        False, CALL, 'with --train: check everything, take three steps, say how long '
        'the training will take, and write nothing but the packed images', of='train')
    task: str = option(
        'sample', CALL, 'what to do with a run that was trained; see Tasks, at the end',
        choices=tuple(TASKS))
    name: str = option(
        None, CALL, 'name of the run; by default DATASET_BATCH_HEIGHT_WIDTH, such as '
        'celebA_32_64_64')

    epoch: int = option(
        25, FREE, 'how often to go through all images, in all; with a larger number a '
        'finished run goes on',
        low=1, high=10**6, group='Training')
    from_: str = option(
        None, TRAINING, "begin a new run with another's weights: the name of a run in "
        '--checkpoint_dir, or a folder that holds a checkpoint; RUN@STEP or RUN@best, '
        'by default the newest', of='train')
    batch_size: int = option(32, TRAINING, 'images in a batch', low=1, high=2**16)
    train_size: int = option(
        None, TRAINING, 'train on only so many images, a fair part of all, by --seed; '
        'the others are held out, to judge by', low=1, high=10**9)
    seed: int = option(
        0, TRAINING, 'decides weights, batches and z: the same seed, the same pictures',
        low=0, high=2**31 - 1)
    learning_rate: float = option(
        3e-4, TRAINING, 'how far an update moves the weights, of both networks; '
        'where it is not given G takes four times as large steps', above=0, high=10)
    beta1: float = option(
        0.0, TRAINING, "momentum of Adam (the paper's: 0.5)", low=0, high=0.9999)
    beta2: float = option(
        0.99, TRAINING, "of Adam, how slowly it forgets the gradients' size (the "
        "paper's: 0.999)", low=0, high=0.99999)
    d_steps: int = option(
        1, TRAINING, "updates of D a step, each on a batch of its own (Goodfellow et "
        "al.'s k; WGAN's 5)", low=1, high=100)
    g_steps: int = option(
        1, TRAINING, "updates of G a step, all on the same z (carpedm20's code: 2)",
        low=1, high=100)
    updates: str = option(
        'alternate', TRAINING, "alternate: D is updated first, then G by the new D's "
        'answers; together: both by the weights before the step',
        choices=('alternate', 'together'))

    output_height: int = option(
        64, NETWORK, 'height of the images that the networks see and draw (mnist: 28)',
        low=7, high=4096, group='Images')
    output_width: int = option(
        None, NETWORK, 'their width; by default the height', low=7, high=4096)
    crop: bool = option(
        False, TRAINING, 'take the central part of each picture, then resize it; else '
        'all of the picture is resized, which may squeeze it (celebA: true)')
    input_height: int = option(
        None, TRAINING, 'height of that part, for --crop; by default what fits '
        '(celebA: 108)', low=1, high=2**16)
    input_width: int = option(
        None, TRAINING, 'its width; by default its height', low=1, high=2**16)
    flip: bool = option(
        False, TRAINING, 'train on mirror images too: each picture is mirrored, left '
        'to right, half of the time; not for digits or writing')
    c_dim: int = option(
        3, NETWORK, 'channels: 3 for colour, 1 for gray (mnist: 1)', choices=(1, 3))
    input_fname_pattern: str = option(
        '*', TRAINING, 'use only files with such names, as *.jpg')
    conditional: bool = option(
        False, NETWORK, 'learn labels too, to draw by --label: the folders that images '
        'are in (mnist: true)')
    labels: str = option(
        None, FREE, 'learn the labels in this file: CSV with a header (file,label), '
        "JSON lines, StyleGAN's dataset.json; of several columns FILE:COLUMN")
    attributes: str = option(
        None, NETWORK, 'learn these columns of 1 and -1 of that file too, as '
        'Smiling,Eyeglasses (celebA, toonfaces: of the table of attributes)')

    data_dir: str = option('data', CALL, 'folder of the data sets', group='Files')
    cache_dir: str = option(
        None, CALL, 'folder of the packed images; by default .cache in --data_dir')
    checkpoint_dir: str = option(
        'checkpoint', CALL, 'folder of the runs, or one that itself holds a checkpoint')
    sample_dir: str = option('samples', CALL, 'folder of the pictures')
    sample_freq: int = option(
        200, FREE, 'draw a sheet of samples every so many steps', low=1, high=10**9)
    ckpt_freq: int = option(
        200, FREE, 'save a checkpoint every so many steps', low=1, high=10**9)
    summary_freq: int = option(
        100, FREE, 'write TensorBoard summaries every so many steps', low=1, high=10**9)
    max_to_keep: int = option(
        5, FREE, 'how many checkpoints are kept, the newest', low=1, high=10**6)

    num_samples: int = option(
        None, TRAINING, 'how many images to draw; by default 64, or 10 for each label',
        low=1, high=10**7, not_of='curves', group='Sampling')
    separate: bool = option(
        False, CALL, 'write one PNG for each image, not a sheet of all',
        of='sample complete')
    label: str = option(
        None, CALL, 'draw this label alone, as 7 for mnist; of attributes those that '
        'shall be there, as Smiling,Young, or none; by default a row each',
        of='sample walk arithmetic drop complete score')
    z: str = option(
        None, CALL, 'draw from the z in this file, as sampling and --task complete '
        'write it beside their pictures (test.npz, z.npz); by default new ones by '
        '--seed',
        of='sample walk arithmetic')
    indices: str = option(
        None, CALL, 'which images of the sheet, or of --z, counted from 0, as 3,17,4: '
        'sampling draws these alone, a walk goes through them, and along dimensions '
        'starts from them', of='sample walk')
    checkpoint: str = option(
        None, CALL, 'which of the saved weights: best, as --eval_freq found it, or the '
        'number of a step; by default the newest', not_of='train curves')
    features: str = option(
        None, FREE, "what images are compared by: inception (the FID's network), "
        'classifier (a small network, which learns the labels or attributes of the '
        'data set), pixels or random (an untrained network)',
        choices=('inception', 'classifier', 'pixels', 'random'), of='train evaluate',
        group='Judging: --task evaluate, and --eval_freq while training')
    inception_path: str = option(
        None, FREE, 'file of the Inception graph; by default where `python download.py '
        'inception` puts it', of='train evaluate')
    eval_freq: int = option(
        None, FREE, 'judge samples every so many steps of training, and keep the best '
        'checkpoint', low=1, high=10**9, of='train')
    eval_samples: int = option(
        5000, FREE, 'images that are judged while training; --task evaluate takes '
        '--num_samples, by default 10,000', low=2, high=10**6, of='train')

    real_folder: str = option(
        None, CALL, 'write the real images too, as they were prepared for training, '
        'one PNG each, into this new or empty folder, to compare by other programs',
        of='evaluate')

    images: tuple = option(
        (), CALL, 'your files, and folders of them, to complete or to score; complete '
        'by default takes 16, or --num_samples, of the images that --train_size held '
        'out', of='complete score', group='Your own pictures: --task complete, score')
    save_features: bool = option(
        False, CALL, "write D's features of each picture too, as arrays of NumPy",
        of='score')
    mask: str = option(
        'center', CALL, 'of complete, what is hidden: center, left, random (80% of the '
        'pixels), grid (all but each 4th pixel), lowres (all but the means of 8 x 8), '
        'full (nothing: the z of all of it), or the file of a mask, black where it is '
        'hidden', of='complete')
    restarts: int = option(
        4, CALL, 'of complete, searches for each image, of which the best is kept',
        low=1, high=1000, of='complete')
    iterations: int = option(
        500, CALL, 'of complete, steps of a search', low=1, high=10**6, of='complete')
    perceptual_weight: float = option(
        0.1, CALL, "of complete, how much D's answer weighs beside the known pixels",
        low=0, high=10**6, of='complete')

    labels_per_class: int = option(
        None, CALL, 'of classify: learn from so many labelled images of each class, '
        'drawn five times; by default once from --num_samples images, up to 5,000',
        low=2, high=10**9, of='classify', group="The paper's experiments: --task "
        'classify, walk, arithmetic, filters, drop')
    walk: str = option(
        'sphere', CALL, 'from z to z by sphere (spherical interpolation) or line; or '
        'one number of z at a time: dimensions (a sheet, a row each), '
        'dimensions_random (films of some, each from a z of its own), dimensions_each '
        '(a film each), dimensions_merged (all in one film)',
        choices=('sphere', 'line', 'dimensions', 'dimensions_random',
                 'dimensions_each', 'dimensions_merged'), of='walk')
    frames: int = option(
        60, CALL, 'pictures of a film', low=2, high=10**4, of='walk arithmetic')
    formula: str = option(
        None, CALL, 'of arithmetic, as "Smiling,-Male - -Smiling,-Male + '
        '-Smiling,Male" by attributes (-X: without X), or "3,8,12 - 4,7,9 + 1,2,5" by '
        'images of the sheet or of --z; one term, as Eyeglasses, turns it off and on',
        of='arithmetic')
    attribute: str = option(
        None, CALL, 'what drop makes the generator forget, as Eyeglasses; of classify '
        'what is told apart, as Smiling,Male; by default what the run learned, or else '
        'classes', of='classify drop')

    runs: str = option(
        None, CALL, 'the runs to compare, as a,b,c; by default all of --checkpoint_dir',
        of='curves', group='Curves')

    z_dim: int = option(
        100, NETWORK, 'how many numbers z has, from which an image is drawn',
        low=1, high=2**16, group='Network')
    z_dist: str = option(
        'normal01', NETWORK, "how z is drawn: normal01, uniform_signed (carpedm20's) "
        'or uniform_unsigned',
        choices=('normal01', 'uniform_signed', 'uniform_unsigned'))
    gf_dim: int = option(
        32, NETWORK, 'width of G, the channels of its last feature map; 64 takes three '
        'to four times as long', low=1, high=4096)
    df_dim: int = option(
        32, NETWORK, 'width of D, the channels of its first feature map',
        low=1, high=4096)
    kernel_size: int = option(
        4, NETWORK, "4, which overlaps evenly at stride 2 (PyTorch's example), "
        "carpedm20's 5, or 3 (as write-ups tried that compare kernels)",
        choices=(3, 4, 5))
    ema: float = option(
        0.9999, NETWORK, "sample with a moving average of the generator's weights, of "
        'this decay (Karras et al., 2018); 0: with the weights themselves',
        low=0, high=0.99999)
    ema_rampup: float = option(
        0.05, TRAINING, 'that average is over about this last share of the updates, as '
        'long as that is less than --ema says (StyleGAN2-ADA); 0: as --ema says',
        low=0, high=1)

    architecture: str = option(
        'dcgan', NETWORK, 'dcgan, or mlp: fully connected, 128 hidden units, as in '
        'tutorials of the conditional GAN on MNIST', choices=('dcgan', 'mlp'),
        group='Variants, to compare with what others did')
    optimizer: str = option(
        'adam', TRAINING, "adam (the paper's) or sgd, as in comparisons of optimizers",
        choices=('adam', 'sgd'))
    momentum: float = option(
        0.0, TRAINING, 'of --optimizer sgd; the write-up that compared it with Adam '
        'had none', low=0, high=0.9999)
    d_learning_rate: float = option(
        None, TRAINING, 'of D alone; by default --learning_rate (Heusel et al. part '
        'them)', above=0, high=10)
    g_learning_rate: float = option(
        None, TRAINING, 'of G alone; by default --learning_rate, or 0.0012 where that '
        'is not given either', above=0, high=10)
    init: str = option(
        'dcgan', TRAINING, "dcgan: weights N(0, 0.02), gamma N(1, 0.02) (the paper's); "
        "or xavier, Glorot and Bengio's uniform, TensorFlow's own default",
        choices=('dcgan', 'xavier'))
    d_head: str = option(
        'conv', NETWORK, "how D ends: linear, a dense layer (carpedm20's); conv, a "
        "convolution over the whole last map (PyTorch's example); pool, its mean, then "
        'dense', choices=('linear', 'conv', 'pool'))
    bias: bool = option(
        False, NETWORK, "have biases before batch norm, as carpedm20's; PyTorch's "
        'example has none')
    loss: str = option(
        'gan', TRAINING, 'gan (Goodfellow et al.), lsgan (Mao et al.), wgan (Arjovsky '
        'et al.) or hinge (Lim and Ye; Miyato et al.)',
        choices=('gan', 'lsgan', 'wgan', 'hinge'))
    penalty: str = option(
        'none', TRAINING, "on D's gradient: none, wgan-gp (Gulrajani et al.), dragan "
        '(Kodali et al.) or r1 (Mescheder et al.); D is then built without batch norm',
        choices=('none', 'wgan-gp', 'dragan', 'r1'))
    penalty_weight: float = option(
        10.0, TRAINING, 'of --penalty: 10 is that of WGAN-GP, DRAGAN and R1 alike',
        above=0, high=10**6)
    spectral_norm: bool = option(
        False, NETWORK, "divide D's weights by their largest singular value (Miyato et "
        'al.)')
    label_smoothing: float = option(
        0.0, TRAINING, 'let D learn that a real image is real by 1 less this (Salimans '
        'et al.: 0.1)', low=0, high=0.5)
    augment: str = option(
        'translation', TRAINING, 'show D images changed at random: some of '
        'translation, color and cutout (Zhao et al., 2020), as color,translation; or '
        'none (mnist: none)')
    augment_target: float = option(
        0.95, TRAINING, 'change so many of the images that D calls this share of the '
        'real ones real: D that knows them by heart would call all (Karras et al., '
        '2020); 0: change all images', low=0, high=0.999)
    augment_after: int = option(
        0, TRAINING, 'begin with --augment after so many steps', low=0, high=10**9)

    gpu_memory_fraction: float = option(
        None, FREE, "share of the GPU's memory that TensorFlow may take, up to 1",
        above=0, high=1, group='Machine')
    allow_growth: bool = option(
        True, FREE, 'take GPU memory as it is needed, not all at once')
    precision: str = option(
        'auto', FREE, 'of convolutions and products: float32; bfloat16, for processors '
        'with AMX or AVX512-BF16; or auto, bfloat16 where there are AMX and no GPU',
        choices=('auto', 'float32', 'bfloat16'))
    threads: int = option(
        None, FREE, 'how many threads compute; by default one a core', low=1, high=4096)

    workers: int = option(
        1, CALL, 'with --train: so many processes train together on this machine, each '
        'on batches of its own, on a GPU of its own where there are as many; for '
        'several machines see docs/distributed.md', low=1, high=4096, of='train',
        group='Several processes: --train')
    peer_timeout: float = option(
        600.0, CALL, 'seconds after which a worker ends that waits for another one '
        'which does not answer', low=1, high=10**6, of='train')
    collective: str = option(
        'auto', CALL, "how gradients are exchanged: ring, by TensorFlow's own; auto: "
        'by NCCL between GPUs, else by that', choices=('auto', 'ring'), of='train')
    sync_batch_norm: bool = option(
        False, TRAINING, 'let batch norm go by the batches of all workers together, '
        "not by each worker's own")

    # no flags: the names of the labels, which the data set gives; and which of its
    # images are meant, those to train on or those held out from training
    classes: tuple = option((), NETWORK)
    part: str = option('train', CALL, choices=('train', 'held_out'))
    # the seed by which --train_size chooses; None: a run from when it took the first
    chosen_by: int = option(None, TRAINING, low=0, high=2**31 - 1)
    # the checkpoint that a run with --from began with
    origin: str = option(None, TRAINING)
    # how many pictures it was trained on, from which step; see runs/epochs.py
    pictures: str = option(None, TRAINING)
    # how many workers trained it, from which step; likewise
    teams: str = option(None, TRAINING)
    # what --precision was when it was last trained, auto as it was decided there
    trained_in: str = option(None, FREE, choices=('float32', 'bfloat16'))


def spelled(name):
    """Return how a field's flag is written: from_ is --from, a word of Python's."""
    return name.rstrip('_')


def fields(*roles):
    """Return the fields that have one of these roles; all of them without any role."""
    return [f for f in dataclasses.fields(Flags)
            if not roles or f.metadata['role'] in roles]
