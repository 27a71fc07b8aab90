"""Arithmetic: formulas, the choice of exemplars, sums and turns."""

import os
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tiny_runs
from PIL import Image

import main
from metrics import classifier
from settings.errors import UserError
from tasks import arithmetic
from tasks.parts import formula
from tasks.parts.latent import Inputs

CLASSES = ('Light', 'Red')


class Brightness:
    """A classifier for which light is bright, and red redder than green."""

    classes = CLASSES
    closed = False

    def __init__(self, threshold=None):
        self.threshold = threshold

    def attributes(self, images):
        light = images.mean((1, 2, 3))
        red = (images[..., 0] - images[..., 1]).mean((1, 2))
        if self.threshold is None:
            self.threshold = np.median(light), np.median(red)
        values = np.stack([light, red], 1) - self.threshold
        return (1 / (1 + np.exp(np.clip(-100 * values, -50, 50)))).astype(np.float32)

    def close(self):
        self.closed = True


def by_name(probabilities):
    """Return {class: its probabilities [N]} of rows [N, K]."""
    return dict(zip(CLASSES, np.transpose(probabilities)))


# --- formulas ----------------------------------------------------------------

def test_a_formula_of_attributes(tiny_config):
    terms = formula.parse('Smiling,-Male - -Smiling,-Male + -Smiling,Male',
                          tiny_config())
    assert [(term.sign, term.attributes) for term in terms] == [
        (1, dict(Smiling=True, Male=False)), (-1, dict(Smiling=False, Male=False)),
        (1, dict(Smiling=False, Male=True))]


def test_a_formula_of_images(tiny_config):
    terms = formula.parse(' - 3,8, 12 + 4 ', tiny_config())
    assert [(term.sign, term.indices) for term in terms] == [
        (-1, (3, 8, 12)), (1, (4,))]


@pytest.mark.parametrize('text, said', [
    (None, 'needs --formula'), (' ', 'needs --formula'), ('A+B', "'A\\+B'"),
    ('A -B', "'A -B'"), ('A - ', "'A -'"), ('A,,B', "'A,,B'"), ('A - - B', "'- B'"),
    ('3,8 - A', 'not both'), ('3,A - B', 'mixes'), ('3,8', 'two terms or more'),
    ('- A', 'a single term'), ('3 - 64', '0 to 63'),
    ('--A - B', "'--A'")])
def test_formulas_that_cannot_be(text, said, tiny_config):
    with pytest.raises(UserError, match=said):
        formula.parse(text, tiny_config())


def test_a_formula_of_the_images_of_a_file(tiny_config, tmp_path):
    np.savez(tmp_path / 'a.npz', z=np.zeros((80, 8)))
    config = tiny_config(z=str(tmp_path / 'a.npz'), formula='Light - Red')
    assert formula.parse('79 - 3', config)[0].indices == (79,)
    with pytest.raises(UserError, match='a.npz holds the images 0 to 79'):
        formula.parse('80 - 3', config)
    with pytest.raises(UserError, match='a sum of attributes finds its own'):
        arithmetic.main(config, None, None)


def test_exemplars_are_images_that_surely_show_the_term_or_the_surest(tiny_config):
    term, = formula.parse('Light,-Red', tiny_config())
    likely = by_name([[.9, .1], [1, .9], [.6, 0], [.95, .2], [.2, 0], [.7, .1]])
    np.testing.assert_allclose(formula.fit(term, likely),
                               [.9, .1, .6, .8, .2, .7])
    assert list(formula.candidates(term, likely)) == [0, 3, 5]
    many = by_name([[.95, 0], [.8, 0], [.97, .02], [1, .2], [.99, .09], [.91, .05]])
    assert set(formula.candidates(term, many)) == {0, 2, 4, 5}
    assert not formula.enough([term], likely)
    assert formula.enough([term], by_name([[.95, .05]] * 3))


def test_too_few_exemplars_name_the_rarest_attribute(tiny_config):
    term, = formula.parse('Light,-Red', tiny_config())
    likely = by_name([[.9, .1], [.9, .9], [.9, .8], [.9, .3]])
    with pytest.raises(UserError, match='Of 4 .* 2 show Light,-Red; expected 3 .*'
                                        'is -Red, in 50.0 %'):
        formula.candidates(term, likely)


@pytest.mark.parametrize('text, shown', [
    ('Light,-Red - -Light,-Red + -Light,Red', {'Light': True, 'Red': True}),
    ('Light,-Red - Light', {'Red': False}), ('Light - -Light', {'Light': True}),
    ('Light - Light', {})])
def test_what_a_sum_should_show(tiny_config, text, shown):
    outcome = formula.outcome(formula.parse(text, tiny_config()))
    assert outcome.attributes == shown
    assert outcome.text == ','.join('-' * (not there) + name
                                    for name, there in shown.items())


# --- sums --------------------------------------------------------------------

@pytest.mark.parametrize('z_dist, low, high', [
    ('uniform_signed', -1, 1), ('uniform_unsigned', 0, 1), ('normal01', -9, 9)])
def test_a_sum_of_means_with_noise_around_it(tiny_config, z_dist, low, high):
    config = tiny_config(z_dist=z_dist)
    terms = formula.parse('1,2,3 - 4 + 5', config)
    z = np.random.default_rng(0).uniform(max(low, -1), 1, (5, 8)).astype(np.float32)
    chosen = [Inputs(part, np.zeros((len(part), 0), np.float32))
              for part in (z[:3], z[3:4], z[4:])]
    results = arithmetic.results(terms, chosen, config).z
    exact = z[:3].mean(0) - z[3] + z[4]
    if z_dist == 'normal01':
        np.testing.assert_allclose(np.linalg.norm(results, axis=1), 8 ** .5, rtol=1e-5)
        exact *= 8 ** .5 / np.linalg.norm(exact)
    np.testing.assert_allclose(results[4], np.clip(exact, low, high), atol=1e-5)
    assert results.shape == (9, 8) and len(np.unique(results[:, 0])) > 1
    assert low <= results.min() and results.max() <= high
    if z_dist != 'normal01':
        assert np.abs(results - results[4]).max() <= 0.25 + 1e-6


def test_labels_are_added_as_z_are(tiny_config):
    config = tiny_config(attributes='Light,Red', classes=CLASSES)
    terms = formula.parse('1 - 2 + 3', config)
    y = np.array([[1, -1], [-1, -1], [-1, 1]], np.float32)
    chosen = [Inputs(np.ones((1, 8), np.float32), row[None]) for row in y]
    np.testing.assert_array_equal(arithmetic.results(terms, chosen, config).y,
                                  np.ones((9, 2)))


# --- the task ----------------------------------------------------------------

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp('arithmetic')
    tiny_runs.save(root, 'plain')
    return root


@pytest.fixture
def call(trained, tmp_path, monkeypatch):
    """Return a function that runs --task arithmetic with a classifier; give the status.

    Its files are in tmp_path/s/plain.
    """
    monkeypatch.setattr(arithmetic, 'LIMIT', 256)
    monkeypatch.setattr(arithmetic, 'LEAST', 64)
    monkeypatch.setenv('PATH', str(tmp_path))

    def run(text, judge=None):
        def make(config, wanted):
            assert wanted == list(dict.fromkeys(re.findall('Light|Red', text)))
            return judge
        monkeypatch.setattr(classifier, 'make', make)
        with tf.Graph().as_default():
            return main.main([
                '--dataset', 'flat', '--checkpoint_dir', str(trained), '--name',
                'plain', '--sample_dir', str(tmp_path / 's'), '--task', 'arithmetic',
                '--frames', '4', '--formula', text])
    return run


def test_a_sum_of_images_is_laid_out_as_in_the_paper(call, tmp_path):
    assert call('3,8,12 - 4,7,9 + 1,2,5') == 0
    sheet = np.asarray(Image.open(tmp_path / 's/plain/arithmetic.png')).astype(float)
    assert sheet.shape == (4 * 18 - 2, 9 * 18 - 2, 3)
    cells = {(row, column): sheet[row * 18:row * 18 + 16, column * 18:column * 18 + 16]
             for row in range(4) for column in range(9)}
    white = {place for place, cell in cells.items() if (cell == 255).all()}
    assert white == {(row, column) for row in range(4) for column in range(3, 9)} - {
        (row, column) for row in range(3) for column in (4, 5, 6)} - {(1, 8)}
    columns = [np.mean([cells[row, column] for row in range(3)], 0)
               for column in range(3)]
    pixels = np.clip(columns[0] - columns[1] + columns[2], 0, 255)
    assert np.abs(pixels - cells[1, 8]).max() <= 2


def test_exemplars_are_chosen_by_the_classifier(call, tmp_path, capsys):
    judge = Brightness()
    assert call('Light - -Light', judge) == 0
    assert judge.closed
    sheet = np.asarray(Image.open(tmp_path / 's/plain/arithmetic.png')).astype(float)
    light, dark = (sheet[:3 * 18 - 2, left:left + 16].mean() for left in (0, 18))
    assert light > dark + 0.5
    said = capsys.readouterr().out
    assert 'Light: exemplars are drawn from ' in said
    tries = int(re.search(r'\nLight: the result in (\d+) of 64 draws', said).group(1))
    assert 0 < tries <= 64
    results = [sheet[row * 18:row * 18 + 16, column * 18:column * 18 + 16]
               for row in range(3) for column in (3, 4, 5)]
    likely = judge.attributes(np.array(results) / 127.5 - 1)[:, 0].mean()
    shown = re.search(r'mean probability of 9: Light (\d+) %\n', said).group(1)
    assert abs(int(shown) - 100 * likely) < 2
    assert int(shown) > 50, 'the surest of 64'


def test_an_attribute_is_turned_along_its_direction(call, tmp_path, capsys):
    assert call('Light', Brightness()) == 0
    folder = tmp_path / 's/plain'
    assert sorted(os.listdir(folder)) == ['turn_Light.gif', 'turn_Light.png']
    sheet = np.asarray(Image.open(folder / 'turn_Light.png')).astype(float)
    assert sheet.shape == (8 * 18 - 2, 9 * 18 - 2, 3)
    assert sheet[:, -16:].mean() > sheet[:, :16].mean()
    shares = [int(part.split(':')[1].split()[0]) for part in
              capsys.readouterr().out.partition('images: ')[2].splitlines()[0]
              .split(',')]
    assert len(shares) == 9 and shares[-1] > shares[0] + 30


@pytest.mark.parametrize('text, threshold, said', [
    ('Light - Red', (9, 0), '0 show Light'), ('Light', (9, 0), '0 show Light'),
    ('Light', (-9, 0), '0 do not show Light')])
def test_what_cannot_be_found_ends_plainly(call, tmp_path, capsys, text, threshold,
                                           said):
    judge = Brightness(threshold)
    assert call(text, judge) == 2
    assert said in capsys.readouterr().err
    assert judge.closed and not (tmp_path / 's').exists()
