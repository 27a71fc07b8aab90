"""--task score: D's answer to pictures of one's own, and its features of them."""

import csv
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tiny_runs
from PIL import Image

import main
from dataset.pictures import get_image
from runs import folders, sampling
from settings.config import Config
from tasks.parts import d_features
from utils import transform


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Save untrained tiny runs, one plain, one of two labels; return their folder."""
    root = tmp_path_factory.mktemp('score')
    tiny_runs.save(root, 'plain')
    tiny_runs.save(root, 'labels', ('dark', 'light'))
    return root


@pytest.fixture
def flags(root, tmp_path, make_images):
    make_images(tmp_path / 'mine' / 'deep', 3)
    return ['--checkpoint_dir', root, '--sample_dir', tmp_path / 's', '--task', 'score',
            '--images', tmp_path / 'mine', '--name']


def rows(path):
    with open(path, encoding='utf-8') as file:
        return list(csv.DictReader(file))


def expected(root, name, images):
    """Return D's logits [rows, N] of float images, and its features, one by one."""
    run = folders.Run(name, str(root / name), '')
    config = Config.load(run.config_path)
    with tf.Graph().as_default(), sampling.restored(
            config, folders.saved(run.checkpoint_dir)[0][1]) as (sess, model):
        _, logits = model.discriminator(model.images, model.y, reuse=True, train=False)
        features = d_features.build_features(model)
        kinds = [[]] if model.y is None else [[(model.y, y[None])] for y in np.eye(2)]
        found = [[sess.run(logits, dict(kind + [(model.images, image[None])]))[0, 0]
                  for image in images] for kind in kinds]
        feed = d_features.feed(model, np.zeros((len(images), 16, 16, 3)))
        feed[model.images] = images
        return np.array(found), sess.run(features, feed)


def test_each_picture_has_a_line_prepared_as_in_training(flags, root, tmp_path, capsys):
    folder = tmp_path / 'mine' / 'deep'
    (folder / 'broken.png').write_bytes(b'no picture')
    os.rename(folder / '002.png', os.fsencode(folder) + b'/\xff.png')    # no UTF-8
    assert call(*flags, 'plain', '--save_features') == 0
    said = capsys.readouterr().out
    assert '1 of 4 images cannot be used and have no line' in said
    assert 'broken.png: not a kind of image' in said
    files = [str(folder / name) for name in ('000.png', '001.png', '\udcff.png')]
    images = transform(np.stack([get_image(f, None, None, 16, 16, False)
                                 for f in files]))
    (logits,), features = expected(root, 'plain', images)
    table = rows(tmp_path / 's' / 'plain' / 'score.csv')
    names = [file.replace('\udcff', '\\udcff') for file in files]
    assert [row['file'] for row in table] == names
    found = np.array([float(row['logit']) for row in table])
    np.testing.assert_allclose(found, logits, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose([float(row['probability']) for row in table],
                               1 / (1 + np.exp(-logits)), rtol=1e-4)
    assert 'mean %.3f' % found.mean() in said
    assert 'to compare: 64 samples of the run itself: mean ' in said
    with np.load(tmp_path / 's' / 'plain' / 'score.npz') as kept:
        assert list(kept['names']) == names
        np.testing.assert_allclose(kept['features'], features, rtol=1e-3, atol=1e-5)


def test_a_D_of_labels_answers_for_the_likeliest_or_the_one_asked_for(
        flags, root, tmp_path):
    image = get_image(str(tmp_path / 'mine' / 'deep' / '000.png'), None, None, 16, 16,
                      False)
    logits, _ = expected(root, 'labels', transform(image[None]))
    assert logits[0, 0] != logits[1, 0]
    assert call(*flags, 'labels') == 0
    table = rows(tmp_path / 's' / 'labels' / 'score.csv')
    assert table[0]['label'] == ('dark', 'light')[logits[:, 0].argmax()]
    assert float(table[0]['logit']) == pytest.approx(logits.max(), rel=1e-3)
    assert call(*flags, 'labels', '--label', 'dark') == 0
    row = rows(tmp_path / 's' / 'labels' / 'score.csv')[0]
    assert (row['label'], float(row['logit'])) == (
        'dark', pytest.approx(logits[0, 0], rel=1e-3))
    assert not os.path.exists(tmp_path / 's' / 'labels' / 'score.npz')


@pytest.mark.parametrize('given, said', [
    (['NONE.png'], 'NONE.png: there is no such file'), (['EMPTY'], 'no image in the'),
    (['BROKEN.png'], 'none of 1 can be used'), ([], '--task score needs --images'),
    (['mine', '--num_samples', 4], '--num_samples counts'),
    (['mine', '--mask', 'full'], '--mask is for --task complete')])
def test_what_cannot_be_scored_is_refused(flags, tmp_path, capsys, given, said):
    (tmp_path / 'EMPTY').mkdir()
    (tmp_path / 'BROKEN.png').write_bytes(b'no picture')
    words = [tmp_path / word if str(word) in ('EMPTY', 'mine', 'NONE.png', 'BROKEN.png')
             else word for word in given]
    assert call(*flags[:6], *['--images'] * bool(given), *words, '--name', 'plain') == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / 's' / 'plain' / 'score.csv').exists()


def test_other_losses_have_logits_alone(flags, root, tmp_path, capsys):
    config = Config.load(str(root / 'plain' / 'config.json'))
    config.replace(loss='wgan').save(str(root / 'plain' / 'config.json'))
    Image.new('L', (9, 300), 7).save(tmp_path / 'mine' / 'gray.png')
    assert call(*flags, 'plain') == 0
    config.save(str(root / 'plain' / 'config.json'))
    assert 'D of --loss wgan tells no probability' in capsys.readouterr().out
    table = rows(tmp_path / 's' / 'plain' / 'score.csv')
    assert len(table) == 4 and list(table[0]) == ['file', 'logit']
