"""The cluster: which processes train together, and which of them this one is.

Told by TF_CONFIG, as Kubernetes, Ray and this program's --workers set it, or by SLURM's
own variables. No TensorFlow.
"""

import json
import re
import typing

from settings.errors import UserError, shown

JOBS = 'chief', 'master', 'worker'      # in the order of their ranks
EXAMPLE = ('{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
           '"task": {"type": "worker", "index": 0}}')
PORTS = 10000, 20000    # SLURM: the first, and how many; the system's own lie above
MOST = 4096             # workers
RETRY = 75          # exit status: start again (EX_TEMPFAIL of sysexits.h)
PARENT = 'DCGAN_LAUNCHER'       # the process that started the workers, where one did


class Cluster(typing.NamedTuple):
    """The addresses HOST:PORT of all workers, by rank, and this one's rank."""

    addresses: tuple
    rank: int

    @property
    def size(self):
        """How many workers there are."""
        return len(self.addresses)

    @property
    def local(self):
        """Return (which one of them this is, how many workers this host has)."""
        hosts = [split(address)[0] for address in self.addresses]
        here = hosts[self.rank]
        return hosts[:self.rank].count(here), hosts.count(here)


def find(environ, given):
    """Return the Cluster that a process of this environment belongs to.

    Return None where it trains alone: nothing names a cluster, or the cluster has one
    worker, or --workers 1 was `given`. Raises UserError naming what is wrong.
    """
    if given.get('workers') == 1:
        return None
    cluster = from_tf_config(environ.get('TF_CONFIG')) or from_slurm(environ)
    if cluster is None or cluster.size == 1:
        return None
    asked = given.get('workers', cluster.size)
    if asked != cluster.size:
        raise UserError('--workers %d, and the cluster has %d: leave --workers out, or '
                        'give --workers 1 to train alone.' % (asked, cluster.size))
    return cluster


def split(address):
    """Return (host, port) of HOST:PORT, [IPV6]:PORT too; raise ValueError."""
    host, _, port = str(address).rpartition(':')
    if not host or not re.fullmatch('[0-9]{1,5}', port) or not 0 < int(port) < 65536:
        raise ValueError(address)
    return host.strip('[]'), int(port)


# --- TF_CONFIG ---------------------------------------------------------------

def from_tf_config(text):
    """Return the Cluster of TF_CONFIG's text; None where it names none."""
    if not (text or '').strip():
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong('it is no JSON (%s)' % error)
    if not isinstance(value, dict):
        raise wrong('found %s' % shown(value))
    if not value.get('cluster'):
        return None
    jobs, task = value['cluster'], value.get('task')
    if not isinstance(jobs, dict) or not isinstance(task, dict):
        raise wrong('"cluster" and "task" must be objects')
    addresses = [address for job in JOBS for address in of_job(jobs, job)]
    others = sorted(job for job in set(jobs) - set(JOBS) if jobs[job])
    if others:
        raise wrong('the cluster has %s: all processes are workers here, there are no '
                    'parameter servers and no evaluator (see --eval_freq)'
                    % ' and '.join(map(shown, others)))
    check(addresses)
    return Cluster(tuple(addresses), rank_of(jobs, task))


def of_job(jobs, job):
    """Return the addresses of a job, a list, or an object as {"0": ADDRESS}."""
    found = jobs.get(job) or []
    if isinstance(found, dict):
        found = [found.get(str(i)) for i in range(len(found))]
    if not isinstance(found, list):
        raise wrong('"%s" is %s' % (job, shown(found)))
    return found


def check(addresses):
    """Raise UserError where addresses are none, or one is there twice."""
    for address in addresses:
        try:
            split(address)
        except ValueError:
            raise wrong('%s is no address HOST:PORT' % shown(address))
    twice = sorted({a for a in addresses if addresses.count(a) > 1})
    if twice:
        raise wrong('%s is there twice' % twice[0])
    if not addresses:
        raise wrong('the cluster has no worker')
    if len(addresses) > MOST:
        raise wrong('%d workers; expected up to %d' % (len(addresses), MOST))


def rank_of(jobs, task):
    """Return the rank of a task: the chief is 0, then come the workers."""
    kind, index = task.get('type'), task.get('index')
    counts = {job: len(of_job(jobs, job)) for job in JOBS if jobs.get(job)}
    index = int(index) if re.fullmatch('[0-9]{1,9}', str(index)) else shown(index)
    if kind not in JOBS or index not in range(counts.get(kind, 0)):
        raise wrong('its task is %s %s, and the cluster has %s' % (
            shown(kind), index, ', '.join('%s 0 to %d' % (job, count - 1)
                                          for job, count in counts.items())))
    return sum(counts.get(job, 0) for job in JOBS[:JOBS.index(kind)]) + index


def wrong(what):
    """Return the UserError of a TF_CONFIG."""
    return UserError('TF_CONFIG: %s. Expected as %s; without it, or with --workers 1, '
                     'one process trains.' % (what, EXAMPLE))


# --- SLURM -------------------------------------------------------------------

def from_slurm(environ):
    """Return the Cluster of a task that `srun` started, None elsewhere.

    Ranks go from node to node, as srun hands them out by itself. The ports follow from
    the job's number, so that two jobs on a node do not meet.
    """
    if environ.get('SLURM_STEP_NUM_TASKS', '1') == '1' or (
            'SLURM_PROCID' not in environ):
        return None
    try:
        nodes = expand_nodes(environ['SLURM_STEP_NODELIST'])
        tasks = expand_tasks(environ['SLURM_STEP_TASKS_PER_NODE'])
        rank, job = int(environ['SLURM_PROCID']), int(environ['SLURM_JOB_ID'])
        places = [(node, i) for node, count in zip(nodes, tasks) for i in range(count)]
        own = places[rank]
        if len(nodes) != len(tasks):
            raise ValueError('%d nodes, and tasks on %d' % (len(nodes), len(tasks)))
    except (KeyError, ValueError, IndexError) as error:
        raise UserError("SLURM's variables tell no cluster (%s: %s): set TF_CONFIG, or "
                        'give --workers 1 to train alone.'
                        % (type(error).__name__, error))
    if environ.get('SLURM_LOCALID', str(own[1])) != str(own[1]):
        raise UserError('SLURM has spread the tasks in another order than node by '
                        'node: start them with srun --distribution=block.')
    first, count = PORTS
    port = first + job * 64 % count
    return Cluster(tuple('%s:%d' % (node, port + i) for node, i in places), rank)


def expand_nodes(text):
    """Return the names that SLURM's 'a[1-3,07],b' stands for. Raises ValueError."""
    names = []
    for part in re.findall(r'(?:[^,\[]|\[[^\]]*\])+', text):
        found = ['']
        for plain, spans in re.findall(r'([^\[]+)|\[([^\]]*)\]', part):
            ends = [plain] if plain else [end for span in spans.split(',')
                                          for end in expand_span(span)]
            found = [start + end for start in found for end in ends]
        names += found
    return names


def expand_span(text):
    """Return the numbers of a span as texts, of 08-10: 08, 09, 10."""
    low, _, high = text.partition('-')
    return [str(number).rjust(len(low), '0')
            for number in range(int(low), int(high or low) + 1)]


def expand_tasks(text):
    """Return the counts of SLURM's '2(x3),1': [2, 2, 2, 1]. Raises ValueError."""
    counts = []
    for part in text.split(','):
        count, _, times = part.rstrip(')').partition('(x')
        counts += [int(count)] * int(times or 1)
    return counts
