"""Formulas of --task arithmetic: what they name, and which images show it.

A formula is terms with + or - between them and spaces around these signs. A term is a
list with commas: numbers of images on the sheet, or attributes; -X is "without X".
"""

import re
import typing

import numpy as np

from settings.errors import UserError
from tasks.parts import latent

EXAMPLES = ('"Smiling,-Male - -Smiling,-Male + -Smiling,Male" by attributes (-X: '
            'without X), "3,8,12 - 4,7,9 + 1,2,5" by images of the sheet, or '
            '"Eyeglasses" to turn an attribute')
EACH = 3            # exemplars of a term, as in the paper
LIKELY = 0.5        # an image shows a term if each attribute is at least so probable
SURE = 0.9          # and surely shows it from here


class Term(typing.NamedTuple):
    """A term: its sign; indices of images, or {attribute: whether it is there}."""

    sign: int
    text: str
    indices: tuple
    attributes: dict


def parse(formula, config):
    """Return the Terms of a formula.

    Raises UserError where it is no formula, names images that are not on the sheet, or
    mixes images and attributes.
    """
    if not (formula or '').strip():
        raise UserError('--task arithmetic needs --formula: %s.' % EXAMPLES)
    words = re.split(r'(?:^|\s+)([+-])\s+', formula.strip())
    words = words[1:] if not words[0] else ['+'] + words
    terms = [parse_term(sign, text.strip(), formula, config)
             for sign, text in zip(words[::2], words[1::2])]
    if len({bool(term.indices) for term in terms}) > 1:
        raise UserError('--formula %r: expected either images or attributes in all of '
                        'its terms, not both.' % formula)
    if len(terms) == 1 and (terms[0].indices or terms[0].sign < 0):
        raise UserError('--formula %r: a single term turns attributes and takes their '
                        'names, as Eyeglasses; of images expected two terms or more.'
                        % formula)
    return terms


def parse_term(sign, text, formula, config):
    """Return one Term; see parse."""
    parts = [part.strip() for part in text.split(',')]
    names = [part[1:] if part.startswith('-') else part for part in parts]
    if not all(re.match(r'[^\s+-][^\s+]*$', name) for name in names):
        raise UserError('--formula %r: the term %r is no list of names or of numbers '
                        'with commas between; + and - have spaces around them, but the '
                        '- of "without" has none after it. Expected, as examples, %s.'
                        % (formula, text, EXAMPLES))
    sign = {'+': 1, '-': -1}[sign]
    if all(part.isdigit() for part in parts):
        return Term(sign, text, tuple(latent.parse_indices(text, config)), {})
    if any(name.isdigit() for name in names):
        raise UserError('--formula %r: the term %r mixes numbers and names.'
                        % (formula, text))
    return Term(sign, text, (), {name: not part.startswith('-')
                                 for name, part in zip(names, parts)})


def named(terms):
    """Return the attributes that the terms name, each once, in their order."""
    return list(dict.fromkeys(name for term in terms for name in term.attributes))


def outcome(terms):
    """Return what a sum should show, as a Term: what its terms add up to.

    An attribute counts 1 where a term has it and -1 where it is without; those that
    add up to 0 are left out.
    """
    counts = {name: sum(term.sign * (1 if term.attributes[name] else -1)
                        for term in terms if name in term.attributes)
              for name in named(terms)}
    shown = {name: count > 0 for name, count in counts.items() if count}
    return Term(1, ','.join(signed(*item) for item in shown.items()), (), shown)


def signed(name, there):
    """Return an attribute as a formula has it, with a - before one that is absent."""
    return name if there else '-' + name


# --- exemplars ---------------------------------------------------------------
# `likely` is {attribute: how probable it is in each of N images, float [N]}.

def count(likely):
    """Return N, how many images were judged."""
    return len(next(iter(likely.values())))


def fit(term, likely):
    """Return how surely images show a term, float [N]: its least sure attribute."""
    return np.min([likely[name] if there else 1 - likely[name]
                   for name, there in term.attributes.items()], axis=0)


def enough(terms, likely):
    """Tell whether each term has EACH images that surely show it."""
    return all((fit(term, likely) >= SURE).sum() >= EACH for term in terms)


def candidates(term, likely):
    """Return the indices of the images that surely show a term, or the surest EACH.

    Raises UserError where too few show it at all; see check_enough.
    """
    check_enough(term, likely)
    sure = fit(term, likely)
    return np.argsort(-sure, kind='stable')[:max(EACH, (sure >= SURE).sum())]


def check_enough(term, likely):
    """Raise UserError where too few images show a term, naming its rarest attribute."""
    found = int((fit(term, likely) >= LIKELY).sum())
    if found < EACH:
        shares = {signed(*item): (fit(term._replace(attributes=dict([item])), likely)
                                  >= LIKELY).mean() for item in term.attributes.items()}
        rarest = min(shares, key=shares.get)
        raise UserError(
            'Of %d images that were drawn %d show %s; expected %d or more. The rarest '
            'of it is %s, in %.1f %%: take another attribute, another --seed, or a '
            'better checkpoint.' % (count(likely), found, term.text, EACH, rarest,
                                    100 * shares[rarest]))
