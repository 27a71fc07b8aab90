"""Training as one of several workers.

All take the same steps, each on its own batch of a step. The chief, the first of them,
alone restores, saves, draws, judges and writes.
"""

import contextlib
import functools
import os

import train
from dataset import batches
from graph.hardware import has_gpu
from runs import folders, sessions, start
from runs.guard import check_finite
from settings.checks import GAUSSIAN
from settings.errors import UserError
from workers import likeness
from workers.cluster import PARENT
from workers.team import Team


def work(config, given, cluster, prepare):
    """Train as a worker of a Cluster; return the exit status, as train.train does.

    prepare(config, given, echo) returns (Run, Config), as main.prepare does. Raises
    UserError where workers differ, and where one of them has an error.
    """
    alone = ['--' + name for name in ('dry_run', 'xla', 'steps_per_run')
             if getattr(config, name)]
    if config.dataset == GAUSSIAN:
        alone.append('--dataset ' + GAUSSIAN)
    if alone:
        raise UserError('%s is for one process: add --workers 1, or start it without '
                        'TF_CONFIG.' % alone[0])
    with contextlib.ExitStack() as stack:
        run, settled, wrong = folders.at(config), config, None
        if cluster.rank == 0:
            try:
                run, settled = begin(stack, config, given, prepare)
            except UserError as error:
                wrong = error       # told to the others as soon as they are there
        team = Team(cluster, settled)
        with team.telling():
            if wrong:
                raise wrong
            settled, data = settle(team, settled, given)
            if team.chief:
                start.check_classes(run, settled, data)
        return train.train(settled, run, data, functools.partial(Member, team))


def begin(stack, config, given, prepare):
    """Return (Run, Config) of the chief, which holds the run's lock until the end."""
    said = PARENT in os.environ         # by the launcher, on the same terminal
    run, settled = prepare(config, given, (lambda text: None) if said else print)
    stack.enter_context(start.locked(run))
    return run, start.settle(run, settled, given)


def settle(team, config, given):
    """Return the Config of the chief and the Dataset; compare what workers are."""
    rows = team.agree(
        call=likeness.of_call(given, team.cluster.addresses),
        config=vars(config))
    likeness.check([row['call'] for row in rows])
    echo = print if team.chief else (lambda text: None)
    config = likeness.adopt(rows[0]['config'], config).replace(workers=team.size)
    config = sessions.at_hand(config, given, echo)
    data = batches.load(config, echo)
    data.steps_per_epoch(config.batch_size * team.size)     # refuses too few images
    likeness.check(team.agree(**likeness.of_machine(config, data)))
    return config, data


class Member(train.Trainer):
    """A Trainer of one worker; see the head of this file."""

    def __init__(self, team, config, run, data):
        self.member, self.place, self.status = team, (team.rank, team.size), 0
        way = ('GPU:0', 'nccl') if has_gpu() and config.collective == 'auto' else (
            'CPU:0', 'ring')
        self.team = team.averages(*way, sync=config.sync_batch_norm)
        self.quiet = None if team.chief else True
        with team.telling():
            super().__init__(config, run, data)
            team.agree(ready=True)
        team.patiently(self.sess, self.handed_out)

    def find_start(self, run):
        """Return the chief's step and, on the chief, the path of its checkpoint."""
        found = super().find_start(run) if self.member.chief else (0, None)
        return self.member.agree(start=found[0])[0]['start'], found[1]

    def open(self):
        """Add what is exchanged beside the steps; open, and restore on the chief."""
        self.handed_out = self.team.hand_out(self.variables)
        self.settled = self.team.settle(self.variables)
        self.model.scalars['stopping'] = self.fetches['stopping'] = self.team.stopping
        super().open()

    def open_session(self):
        """Return a session on this worker's server."""
        return self.member.open_session()

    def restore(self, initializer):
        """Restore on the chief; the others get what it has."""
        if self.member.chief:
            super().restore(initializer)
        else:
            self.sess.run(initializer)

    # --- steps ---------------------------------------------------------------

    def train(self, stop):
        """Take the steps that are left, or those until one worker is told to stop."""
        self.stop = stop
        with self.member.watch.guard():
            super().train(stop)
        if self.start >= self.total:
            self.member.part()
        stop.status = stop.status or self.status

    def train_step(self, step):
        """Take a step; where the run is saved after it, share the moving averages."""
        values = super().train_step(step)
        self.status = int(round(values.pop('stopping')))
        self.member.watch.beat()
        done = step + 1
        if done % self.config.ckpt_freq == 0 or self.ends(done):
            self.sess.run(self.settled)
        return values

    def feed(self, index):
        """Return the feed of this worker's batch, and whether it was told to stop."""
        feed = super().feed(index)
        feed[self.team.status] = self.stop.status
        return feed

    def stopping(self, stop):
        """Return the status with which all stop after this step, or 0."""
        return self.status

    def ends(self, step):
        """Tell whether the training ends after a step, or stops there for now."""
        return step == self.total or bool(self.status)

    # --- what the chief alone does -------------------------------------------

    def prepare(self):
        """Make the folders, and the judge, on the chief."""
        if self.member.chief:
            super().prepare()

    def begin(self):
        """Open what is written down, on the chief."""
        if self.member.chief:
            super().begin()
        else:
            self.record = Unwritten()

    def say_where(self):
        """Say from where the run goes on, on the chief."""
        if self.member.chief:
            super().say_where()

    def sample(self, step):
        """Draw the sheet, on the chief."""
        if self.member.chief:
            super().sample(step)

    def evaluate(self, step):
        """Judge samples, on the chief."""
        return super().evaluate(step) if self.member.chief else {}

    def save(self, step):
        """Save a checkpoint, on the chief; the others wait for the last one."""
        if self.member.chief:
            super().save(step)
        if self.ends(step):
            self.member.part()

    def finish(self):
        """Show the results, on the chief."""
        if self.member.chief:
            super().finish()


class Unwritten:
    """Stands for the Record of a worker that writes nothing."""

    images_per_step = 0

    def __init__(self):
        self.events = self

    def add_step(self, step, took, values, judged):
        """Raise Diverged where a loss is no number, as on all other workers."""
        check_finite(values, step)

    def add_summary(self, summary, step):
        """Write nothing."""

    def close(self):
        """Close nothing."""
