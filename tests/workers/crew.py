"""Workers for tests: processes of main.py with a TF_CONFIG each, by the zygote."""

import json
import time

from workers.launch import free_ports

# Writes all variables of a worker at its end
DUMP = '''
import numpy as np, workers.training
usual_close = workers.training.Member.close
def close(self):
    values = self.sess.run({v.op.name: v for v in self.variables})
    np.savez('dump-RANK.npz', **{k.replace('/', '|'): v for k, v in values.items()})
    usual_close(self)
workers.training.Member.close = close
'''
# Lets each step of training take a while
SLOWLY = '''
import time, train
usual_step = train.Trainer.train_step
def slowly(self, step):
    time.sleep(0.05)
    return usual_step(self, step)
train.Trainer.train_step = slowly
'''
TF_CONFIG = 'import os\nos.environ["TF_CONFIG"] = %r\n'


class Crew:
    """So many workers, in folders of their own or in one; the first is the chief."""

    def __init__(self, starts, folders, *flags, size=2, setup='', addresses=None,
                 indices=None, own=None):
        folders = folders if isinstance(folders, list) else [folders] * size
        self.addresses = addresses or ['127.0.0.1:%d' % p for p in free_ports(size)]
        self.began = time.monotonic()
        self.members = []
        for rank in range(size):
            config = json.dumps({'cluster': {'worker': self.addresses}, 'task': {
                'type': 'worker', 'index': indices[rank] if indices else rank}})
            self.members.append(starts(
                folders[rank], *flags, *(own or {}).get(rank, ()),
                setup=TF_CONFIG % config + setup.replace('RANK', str(rank))))
        self.chief = self.members[0]

    def wait(self, seconds=120):
        """Return the statuses of all, at the end."""
        return [member.wait(seconds) for member in self.members]

    def said(self):
        return '\n'.join('--- %d\n%s' % (rank, member.said())
                         for rank, member in enumerate(self.members))
