"""The page: one HTML file that draws in a browser, without a connection.

It holds the network as ONNX; onnxruntime-web, which runs it in WebAssembly; and the
files of page/: HTML, CSS and JavaScript modules. A browser loads no module from another
file on the disk, so the modules are joined into one script. A policy in the page
forbids all requests, and all scripts but that one, which it knows by its hash.
"""

import base64
import gzip
import hashlib
import html
import json
import os
import re

from export.preview import columns, per_kind

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'page')
FIRST = 'main.js'
RUNTIME, WASM = 'ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm.gz'
POLICY = ("default-src 'none'; script-src '%s' 'wasm-unsafe-eval' blob:; "
          "style-src '%s'; img-src data: blob:; connect-src 'none'; base-uri 'none'; "
          "form-action 'none'")
# of data sets that come along; see their ATTRIBUTION.txt
CREDITS = {'toonfaces': (
    'ToonFaces, after the design "ToonHead" by Johan Melin '
    '(https://www.johanmelin.com), licensed CC BY 4.0 '
    '(https://creativecommons.org/licenses/by/4.0/), via @dicebear/toon-head; changed: '
    'recomposed, recoloured, posed and lit, with more hair, hats, glasses and '
    'backgrounds; here as a network drew them anew.')}
IMPORT = re.compile(r"^import (?:\* as (\w+)|\{([^}]*)\}) from '\./(\S+)';\n", re.M)
DEFINED = re.compile(r'^export (?:async )?(?:function|const|let) ([\w$]+)', re.M)


def build(model, facts):
    """Return the page of a network as text.

    `model` are the bytes of the ONNX file. `facts` are those of facts.collect, with the
    name of the `dataset`, the `rows` of a sheet's labels [rows, y_dim], the
    `directions` of directions.find and the `preview` of preview.draw_sheet.
    """
    style, script = read('page.css'), join(FIRST)
    parts = dict(
        POLICY=POLICY % (digest(script), digest(style)), STYLE=style, SCRIPT=script,
        DATASET=html.escape(facts['dataset']), NUMBERS=numbers(facts),
        Z_DIM=facts['z_dim'], PREVIEW=picture(facts['preview']),
        ABOUT=html.escape(about(facts)),
        RIGHTS='<br>'.join(map(html.escape, rights(facts))),
        LICENCE=html.escape(read('runtime/LICENSE.txt')), FACTS=as_script(facts),
        MODEL=packed(gzip.compress(model, 9, mtime=0)), RUNTIME=runtime(),
        WASM=packed(read('runtime/' + WASM, 'rb')))
    return re.sub('@([A-Z_]+)@', lambda found: str(parts[found.group(1)]),
                  read('page.html'))


def as_script(facts):
    """Return facts as JSON that may stand in <script>, the rows with their names."""
    kinds = [{'name': kind(facts['names'], y), 'y': list(map(float, y))}
             for y in facts['rows']]
    facts = dict(facts, kinds=kinds, per_kind=per_kind(facts['rows']),
                 columns=columns(facts['rows']))
    for name in 'rows', 'preview':
        facts.pop(name)
    return json.dumps(facts, sort_keys=True).replace('<', '\\u003c')


def kind(names, y):
    """Return the name of a row of a sheet: of its labels or attributes."""
    return ', '.join(name for name, value in zip(names, y) if value > 0) or 'none'


def read(name, mode='r'):
    """Return a file of page/, as text or, with mode 'rb', as bytes."""
    with open(os.path.join(FOLDER, name), mode,
              encoding=None if 'b' in mode else 'utf-8') as file:
        return file.read()


def packed(data):
    """Return bytes as a text that HTML may hold."""
    return base64.b64encode(data).decode('ascii')


def digest(text):
    """Return the hash by which a policy knows a script or a style."""
    return 'sha256-' + packed(hashlib.sha256(text.encode()).digest())


def runtime():
    """Return onnxruntime-web's script, without the name of a file that is not here."""
    return inert(re.sub(r'\n//# sourceMappingURL.*', '', read('runtime/' + RUNTIME)))


def inert(text):
    """Return a text as it is. Raises ValueError where it would end its <script>."""
    if '<!--' in text or re.search('</script', text, re.I):
        raise ValueError('a script holds "<!--" or "</script", which would end it')
    return text


# --- words -------------------------------------------------------------------

def numbers(facts):
    """Return the words for what a picture is drawn from."""
    return '%d random numbers%s' % (facts['z_dim'], {
        'none': '', 'classes': ' and a label', 'attributes': ' and its attributes'}[
            facts['labels']])


def picture(preview):
    """Return the element of the sheet that was drawn beforehand, if it was."""
    if not preview:
        return ''
    return ('<img id="preview" alt="pictures" width="%(width)d" height="%(height)d" '
            'src="%(url)s">' % preview)


def about(facts):
    """Return a sentence about the network."""
    return ('%s: %d × %d pixels, step %d of its training. Drawn with onnxruntime-web.'
            % (facts['name'], facts['width'], facts['height'], facts['step']))


def rights(facts):
    """Return the lines that say whose the pictures and the software are."""
    return ['This page is of the network %s, trained on %s.' % (
                facts['name'], facts['dataset']),
            'The pictures: %s' % CREDITS.get(facts['dataset'],
                                             'ask whoever trained it.'),
            'Software in this page: onnxruntime-web, MIT, Microsoft.']


# --- the script --------------------------------------------------------------

def join(first):
    """Return a module of page/, after all that it imports, as one script.

    Each module becomes a block that hands out what it exports, so that names which two
    of them use for themselves do not meet.
    """
    blocks = {}

    def add(name):
        source = read(name)
        for _, _, other in IMPORT.findall(source):
            if other not in blocks:
                add(other)
        blocks[name] = block(name, source)

    add(first)
    return inert('\n'.join(blocks.values()))


def block(name, source):
    """Return a module as a constant: a function's result, made at once."""
    handed = ', '.join(DEFINED.findall(source))
    inner = IMPORT.sub(lambda found: 'const %s = %s;\n' % (
        found.group(1) or '{%s}' % found.group(2).replace(' as ', ': '),
        variable(found.group(3))), source)
    inner = re.sub('^export ', '', inner, flags=re.M)
    return '// --- %s\nconst %s = (() => {\n%s\nreturn {%s};\n})();\n' % (
        name, variable(name), inner, handed)


def variable(name):
    """Return the constant that stands for a module."""
    return name.replace('.js', '_js')
