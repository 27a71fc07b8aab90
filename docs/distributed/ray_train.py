"""Train by Ray: python docs/distributed/ray_train.py WORKERS [flags of main.py].

Ray Train sets TF_CONFIG on each of its workers; there main.py does the rest. Where one
is lost Ray starts all again.
"""

import os
import pathlib
import subprocess
import sys

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.tensorflow import TensorflowTrainer

PROGRAM = pathlib.Path(__file__).resolve().parents[2]


def work(loop):
    """Run main.py as the worker that TF_CONFIG names; raise where it fails."""
    command = [sys.executable, str(PROGRAM / 'main.py'), '--train', *loop['flags']]
    subprocess.run(command, cwd=loop['folder'], check=True)


def main(words):
    """Train with so many workers and these flags."""
    trainer = TensorflowTrainer(
        work, train_loop_config={'flags': words[1:], 'folder': os.getcwd()},
        scaling_config=ScalingConfig(num_workers=int(words[0]),
                                     use_gpu='NO_GPU' not in os.environ),
        run_config=RunConfig(failure_config=FailureConfig(max_failures=100)))
    return trainer.fit()


if __name__ == '__main__':
    main(sys.argv[1:])
