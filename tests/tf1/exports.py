"""Export by each of two TensorFlows, and draw by what either wrote in the other."""

import json
import os

LIMIT = 2e-5
BENCH = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), 'bench')
FILES = {'sampler.pb', 'saved_model'}


def agree(cores, name):
    """Return the largest difference from the run's samples; raise if it is too large.

    `cores` are {name of a TensorFlow: Core}, `name` is that of a trained run.
    """
    largest, written = 0, []
    for writer in cores:
        cores[writer].main('--task', 'export', '--name', name, '--sample_dir',
                           'by ' + writer, '--formats', 'frozen,saved_model,onnx')
        folder = cores[writer].path('by ' + writer, name, 'export')
        cores[writer].run(os.path.join(BENCH, 'expected_images.py'), 'runs/' + name,
                          os.path.join(folder, 'expected.npz'))
        with open(os.path.join(folder, 'sampler.onnx'), 'rb') as file:
            written.append(file.read())
        for reader in cores:
            found = read(cores[reader], folder)
            print('written by TensorFlow %s, drawn by %s: %s' % (
                writer, reader, ', '.join('%s %.1e' % row
                                          for row in sorted(found.items()))))
            largest = max(largest, *found.values())
    if not largest <= LIMIT:
        raise AssertionError('they differ by %.1e, more than %g' % (largest, LIMIT))
    if len(set(written)) > 1:
        raise AssertionError('sampler.onnx differs')
    return largest


def read(core, folder):
    """Return {file: the largest difference} as a TensorFlow finds it."""
    said = core.run(os.path.join(BENCH, 'read_export.py'), folder, 'session')
    found = json.loads(said.strip().splitlines()[-1])['session']
    if set(found) != FILES:
        raise AssertionError('expected %s, not %s' % (FILES, said))
    return found
