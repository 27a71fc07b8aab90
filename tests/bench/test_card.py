"""bench/speed/card.py: its sides, and that one that fails does not stop the others."""

import json
import types

import pytest

from bench.speed import card
from settings import parser
from settings.config import Config

SERVES = '''
import sys
sys.path.insert(0, %r)
from bench import turns
turns.serve(lambda steps: None, 10, turns.keep_stdout(), MFLOP_an_image=3)
''' % card.turns.ROOT


def test_sides_of_this_program_are_flags_that_it_knows():
    ours = [arguments for arguments in card.SIDES.values()
            if arguments[0] == card.OURS]
    assert len(ours) >= 9
    configs = [Config.make(dict(parser.parse_flags(arguments[1:] + card.TINY),
                                train=True), {}) for arguments in ours]
    assert {config.steps_per_run for config in configs} == {1, 50}
    assert {config.xla for config in configs} == {True, False}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Return a Bench of a limit, a side that dies, and one that serves."""
    scripts = {'limit tf32': SERVES, 'dies, tf32': 'raise SystemExit("no card here")',
               'ours, tf32': SERVES}
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(card, 'SIDES', {
        name: [str(tmp_path / name)] for name in scripts})
    monkeypatch.setattr(card.turns, 'TORCH', str(tmp_path / 'no python'))
    monkeypatch.setattr(card, 'PEERS', str(tmp_path / 'torch'))
    card.SIDES['torch'] = [card.PEERS]
    options = types.SimpleNamespace(
        only=list(card.SIDES), budget=60, grace=1, longest=20, seconds=1e-4, tiny=False,
        out=str(tmp_path / 'out.json'))
    return card.Bench(options, str(tmp_path))


def test_a_side_that_fails_does_not_stop_the_others(bench, capsys):
    bench.run()
    with open(bench.options.out) as file:
        found = json.load(file)
    assert set(found['sides']) == {'limit tf32', 'ours, tf32'}
    assert 'no card here' in found['failed']['dies, tf32']
    assert 'no python' in found['failed']['torch']
    ours, limit = (found['sides'][name] for name in ('ours, tf32', 'limit tf32'))
    assert ours['share'] == pytest.approx(
        3e-3 * ours['images_per_s'] / limit['images_per_s'])
    said = capsys.readouterr().out
    assert 'dies, tf32' in said and 'no card here' in said


def test_what_there_is_no_time_for_is_said(bench, capsys):
    bench.options.budget = bench.options.grace = 0
    bench.run()
    assert capsys.readouterr().out.count('no time was left') == 4
    assert not bench.results
