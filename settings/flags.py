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
    'filters': "show what in a picture D's features answer to",
    'drop': 'make the generator forget an attribute, such as Eyeglasses',
    'complete': 'fill the hidden part of --images, or of held-out images',
    'score': "tell how real D takes each of --images to be: a CSV",
    'classify': "test what D has learned: a linear SVM tells labels by its features",
    'export': 'write the network in forms that other programs read',
    'curves': 'lay the losses of several runs over one another',
    'watch': 'show runs in a browser, while they train and after',
}
READING = ('curves', 'watch')       # those that read what runs wrote, no checkpoint
FORMATS = 'frozen', 'saved_model', 'onnx', 'page'   # of --task export
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
        'celebA', NETWORK, 'the name of a folder of pictures in --data_dir; or a '
        'data set: toonfaces comes with the program, `python download.py NAME` '
        'fetches celebA, mnist, fashion_mnist, cifar10, lsun, and says how to get '
        'anime; or gaussian, points of the plane, to see how a GAN works',
        group='What to do')
    train: bool = option(
        False, CALL, 'train; without it, and by --train False, sample from the '
        'checkpoint')
    dry_run: bool = option(
        False, CALL, 'with --train: check everything, take some steps, say how long '
        'the training will take; of it nothing is kept but the prepared pictures',
        of='train')
    task: str = option(
        'sample', CALL, 'what to do with a run that was trained; see Tasks, at the end',
        choices=tuple(TASKS))
    name: str = option(
        None, CALL, 'name of the run, by which it is found again; by default '
        'DATASET_BATCH_HEIGHT_WIDTH, such as celebA_32_64_64')

    epoch: int = option(
        25, FREE, 'passes over all images, in all; a larger number lets a finished '
        'run go on', low=1, high=10**6, group='Training')
    from_: str = option(
        None, TRAINING, "begin a new run with another's weights: the name of a run in "
        '--checkpoint_dir, or a folder that holds a checkpoint; RUN@STEP or RUN@best, '
        'by default the newest', of='train')
    batch_size: int = option(32, TRAINING, 'images in a batch', low=1, high=2**16)
    train_size: int = option(
        None, TRAINING, 'train on only so many images, chosen at random by --seed; '
        'the others are kept to judge by; by default all', low=1, high=10**9)
    seed: int = option(
        0, TRAINING, 'decides the first weights, the batches and z: the same seed, the '
        'same pictures; another, others', low=0, high=2**31 - 1)
    learning_rate: float = option(
        3e-4, TRAINING, 'how far an update moves the weights, one number for D and G '
        'alike; by default 0.0003 for D and 0.0012 for G, with labels 0.0003 for both '
        '(mnist: 0.0006)',
        above=0, high=10)
    beta1: float = option(
        0.0, TRAINING, 'of the optimizer Adam, its momentum: how much of the last '
        "moves goes into the next (the paper's: 0.5)", low=0, high=0.9999)
    beta2: float = option(
        0.99, TRAINING, 'of Adam too: how long it remembers how large the gradients '
        "were; nearer 1, longer (the paper's: 0.999)", low=0, high=0.99999)
    d_steps: int = option(
        1, TRAINING, 'how often D learns in a step, each time from a new batch',
        low=1, high=100)
    g_steps: int = option(
        1, TRAINING, "how often G learns in a step (carpedm20's: 2)", low=1, high=100)
    updates: str = option(
        'alternate', TRAINING, 'alternate: in a step D learns first, then G from the D '
        'that this made; together: each learns from the other as it was before the '
        'step', choices=('alternate', 'together'))

    output_height: int = option(
        64, NETWORK, 'height in pixels of the images that the networks see and draw; '
        'any from 7 on, larger ones take longer (mnist: 28)', low=7, high=4096,
        group='Images')
    output_width: int = option(
        None, NETWORK, 'their width; by default the height', low=7, high=4096)
    crop: bool = option(
        False, TRAINING, 'take the central part of each picture, then resize it; else '
        'all of the picture is resized, which may squeeze it (celebA: true)')
    input_height: int = option(
        None, TRAINING, 'with --crop: height of that part, in pixels of your '
        'pictures; by default as large as fits (celebA: 108)', low=1, high=2**16)
    input_width: int = option(
        None, TRAINING, 'with --crop: width of that part; by default its height', low=1,
        high=2**16)
    flip: bool = option(
        False, TRAINING, 'train on mirror images too: each picture is mirrored, left '
        'to right, half of the time; not for digits or writing')
    c_dim: int = option(
        3, NETWORK, 'channels: 3 for colour, 1 for gray (mnist: 1)', choices=(1, 3))
    input_fname_pattern: str = option(
        '*', TRAINING, "use only files with such names, as '*.jpg'")
    conditional: bool = option(
        False, NETWORK, 'learn labels too, which --label then draws: the folders of '
        'the data set, as boots of data/shoes/boots/1.png (mnist: true); with --labels '
        'or --attributes there is no need to give it')
    labels: str = option(
        None, FREE, 'learn labels from this file, not from folders: CSV with the '
        "columns file,label; JSON lines; StyleGAN's dataset.json; FILE:COLUMN takes "
        'the labels of another column')
    attributes: str = option(
        None, NETWORK, 'learn yes-or-no columns (1 and 0, or -1) of the --labels file, '
        'as Smiling,Eyeglasses; celebA and toonfaces have such a table of their own')

    data_dir: str = option(
        'data', CALL, 'folder that holds the data sets, a folder each', group='Files')
    cache_dir: str = option(
        None, CALL, 'folder of the pictures as they are prepared for training; by '
        'default .cache in --data_dir')
    checkpoint_dir: str = option(
        'checkpoint', CALL, 'folder of the runs; or the folder of one checkpoint, as '
        "carpedm20's")
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
        low=1, high=10**7, not_of='curves watch export', group='Sampling')
    separate: bool = option(
        False, CALL, 'write one PNG for each image, not a sheet of all',
        of='sample complete')
    label: str = option(
        None, CALL, 'of a run with labels, draw this one alone, as 7; with '
        'attributes, those that are there, as Smiling,Young, or the word none; by '
        'default a row each', of='sample walk arithmetic drop complete score')
    z: str = option(
        None, CALL, 'draw from the z in this file, which sampling and --task '
        'complete write beside their pictures (test.npz, z.npz); by default from those '
        'of --seed', of='sample walk arithmetic')
    indices: str = option(
        None, CALL, 'numbers of images, as 3,17,4, counted from 0, row by row of the '
        'sheet that sampling draws, or in the file of --z: sampling draws only these, '
        'a walk goes through them, and --walk dimensions starts from them',
        of='sample walk')
    checkpoint: str = option(
        None, CALL, 'which of the saved weights: best, as --eval_freq found it, or the '
        'number of a step; by default the newest', not_of='train curves watch')
    features: str = option(
        None, FREE, 'what two sets of images are compared by; distances by different '
        'features say nothing beside each other: inception (that of FID, the usual '
        'distance; `python download.py inception`), classifier (a small network that '
        "learns the data set's labels), pixels, or random (an untrained network); by "
        'default inception where it was fetched, else classifier where there are '
        'labels, else pixels',
        choices=('inception', 'classifier', 'pixels', 'random'), of='train evaluate',
        group='Judging: --task evaluate, and --eval_freq while training')
    inception_path: str = option(
        None, FREE, 'file of the Inception graph; by default where `python download.py '
        'inception` puts it', of='train evaluate')
    eval_freq: int = option(
        None, FREE, 'judge samples every so many steps of training, as 1000, and keep '
        'the checkpoint with the smallest distance; by default never', low=1,
        high=10**9, of='train')
    eval_samples: int = option(
        5000, FREE, 'how many samples --eval_freq judges; --task evaluate judges '
        '--num_samples, or else 10,000', low=2, high=10**6, of='train')

    real_folder: str = option(
        None, CALL, 'of evaluate: also write the real images as they were trained on, '
        'or --num_samples of them, one PNG each, into this new or empty folder, so '
        'that other programs can judge too', of='evaluate')

    images: tuple = option(
        (), CALL, 'the files and folders of pictures to complete or to score; complete '
        'takes, where none are given, 16 (or --num_samples) of those that --train_size '
        'or the data set kept from training', of='complete score',
        group='Your own pictures: --task complete, score')
    save_features: bool = option(
        False, CALL, "of score: write D's inner numbers for each picture too, as "
        'arrays of NumPy', of='score')
    mask: str = option(
        'center', CALL, 'of complete, what is hidden: center, left, random (80% of '
        'the pixels), grid (all but each 4th pixel), lowres (all but the means of '
        'squares of 8 x 8), full (nothing is hidden: it looks for the z of all of '
        'it), or the file of a mask, black where it is hidden', of='complete')
    restarts: int = option(
        4, CALL, 'of complete: it looks for the z of an image so many times, from '
        'other starts, and keeps the best', low=1, high=1000, of='complete')
    iterations: int = option(
        500, CALL, 'of complete: updates of z, each time', low=1, high=10**6,
        of='complete')
    perceptual_weight: float = option(
        0.1, CALL, 'of complete: how much it counts that D takes the image to be '
        'real, beside that the known pixels are right', low=0, high=10**6,
        of='complete')

    labels_per_class: int = option(
        None, CALL, 'of classify: try what the SVM learns from so few images of each '
        'class, five times with others each, and tell the mean; by default it learns '
        'once, from --num_samples images in all, or up to 5,000', low=2, high=10**9,
        of='classify',
        group='Films and experiments: --task walk, arithmetic, classify, filters, drop')
    walk: str = option(
        'sphere', CALL, 'from image to image by sphere (smooth) or line; or one '
        'number of z at a time: dimensions (a sheet, a row each), dimensions_random '
        '(films of a few, each from a new z), dimensions_each (a film each), '
        'dimensions_merged (one film, one after another)',
        choices=('sphere', 'line', 'dimensions', 'dimensions_random',
                 'dimensions_each', 'dimensions_merged'), of='walk')
    frames: int = option(
        60, CALL, 'pictures of a film, a GIF', low=2, high=10**4, of='walk arithmetic')
    formula: str = option(
        None, CALL, 'of arithmetic, with attributes (-X: without X; a comma: and), '
        'as "Smiling,-Male - -Smiling,-Male + -Smiling,Male"; or with images of the '
        'sheet or of --z, of which it takes means, as "3,8,12 - 4,7,9 + 1,2,5"; one '
        'attribute alone, as Eyeglasses, is drawn with and without', of='arithmetic')
    attribute: str = option(
        None, CALL, 'of drop: what G shall forget, as Eyeglasses; of classify: what '
        'to tell apart, as Smiling,Male, by default what the run learned',
        of='classify drop')

    formats: str = option(
        ','.join(FORMATS), CALL, 'of export, with commas between: page, one file '
        'that draws in a browser; for other programs frozen and saved_model '
        "(TensorFlow's) and onnx", of='export', group='Export')

    runs: str = option(
        None, CALL, 'the runs to compare, as a,b,c; by default all of --checkpoint_dir',
        of='curves', group='Looking at runs: --task curves, watch')
    port: int = option(
        None, CALL, 'of watch: port of its page, http://127.0.0.1:PORT; by default '
        '8020, or the next one that is free', low=1, high=65535, of='watch')

    z_dim: int = option(
        100, NETWORK, 'how many numbers z has, from which an image is drawn',
        low=1, high=2**16, group='Network')
    z_dist: str = option(
        'normal01', NETWORK, 'how the numbers of z are drawn: normal01, the bell '
        "curve; uniform_signed, all from -1 to 1 alike (carpedm20's); or "
        'uniform_unsigned, from 0 to 1',
        choices=('normal01', 'uniform_signed', 'uniform_unsigned'))
    gf_dim: int = option(
        32, NETWORK, 'size of G: channels of its last layer before the image; 64 '
        'draws better and takes three to four times as long', low=1, high=4096)
    df_dim: int = option(
        32, NETWORK, 'size of D: channels of its first layer', low=1, high=4096)
    kernel_size: int = option(
        4, NETWORK, "side of the convolutions' kernels: 4; 5, as carpedm20's, which "
        'draws more checkered pictures; or 3', choices=(3, 4, 5))
    ema: float = option(
        0.9999, NETWORK, "draw with G's weights averaged over the last updates "
        '(Karras et al., 2018): nearer 1, over more; 0: as they are', low=0,
        high=0.99999)
    ema_rampup: float = option(
        0.05, TRAINING, 'of --ema: early in a training average over only this share of '
        'the updates so far, so that the first, bad weights are soon forgotten '
        '(StyleGAN2-ADA); 0: no', low=0,
        high=1)

    architecture: str = option(
        'dcgan', NETWORK, 'dcgan, or mlp: fully connected, 128 hidden units, as in '
        'tutorials of the conditional GAN on MNIST', choices=('dcgan', 'mlp'),
        group='Variants, to compare with what others did')
    optimizer: str = option(
        'adam', TRAINING, "adam (the paper's) or sgd, plain gradient descent, to "
        'compare them', choices=('adam', 'sgd'))
    momentum: float = option(
        0.0, TRAINING, 'of --optimizer sgd: the share of the last move that is kept',
        low=0, high=0.9999)
    d_learning_rate: float = option(
        None, TRAINING, '--learning_rate of D alone', above=0, high=10)
    g_learning_rate: float = option(
        None, TRAINING, '--learning_rate of G alone', above=0, high=10)
    init: str = option(
        'dcgan', TRAINING, 'weights before training: dcgan, normal with deviation 0.02 '
        "(the paper's); or xavier, uniform, by the layer's size (Glorot and Bengio)",
        choices=('dcgan', 'xavier'))
    d_head: str = option(
        'conv', NETWORK, 'how D makes one answer of its last layer: conv, a '
        "convolution over all of it (PyTorch's example); linear, a dense layer "
        "(carpedm20's); pool, its mean over all places, then dense",
        choices=('linear', 'conv', 'pool'))
    bias: bool = option(
        False, NETWORK, 'add constants before batch norm too, which takes them out '
        "again; as carpedm20's code")
    loss: str = option(
        'gan', TRAINING, 'how far D and G are from what they want: gan, cross-entropy '
        '(Goodfellow et al.); lsgan, squares (Mao et al.); wgan, difference of means '
        '(Arjovsky et al.), with --penalty wgan-gp; or hinge, with a margin (Miyato et '
        'al.)', choices=('gan', 'lsgan', 'wgan', 'hinge'))
    penalty: str = option(
        'none', TRAINING, "keep D's answer from changing too steeply with the image: "
        'none, wgan-gp (Gulrajani et al.), dragan (Kodali et al.) or r1 (Mescheder et '
        'al.); D is then built without batch norm',
        choices=('none', 'wgan-gp', 'dragan', 'r1'))
    penalty_weight: float = option(
        10.0, TRAINING, 'how much --penalty counts: 10 is that of WGAN-GP, DRAGAN '
        'and R1 alike', above=0, high=10**6)
    spectral_norm: bool = option(
        False, NETWORK, "another way to keep D's answer from changing too steeply: "
        'divide its weights by their largest singular value (Miyato et al.); D is then '
        'built without batch norm')
    label_smoothing: float = option(
        0.0, TRAINING, 'what D learns to say of a real image is 1 less this: by 0.1, '
        '0.9 (Salimans et al.)', low=0, high=0.5)
    wrong_labels: float = option(
        0.03, TRAINING, 'of labels: so large a part of the images that D is to call '
        'false are real ones with a wrong label, so that it learns to heed the label: '
        'at least one in a batch (Reed et al., 2016); 0: none', low=0, high=0.999)
    augment: str = option(
        'translation', TRAINING, 'while training show D real and drawn images changed '
        'at random, so that it does not know the real ones by heart; what G draws '
        'stays as it is: some of translation, color and cutout, as color,translation; '
        'or none (mnist: none) (Zhao et al., 2020)')
    augment_target: float = option(
        0.95, TRAINING, 'of --augment: the share of the real images that D is to call '
        'real; while it is more, more images are changed, while it is less, fewer '
        '(Karras et al., 2020); 0: all are changed, always', low=0, high=0.999)
    augment_after: int = option(
        0, TRAINING, 'of --augment: begin after so many steps', low=0, high=10**9)

    gpu_memory_fraction: float = option(
        None, FREE, "share of the GPU's memory that TensorFlow may take, up to 1",
        above=0, high=1, group='Machine')
    allow_growth: bool = option(
        True, FREE, 'take GPU memory as it is needed, not all at once')
    precision: str = option(
        'auto', FREE, 'how exactly it computes; coarser is faster: auto, what suits '
        'this machine (tf32 on GPUs since Ampere, bfloat16 on processors with AMX, '
        'else float32); or one of these, to compare',
        choices=('auto', 'float32', 'tf32', 'bfloat16'), not_of='export')
    xla: bool = option(
        False, FREE, "compile the training step with XLA, TensorFlow's compiler: on a "
        'GPU several times as fast, after half a minute; not yet seen over a long '
        'training (docs/performance.md)', of='train')
    steps_per_run: int = option(
        None, FREE, 'steps handed to TensorFlow at once, for speed alone; by default '
        '50 with a GPU, else 1', low=1, high=1000, of='train')
    threads: int = option(
        None, FREE, 'how many threads compute; by default one for each core', low=1,
        high=4096)

    workers: int = option(
        1, CALL, 'for several GPUs: so many processes train together, one on each, '
        'every one on batches of its own; for several machines see docs/distributed.md',
        low=1, high=4096, of='train', group='Several processes: --train')
    peer_timeout: float = option(
        600.0, CALL, 'of --workers: seconds without an answer of another one after '
        'which a worker ends', low=1, high=10**6, of='train')
    collective: str = option(
        'auto', CALL, 'of --workers, what adds up what they have learned: auto, '
        "NVIDIA's NCCL between GPUs, else TensorFlow; ring, TensorFlow, should NCCL "
        'fail', choices=('auto', 'ring'), of='train')
    sync_batch_norm: bool = option(
        False, TRAINING, 'of --workers: batch norm takes the means over the batches of '
        'all workers together, not over those of each alone')

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
    # by what the last of these are known; see batches.Dataset.digest
    seen: str = option(None, TRAINING)
    # how many workers trained it, from which step; likewise
    teams: str = option(None, TRAINING)
    # what --precision was when it was last trained, auto as it was decided there
    trained_in: str = option(None, FREE, choices=('float32', 'tf32', 'bfloat16'))


def spelled(name):
    """Return how a field's flag is written: from_ is --from, a word of Python's."""
    return name.rstrip('_')


def fields(*roles):
    """Return the fields that have one of these roles; all of them without any role."""
    return [f for f in dataclasses.fields(Flags)
            if not roles or f.metadata['role'] in roles]
