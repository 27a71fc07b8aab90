"""Masks, weights, fillings, blending and PSNR, by hand."""

import numpy as np
import pytest

from tasks.parts import masks


def hide(*rows):
    """Make a Mask of rows of text, # where it is hidden."""
    return masks.of_pixels(np.array([[pixel == '#' for pixel in row] for row in rows]))


def picture(height, width, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 0.5, (height, width, channels)).astype(np.float32)


@pytest.mark.parametrize('name, height, width, share', [
    ('center', 64, 64, 0.25), ('left', 64, 64, 0.5), ('grid', 64, 64, 15 / 16),
    ('lowres', 64, 64, 1), ('full', 64, 64, 0), ('center', 28, 20, 0.25),
    ('left', 15, 9, 4 / 9)])
def test_share_hidden(name, height, width, share):
    hidden = masks.make_mask(name, height, width).hidden
    assert hidden.dtype == bool and hidden.shape == (height, width)
    assert hidden.mean() == pytest.approx(share)


def test_where_it_is_hidden():
    center = masks.make_mask('center', 8, 12).hidden
    assert center[2:6, 3:9].all() and center.sum() == 4 * 6
    assert masks.make_mask('left', 8, 12).hidden[:, :6].all()
    assert not masks.make_mask('grid', 9, 9).hidden[[0, 4, 8], [8, 4, 0]].any()


def test_random_hides_its_share_as_the_seed_decides():
    one, other = (masks.make_mask('random', 100, 100, seed).hidden for seed in (1, 2))
    assert one.mean() == pytest.approx(masks.SHARE, abs=0.02)
    assert (one == masks.make_mask('random', 100, 100, 1).hidden).all()
    assert (one != other).any()


@pytest.mark.parametrize('name', ['center', 'left', 'random', 'grid'])
def test_what_is_known_are_the_pixels_that_are_not_hidden(name):
    mask, images = masks.make_mask(name, 16, 16), np.stack([picture(16, 16, 3, i)
                                                            for i in range(2)])
    assert np.allclose(masks.observe(mask, images), images[:, ~mask.hidden])
    assert (mask.covered == ~mask.hidden).all()
    shown = masks.spread(mask, masks.observe(mask, images)[0])
    assert np.allclose(shown[~mask.hidden], images[0][~mask.hidden])
    assert (shown[mask.hidden] == 0).all()


def test_lowres_knows_the_means_of_blocks():
    image = picture(16, 12)
    mask = masks.make_mask('lowres', 16, 12)
    known = masks.observe(mask, image[None])[0]
    blocks = [image[:8, :8], image[:8, 8:], image[8:, :8], image[8:, 8:]]
    assert np.allclose(known, [block.mean((0, 1)) for block in blocks], atol=1e-6)
    assert np.allclose(masks.spread(mask, known)[:8, 8:], known[1], atol=1e-6)
    assert mask.covered.all() and mask.judged.all()


def test_full_is_judged_by_all_pixels():
    mask = masks.make_mask('full', 8, 8)
    assert mask.judged.all() and masks.importance(mask).tolist() == [1] * 64


# --- weights -----------------------------------------------------------------

def test_weights_are_the_share_hidden_in_the_window():
    hidden = np.zeros((9, 9), bool)
    hidden[4, 4] = hidden[4, 5] = True
    weights = np.zeros((9, 9))
    weights[~hidden] = masks.importance(masks.of_pixels(hidden), far=0)
    assert weights[4, 3] == pytest.approx(2 / 49)       # a whole window, both in it
    assert weights[4, 1] == pytest.approx(1 / 35)       # five columns, the first alone
    assert weights[1, 1] == pytest.approx(1 / 25)
    assert weights[0, 0] == weights[8, 0] == 0          # too far from what is hidden
    assert weights[4, 8] == pytest.approx(1 / 28)       # columns 5 to 8: the second
    assert weights[4, 4] == 0


def test_nothing_known_weighs_less_than_far():
    mask = masks.make_mask('center', 32, 32)
    paper, ours = masks.importance(mask, far=0), masks.importance(mask)
    assert paper.min() == 0 and ours.min() == masks.FAR < ours.max()
    assert (ours[paper > masks.FAR] == paper[paper > masks.FAR]).all()


def test_weights_of_means_are_one():
    assert masks.importance(masks.make_mask('lowres', 16, 16)).tolist() == [1] * 4


# --- filling -----------------------------------------------------------------

def test_mean_colour_is_of_what_is_known():
    mask, image = hide('##.', '##.'), np.zeros((2, 3, 1), np.float32)
    image[..., 0] = [[9, 9, 0.25], [9, 9, 0.75]]
    filled = masks.mean_colour(mask, masks.observe(mask, image[None])[0])
    assert filled.shape == (2, 3, 1) and np.allclose(filled, 0.5)


def test_nearest_pixel():
    mask = hide('.###.')
    image = np.array([[[0.1], [9], [9], [9], [0.7]]], np.float32)
    filled = masks.nearest_pixel(mask, masks.observe(mask, image[None])[0])
    assert np.allclose(filled[0, [0, 1, 3, 4], 0], [0.1, 0.1, 0.7, 0.7])
    assert filled[0, 2, 0] in (np.float32(0.1), np.float32(0.7))


def test_paste_changes_the_hidden_pixels_alone():
    mask, image, filling = masks.make_mask('left', 4, 4), picture(4, 4), picture(4, 4)
    filling += 0.1
    pasted = masks.paste(mask, image, filling)
    assert (pasted[:, :2] == filling[:, :2]).all()
    assert (pasted[:, 2:] == image[:, 2:]).all()


# --- blending ----------------------------------------------------------------

def blend(mask, image, generated):
    return masks.Blender(mask)(generated, image)


@pytest.mark.parametrize('name', ['center', 'left', 'random', 'grid', 'lowres'])
@pytest.mark.parametrize('offset', [0, 0.3])
def test_an_image_that_is_right_but_for_its_brightness_is_restored(name, offset):
    image = picture(16, 20)
    blended = blend(masks.make_mask(name, 16, 20), image, image + np.float32(offset))
    assert np.allclose(blended, image, atol=1e-5)


def test_what_is_known_stays_and_the_rest_does_not():
    mask, image = masks.make_mask('center', 16, 16), picture(16, 16)
    blended = blend(mask, image, picture(16, 16, seed=1))
    assert np.allclose(blended[~mask.hidden], image[~mask.hidden], atol=1e-6)
    assert np.abs(blended - image)[mask.hidden].mean() > 0.1


def test_the_hidden_part_solves_poissons_equation():
    mask, image = masks.make_mask('center', 12, 12), picture(12, 12, 1)
    generated = picture(12, 12, 1, seed=1) / 4
    change = (blend(mask, image / 4, generated) - generated)[..., 0]
    around = (change[:-2, 1:-1] + change[2:, 1:-1] + change[1:-1, :-2]
              + change[1:-1, 2:]) / 4
    inside = mask.hidden[1:-1, 1:-1]
    assert np.allclose(change[1:-1, 1:-1][inside], around[inside], atol=1e-6)
    assert np.abs(change[mask.hidden]).max() > 0.01


def test_no_seam_at_the_border():
    """On flat surroundings a flat patch of another brightness takes theirs."""
    mask, image = masks.make_mask('center', 16, 16), np.full((16, 16, 1), 0.5, 'f')
    generated = np.full((16, 16, 1), -0.5, np.float32)
    generated[7:9, 7:9] = -0.3
    blended = blend(mask, image, generated)[..., 0]
    assert np.abs(np.diff(blended[4])).max() < 0.05
    assert blended[8, 8] - blended[5, 5] == pytest.approx(0.2, abs=0.02)


def test_blended_means_are_those_known():
    mask, image = masks.make_mask('lowres', 16, 16), picture(16, 16) / 2
    blended = blend(mask, image, picture(16, 16, seed=1) / 2)
    assert np.allclose(masks.observe(mask, blended[None]),
                       masks.observe(mask, image[None]), atol=1e-5)


# --- PSNR --------------------------------------------------------------------

def test_psnr_by_hand():
    a = np.zeros((2, 2, 1), np.float32)
    b = a + np.float32(10 / 127.5)
    b[0, 0] = 1                                 # not where it is judged
    where = np.array([[False, True], [True, True]])
    value = masks.psnr(a, b, where)
    assert value == pytest.approx(10 * np.log10(255 ** 2 / 100), abs=1e-6)


def test_psnr_of_equal_images_is_finite():
    image = picture(4, 4)
    value = masks.psnr(image, image, np.ones((4, 4), bool))
    assert value == pytest.approx(58.92, abs=0.01)
