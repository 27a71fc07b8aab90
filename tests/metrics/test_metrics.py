"""The metrics against closed forms and independent implementations."""

import ast
import os

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

import metrics
from metrics import arrays
from metrics.density_coverage import density_coverage
from metrics.frechet import frechet_distance
from metrics.inception_score import inception_score
from metrics.kid import kid, squared_mmd
from metrics.moments import Moments
from metrics.neighbours import nearest, squared_distances
from metrics.precision_recall import precision_recall
from metrics.two_sample import nearest_neighbour_accuracy

BLOCKS = [1, 7, 64, 1000]
PAIR_BLOCKS = [7, 64, 1000]     # blocks of one row against one take seconds


@pytest.fixture
def block(request, monkeypatch):
    """Let the metrics work in blocks of so many rows."""
    monkeypatch.setattr(arrays, 'BLOCK', request.param)


def normal(rows, columns=8, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (rows, columns))


def covariance(size, seed, rank=None):
    root = normal(size, rank or 2 * size, seed)
    return root @ root.T / root.shape[1]


def test_no_tensorflow_is_imported():
    folder = os.path.dirname(metrics.__file__)
    of_images = {'extractors', 'network', 'classifier', 'inception_network',
                 'random_network', 'classifier_data', 'evaluation'}
    for name in sorted(os.listdir(folder)):
        if name.endswith('.py') and name[:-3] not in of_images:
            with open(os.path.join(folder, name), encoding='utf-8') as file:
                tree = ast.parse(file.read(), feature_version=(3, 7))
            nodes = [node for node in ast.walk(tree)
                     if isinstance(node, (ast.Import, ast.ImportFrom))]
            found = {getattr(node, 'module', None) or node.names[0].name
                     for node in nodes}
            assert {word.split('.')[0] for word in found} <= {
                'PIL', 'numpy', 'scipy', 'metrics', 'typing'}


# --- moments -----------------------------------------------------------------

@pytest.mark.parametrize('block', BLOCKS, indirect=True)
@pytest.mark.parametrize('dtype', [np.float64, np.float32, np.uint8])
def test_moments_are_those_of_all_rows_in_any_blocks(block, dtype):
    features = (100 + 10 * normal(200)).astype(dtype)
    moments = Moments()
    for start in (0, 50, 51):
        stop = {0: 50, 50: 51, 51: 200}[start]
        moments.update(features[start:stop])
    wide = features.astype(np.float64)
    assert moments.count == 200 and moments.mean.dtype == np.float64
    np.testing.assert_allclose(moments.mean, wide.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance(), np.cov(wide, rowvar=False),
                               rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('block', [10], indirect=True)
def test_moments_keep_their_digits_beside_a_large_offset(block):
    features = normal(300, 3)
    moved = Moments().update(features + 1e8).covariance()
    np.testing.assert_allclose(moved, np.cov(features, rowvar=False), atol=1e-7)


# --- Fréchet distance --------------------------------------------------------

def by_sqrtm(mu1, sigma1, mu2, sigma2):
    return (np.sum((mu1 - mu2) ** 2)
            + np.trace(sigma1 + sigma2 - 2 * sqrtm(sigma1 @ sigma2).real))


def test_frechet_distance_of_commuting_covariances():
    rotation = np.linalg.qr(normal(6, 6))[0]
    a, b = np.arange(1.0, 7), np.array([4.0, 9, 1, 0.25, 2, 3])
    mu = np.arange(6.0)
    expected = np.sum(mu ** 2) + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    found = frechet_distance(mu, rotation * a @ rotation.T,
                             0 * mu, rotation * b @ rotation.T)
    assert found == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_in_the_plane():
    # tr (AB)^(1/2) of 2 x 2 matrices is sqrt(tr AB + 2 sqrt(det AB)).
    a, b = np.array([[2.0, 1], [1, 3]]), np.array([[5.0, -2], [-2, 1]])
    root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    assert np.abs(a @ b - b @ a).max() > 1
    assert frechet_distance(np.ones(2), a, np.zeros(2), b) == pytest.approx(
        2 + 5 + 6 - 2 * root, rel=1e-12)


@pytest.mark.parametrize('size', [3, 40])
def test_frechet_distance_agrees_with_sqrtm(size):
    gaussians = (normal(1, size, 1)[0], covariance(size, 2),
                 normal(1, size, 3)[0], covariance(size, 4))
    found = frechet_distance(*gaussians)
    assert isinstance(found, float)
    assert found == pytest.approx(by_sqrtm(*gaussians), rel=1e-9)
    assert found == pytest.approx(frechet_distance(*gaussians[2:], *gaussians[:2]))


def test_frechet_distance_of_singular_covariances():
    mu, line = np.zeros(30), np.zeros((30, 30))
    line[0, 0] = 4.0
    other = covariance(30, 5)           # with a rank-one u u^T: tr root = sqrt(u^T B u)
    expected = 4 + np.trace(other) - 2 * np.sqrt(4 * other[0, 0])
    assert frechet_distance(mu, line, mu, other) == pytest.approx(expected, rel=1e-7)
    assert frechet_distance(mu, 0 * line, mu, other) == pytest.approx(np.trace(other))
    assert frechet_distance(mu, 0 * line, mu, 0 * line) == 0
    thin = covariance(30, 6, rank=5)
    assert frechet_distance(mu, thin, mu, thin) == pytest.approx(0, abs=1e-10)
    ridge = 1e-9 * np.eye(30)           # what makes it regular changes it but little
    assert frechet_distance(mu, thin, mu, other) == pytest.approx(
        by_sqrtm(mu, thin + ridge, mu, other + ridge), rel=1e-3)


def test_frechet_distance_of_fewer_images_than_features():
    few = Moments().update(normal(10, 40))
    same = few.mean, few.covariance()
    assert frechet_distance(*same, *same) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(*same, few.mean + 1, same[1]) == pytest.approx(40)


# --- KID ---------------------------------------------------------------------

def naive_squared_mmd(x, y):
    def k(a, b):
        return (sum(p * q for p, q in zip(a, b)) / len(a) + 1) ** 3

    def mean(values):
        values = list(values)
        return sum(values) / len(values)

    return (mean(k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j)
            + mean(k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j)
            - 2 * mean(k(a, b) for a in x for b in y))


def test_squared_mmd_agrees_with_a_double_loop():
    x, y = normal(20, 5, 1), normal(30, 5, 2, shift=0.5)
    assert squared_mmd(x, y) == pytest.approx(naive_squared_mmd(x, y), rel=1e-11)
    value, deviation = kid(x, y[:20])
    assert value == pytest.approx(naive_squared_mmd(x, y[:20]), rel=1e-11)
    assert np.isnan(deviation)          # one subset of all rows tells of no spread


def test_kid_is_that_of_its_subsets():
    x, y = normal(40, 5, 1), normal(50, 5, 2, shift=0.5)
    found = kid(x.astype(np.float32), y.astype(np.float32), 10, 7, seed=3)
    rng, distances = np.random.default_rng(3), []
    for _ in range(7):
        real = x[rng.choice(40, 10, replace=False)]
        distances.append(naive_squared_mmd(
            real, y[rng.choice(50, 10, replace=False)]))
    assert found == pytest.approx((np.mean(distances), np.std(distances)), rel=1e-5)
    assert kid(x, y, 10, 7, seed=3) == kid(x, y, 10, 7, seed=3)
    assert kid(x, y, 10, 7, seed=3) != kid(x, y, 10, 7, seed=4)


def test_kid_takes_smaller_subsets_where_there_are_fewer_rows():
    assert kid(normal(30, 4), normal(50, 4, 1), 1000, 5) == kid(
        normal(30, 4), normal(50, 4, 1), 30, 5)


def test_squared_mmd_is_unbiased():
    values = [squared_mmd(normal(20, 4, 2 * i), normal(20, 4, 2 * i + 1))
              for i in range(1000)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error     # with i = j it would be 80 errors up
    assert 0.3 < np.mean(np.array(values) < 0) < 0.8


def test_kid_of_equal_distributions_is_near_0_and_of_others_is_not():
    value, deviation = kid(normal(2000, 16), normal(2000, 16, 1), 500, 20)
    assert abs(value) < 2 * deviation < 0.02
    # Of N(0, I) and N(1, I), by the moments of x.y / d:
    # (8 + 18 / d + 6 / d^2) + (1 + 3 / d) - 2 (1 + 6 / d)
    apart, _ = kid(normal(9000, 16), normal(9000, 16, 1, shift=1.0), 1000, 20)
    assert apart == pytest.approx(7 + 9 / 16 + 6 / 16 ** 2, rel=0.02)


# --- Inception Score ---------------------------------------------------------

def test_inception_score_of_uniform_and_of_one_hot_rows():
    assert inception_score(np.full((100, 7), 1 / 7)) == pytest.approx((1, 0))
    one_hot = np.eye(5)[np.arange(100) % 5]
    assert inception_score(one_hot) == pytest.approx((5, 0))
    assert inception_score(one_hot[::5]) == pytest.approx((1, 0))    # one class only
    assert inception_score(np.eye(2)[np.arange(10) // 5], 2) == pytest.approx((1, 0))


@pytest.mark.parametrize('num, splits', [(100, 1), (100, 10), (103, 10), (8, 8)])
def test_inception_score_agrees_with_the_papers_formula(num, splits):
    p = np.random.default_rng(0).dirichlet(np.full(6, 0.3), num)
    scores = []
    for i in range(splits):
        part = p[i * num // splits:(i + 1) * num // splits]
        scores.append(np.exp(np.mean(entropy(part, part.mean(0)[None], axis=1))))
    expected = np.mean(scores), np.std(scores)
    assert inception_score(p, splits) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_inception_score_refuses():
    p = np.full((20, 4), 0.25)
    for bad, message in [(p * np.nan, 'NaN'), (p[:9], 'at least 10')]:
        with pytest.raises(ValueError, match=message):
            inception_score(bad)


# --- neighbours --------------------------------------------------------------

@pytest.mark.parametrize('block', [7, 1000], indirect=True)
def test_nearest_agrees_with_sklearn_in_any_blocks(block):
    queries, references = normal(70, 6, 1), normal(150, 6, 2)
    distances, indices = NearestNeighbors(n_neighbors=4).fit(
        references).kneighbors(queries)
    found = nearest(queries, references, 4)
    np.testing.assert_array_equal(found[0], indices)
    np.testing.assert_allclose(found[1], distances, rtol=1e-12)
    distances, indices = NearestNeighbors(n_neighbors=3).fit(references).kneighbors()
    found = nearest(references, references, 3, leave_out=True)
    np.testing.assert_array_equal(found[0], indices)
    np.testing.assert_allclose(found[1], distances, rtol=1e-12)


@pytest.mark.parametrize('block', [128], indirect=True)
def test_nearest_finds_copies_at_0_and_reads_mapped_files(tmp_path, block):
    np.save(tmp_path / 'x.npy', (1e3 + normal(500, 64)).astype(np.float32))
    x = np.load(tmp_path / 'x.npy', mmap_mode='r')
    indices, distances = nearest(x[100:300], x)
    np.testing.assert_array_equal(indices[:, 0], np.arange(100, 300))
    assert not distances.any()
    assert nearest(x, x, leave_out=True)[1].min() > 1


def test_squared_distances_keep_their_digits_beside_a_large_offset():
    x, y = normal(20, 4, 1), normal(30, 4, 2)
    np.testing.assert_allclose(squared_distances(x + 1e6, y + 1e6),
                               cdist(x, y) ** 2, rtol=1e-7)
    assert not squared_distances(x, x).diagonal().any()


def test_nearest_refuses():
    with pytest.raises(ValueError, match='references: found 3 rows.* at least 4'):
        nearest(normal(3), normal(3), 3, leave_out=True)


# --- precision and recall ----------------------------------------------------

def covered(points, centres, k):
    """Return the share of points in the balls, by sklearn and without blocks."""
    radii = NearestNeighbors(n_neighbors=k).fit(centres).kneighbors()[0][:, -1]
    return np.mean(np.any(cdist(points, centres) <= radii, axis=1))


@pytest.mark.parametrize('block', PAIR_BLOCKS, indirect=True)
@pytest.mark.parametrize('k', [1, 3])
def test_precision_and_recall_agree_with_sklearn_in_any_blocks(block, k):
    real, generated = normal(150, 3, 1), 1 + 0.6 * normal(130, 3, 2)
    expected = covered(generated, real, k), covered(real, generated, k)
    assert 0.05 < expected[1] < expected[0] < 0.99
    assert precision_recall(real, generated, k) == pytest.approx(expected)


def test_precision_and_recall_of_clusters():
    grid = np.array([(i, j) for i in range(10) for j in range(10)], float)
    real = np.vstack([grid, grid + 1000])
    lost = np.vstack([grid + 0.1, grid + 0.2])              # good, but one mode only
    assert precision_recall(real, lost) == (1, 0.5)
    stray = np.vstack([real[:150] + 0.1, grid[:50] - 5000])
    assert precision_recall(real, stray)[0] == 0.75
    assert precision_recall(real, grid - 5000) == (0, 0)
    assert precision_recall(real, real.astype(np.float32)) == (1, 1)


def test_precision_and_recall_of_copies():
    # Four images, each many times: balls of radius 0 hold the copies all the same.
    real = np.repeat(normal(4, 50), 6, axis=0)
    assert precision_recall(real, real[::-1]) == (1, 1)
    assert precision_recall(real, real[:12]) == (1, 0.5)


# --- density and coverage ----------------------------------------------------

@pytest.mark.parametrize('generated, density, coverage', [
    # radii, to the 2nd neighbour: 3, 2, 3, 6; in the balls lie 2, 2, 3 and 2 of them
    ([0.5, 1.5, 4, 20], 9 / 8, 1), ([4, 20, 21, 22], 2 / 8, 0.5),
    ([20, -9], 0, 0), ([3], 1, 0.5), ([0, 1, 3, 7], 1, 1)])
def test_density_and_coverage_by_hand(generated, density, coverage):
    real = np.array([0.0, 1, 3, 7])[:, None]
    generated = np.array(generated, float)[:, None]
    assert density_coverage(real, generated, 2) == (density, coverage)


@pytest.mark.parametrize('block', PAIR_BLOCKS, indirect=True)
def test_density_and_coverage_in_any_blocks(block):
    real, generated = normal(150, 3, 1), 0.5 + 0.6 * normal(130, 3, 2)
    radii = NearestNeighbors(n_neighbors=5).fit(real).kneighbors()[0][:, -1]
    inside = cdist(real, generated) < radii[:, None]
    expected = inside.sum() / (5 * 130), inside.any(axis=1).mean()
    assert 0.1 < expected[1] < 0.9
    assert density_coverage(real, generated) == pytest.approx(expected)


def test_density_and_coverage_of_real_images_and_of_a_collapse():
    real = normal(1000, 4)
    assert density_coverage(real, real) == (1, 1)
    density, coverage = density_coverage(real, normal(1000, 4, seed=1))
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - 2 ** -5, abs=0.02)
    best = real[np.abs(real).sum(axis=1).argmin()]      # one good image, over and over
    density, coverage = density_coverage(real, np.repeat(best[None], 1000, axis=0))
    assert density > 0.5 and coverage == pytest.approx(5 * density / 1000)
    assert density_coverage(real, real + 100) == (0, 0)


def test_density_and_coverage_of_copies():
    real = np.repeat(normal(4, 50), 6, axis=0)
    assert density_coverage(real, real[::-1]) == (pytest.approx(6 / 5), 1)
    assert density_coverage(real, real[:12])[1] == 0.5


# --- two samples -------------------------------------------------------------

@pytest.mark.parametrize('block', PAIR_BLOCKS, indirect=True)
def test_two_sample_accuracy_agrees_with_sklearn_in_any_blocks(block):
    real, generated = normal(120, 4, 1), normal(120, 4, 2, shift=0.7)
    rows, labels = np.vstack([real, generated]), np.repeat([0, 1], 120)
    neighbours = KNeighborsClassifier(1).fit(rows, labels)
    others = neighbours.kneighbors(return_distance=False)[:, 0]
    right = labels[others] == labels
    expected = right.mean(), right[:120].mean(), right[120:].mean()
    assert 0.5 < expected[0] < 0.95 and expected[1] != expected[2]
    assert nearest_neighbour_accuracy(real, generated) == pytest.approx(expected)


def test_two_sample_accuracy_of_same_of_far_and_of_copied_sets():
    real = normal(1000)
    same = nearest_neighbour_accuracy(real, normal(1000, seed=1))
    assert same == pytest.approx((0.5, 0.5, 0.5), abs=0.05)
    assert nearest_neighbour_accuracy(real, normal(1000, shift=50)) == (1, 1, 1)
    assert nearest_neighbour_accuracy(real, real) == (0, 0, 0)      # learned by heart


def test_two_sample_accuracy_tells_lost_modes_and_halves_ties():
    spread = normal(200, 2)
    collapsed = np.zeros((200, 2)) + 0.01 * normal(200, 2, 1)
    _, on_real, on_generated = nearest_neighbour_accuracy(spread, collapsed)
    assert on_generated > 0.95 and on_real < on_generated
    assert nearest_neighbour_accuracy(np.ones((9, 3)), np.ones((9, 3))) == (.5, .5, .5)
    with pytest.raises(ValueError, match='found 9 and 8 rows'):
        nearest_neighbour_accuracy(normal(9), normal(8))


# --- what all refuse ---------------------------------------------------------

@pytest.mark.parametrize('metric', [kid, precision_recall, density_coverage,
                                    nearest_neighbour_accuracy, nearest])
def test_pairs_of_features_are_checked(metric):
    good, bad = normal(9), normal(9)
    bad[3, 3] = np.nan
    for features, message in [(bad, 'found 1 values of NaN'), (normal(9, 7), 'columns'),
                              (good[0], r'shape \(8,\)'), (good[:0], 'found 0 rows'),
                              (good - np.inf, 'found 72 values')]:
        with pytest.raises(ValueError, match=message):
            metric(good, features)


def test_moments_are_checked():
    with pytest.raises(ValueError, match='at least 2'):
        Moments().update(normal(1)).covariance()
    with pytest.raises(ValueError, match='at least 2'):
        Moments().covariance()
    with pytest.raises(ValueError, match='expected 8'):
        Moments().update(normal(5)).update(normal(5, 7))


def test_blocks_cover_all_rows_once():
    for size in BLOCKS:
        parts = list(arrays.blocks(np.arange(65), size))
        assert [part[0] for _, part in parts] == [start for start, _ in parts]
        np.testing.assert_array_equal(np.concatenate([p for _, p in parts]),
                                      np.arange(65))
