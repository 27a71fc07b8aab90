"""The Dockerfile: its paths exist, its versions are ours, its commands are accepted."""

import fnmatch
import json
import os
import re
import shlex

import pytest

import main
from dataset import catalog
from settings import parser
from settings.config import Config

ROOT = os.path.dirname(os.path.abspath(main.__file__))


def read(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as file:
        return file.read()


def instructions(name):
    """Return the (instruction, argument) pairs of the Dockerfile of that name."""
    lines = [line for line in read('Dockerfile').splitlines()
             if line and not line.startswith('#')]
    pairs = [line.split(None, 1) for line in lines]
    return [argument for instruction, argument in pairs if instruction == name]


def test_the_python_is_one_that_the_requirements_are_for():
    image, = instructions('FROM')
    minor = int(re.fullmatch(r'python:3\.(\d+)-slim', image).group(1))
    assert 10 <= minor <= 13


def test_its_tensorflow_is_that_of_the_requirements_also_with_a_gpu():
    version = re.search('^tensorflow==(.*)$', read('requirements.txt'), re.M).group(1)
    assert instructions('ARG') == ['TENSORFLOW=tensorflow==' + version]
    assert "'TENSORFLOW=tensorflow[and-cuda]==%s'" % version in read('Dockerfile')
    install, = instructions('RUN')
    assert '-r /dcgan/requirements.txt "$TENSORFLOW"' in install


def test_what_is_copied_is_there():
    for argument in instructions('COPY'):
        source, target = argument.split()
        assert os.path.exists(os.path.join(ROOT, source)) and '/dcgan' in target
    (_, script), = map(json.loads, instructions('ENTRYPOINT'))
    assert os.path.exists(script.replace('/dcgan', ROOT))
    command, = map(json.loads, instructions('CMD'))
    assert parser.asks_for_help(command)


@pytest.mark.parametrize('document', ['Dockerfile', 'README.md', 'README.zh.md'])
def test_its_commands_are_accepted(document):
    text = read(document).replace('\\\n', ' ')
    lines = re.findall(r'^[# ]*(docker run .*)$', text, re.M)
    assert lines
    for line in lines:
        words = shlex.split(line.partition(' #')[0])
        image = next(i for i, word in enumerate(words) if word.startswith('dcgan'))
        given = parser.parse_flags(words[image + 1:])
        Config.make(given, catalog.defaults(given.get('dataset', 'celebA')))
        assert '$PWD:/work' in words and instructions('WORKDIR') == ['/work']


@pytest.mark.parametrize('path, left_out', [
    ('data/celebA', True), ('data/.cache', True), ('data/toonfaces', False),
    ('.venv', True), ('.venv-torch', True), ('checkpoint', True), ('samples', True),
    ('main.py', False), ('configs', False), ('requirements.txt', False),
    ('.git', True)])
def test_data_and_runs_stay_out_of_the_image(path, left_out):
    found = False
    for pattern in read('.dockerignore').split():
        if fnmatch.fnmatch(path, pattern.lstrip('!')):
            found = not pattern.startswith('!')     # the last that fits decides
    assert found == left_out
