"""The documents: their code is the program's, their tests and files exist."""

import glob
import os
import re

import pytest

import main
from settings import parser

ROOT = os.path.dirname(os.path.abspath(main.__file__))
DOCUMENTS = ['README.md', 'README.zh.md', 'docs/how-it-works.md', 'docs/performance.md',
             'docs/when-training-dies.md', 'docs/gaussian.md', 'docs/experiments.md',
             'docs/evaluation.md', 'docs/reliability.md', 'docs/quality.md',
             'docs/paper-experiments.md', 'docs/records.md',
             'docs/page.md', 'docs/export.md', 'docs/distributed.md']


def read(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as file:
        return file.read()


def test_code_in_how_it_works_is_the_programs():
    blocks = re.findall(r'```python\n# (\S+)\n(.*?)```', read('docs/how-it-works.md'),
                        re.DOTALL)
    assert len(blocks) >= 8
    for name, code in blocks:
        assert code in read(name), '%s has no longer:\n%s' % (name, code)


def test_tests_named_in_how_it_works_exist():
    names = set(re.findall(r'`(test_\w+)`', read('docs/how-it-works.md')))
    assert len(names) >= 15
    tests = glob.glob(os.path.join(ROOT, 'tests', '**', '*.py'), recursive=True)
    code = ''.join(map(read, tests))
    missing = [name for name in names if 'def %s(' % name not in code]
    assert not missing


@pytest.mark.parametrize('document', DOCUMENTS)
def test_files_that_a_document_links_to_exist(document):
    links = re.findall(r'\]\(([^)#]+?)(?:#[^)]*)?\)', read(document))
    links += re.findall(r'<img[^>]* src="([^"]+)"', read(document))
    folder = os.path.dirname(os.path.join(ROOT, document))
    missing = [link for link in links if not link.startswith('http')
               and not os.path.exists(os.path.join(folder, link))]
    assert not missing


@pytest.mark.parametrize('document', DOCUMENTS)
def test_flags_in_a_documents_commands_exist(document):
    known = set(parser.TYPES) | {'flagfile', 'help'}
    commands = re.findall(r'^python main\.py (.*)$', read(document), re.MULTILINE)
    flags = {flag for line in commands
             for flag in re.findall(r'--(\w+)', line.split('#')[0])}
    unknown = {f for f in flags if not {f, f.replace('no', '', 1)} & known}
    assert not unknown


def test_flag_files_in_the_documents_exist():
    for document in DOCUMENTS:
        for path in re.findall(r'configs/[\w-]+\.flags', read(document)):
            assert os.path.exists(os.path.join(ROOT, path)), path
