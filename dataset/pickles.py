"""Read the pickles of CIFAR-10's python version without unpickling them.

A pickle is a program. It may name any function to be called; and where that is refused,
a few bytes of it still fill the memory (a memo of 2**32 places) or overflow the stack
(the hash of a deep tuple). So the few instructions that a batch is made of are followed
here, over plain values, and there is nothing that could be called. NumPy.
"""

import pickletools

import numpy as np

MOST = 200000       # instructions: a batch of 10,000 images has 41,000

# Instructions that put a new, empty or fixed, value on the stack; and their own value
NEW = {'EMPTY_DICT': dict, 'EMPTY_LIST': list, 'EMPTY_TUPLE': tuple,
       'NONE': lambda: None, 'NEWTRUE': lambda: True, 'NEWFALSE': lambda: False}
OWN = {'BININT', 'BININT1', 'BININT2', 'SHORT_BINSTRING', 'BINSTRING',
       'BINUNICODE', 'SHORT_BINUNICODE', 'SHORT_BINBYTES', 'BINBYTES'}
# What the pickle of an array names, and bytes as Python 3 writes them for Python 2
ENCODE = '_codecs encode'
KNOWN = {ENCODE, 'numpy ndarray', 'numpy dtype', 'numpy.core.multiarray _reconstruct',
         'numpy._core.multiarray _reconstruct'}


class Name:
    """A function or type that a pickle names: no more than its name."""

    def __init__(self, name):
        if name not in KNOWN:
            raise ValueError('it names %.80r, which no batch needs'
                             % name.replace(' ', '.'))
        self.name = name


class Array:
    """An array or its type: the arguments of the call that makes it, and its state."""

    def __init__(self, arguments):
        self.arguments, self.state = arguments, None


class Machine:
    """Follow a pickle's instructions, on a stack of plain values and a memo."""

    def __init__(self):
        self.stack, self.marks, self.memo = [], [], {}

    def step(self, name, value):
        """Follow one instruction. Raises ValueError for one that no batch needs."""
        if name in NEW:
            self.stack.append(NEW[name]())
        elif name in OWN:
            self.stack.append(text(value))
        elif name in ('BINPUT', 'LONG_BINPUT'):
            self.memo[value] = self.stack[-1]
        elif name in ('BINGET', 'LONG_BINGET'):
            self.stack.append(self.memo[value])
        elif name in INSTRUCTIONS:
            INSTRUCTIONS[name](self, value)
        elif name not in ('PROTO', 'STOP', 'FRAME'):
            raise ValueError('it has the instruction %s, which no batch needs' % name)

    def mark(self, value):
        """Note where a list of values begins."""
        self.marks.append(len(self.stack))

    def take(self, count=None):
        """Take the upper `count` values off the stack, or those above the last mark."""
        start = self.marks.pop() if count is None else len(self.stack) - count
        if start < 0:
            raise IndexError
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def extend(self, items):
        """Add items to the list on top."""
        expect(list, self.stack[-1]).extend(items)

    def update(self, items):
        """Add keys and values to the dict on top; the keys must be texts."""
        keys, values = items[::2], items[1::2]
        if len(keys) != len(values):
            raise ValueError('it has a key without a value')
        top = expect(dict, self.stack[-1])
        for key, value in zip(keys, values):
            top[expect(str, key)] = value

    def reduce(self, value):
        """Note a call; only the text that Python 3 wrote for bytes becomes a value."""
        name, arguments = self.take(2)
        name, arguments = expect(Name, name).name, expect(tuple, arguments)
        self.stack.append(expect(str, arguments[0]) if name == ENCODE
                          else Array(arguments))

    def build(self, value):
        """Note the state of what a call made."""
        state, = self.take(1)
        expect(Array, self.stack[-1]).state = state


INSTRUCTIONS = {
    'MARK': Machine.mark,
    'TUPLE': lambda machine, _: machine.stack.append(tuple(machine.take())),
    'TUPLE1': lambda machine, _: machine.stack.append(tuple(machine.take(1))),
    'TUPLE2': lambda machine, _: machine.stack.append(tuple(machine.take(2))),
    'TUPLE3': lambda machine, _: machine.stack.append(tuple(machine.take(3))),
    'APPEND': lambda machine, _: machine.extend(machine.take(1)),
    'APPENDS': lambda machine, _: machine.extend(machine.take()),
    'SETITEM': lambda machine, _: machine.update(machine.take(2)),
    'SETITEMS': lambda machine, _: machine.update(machine.take()),
    'MEMOIZE': lambda machine, _: machine.memo.update(
        {len(machine.memo): machine.stack[-1]}),
    'GLOBAL': lambda machine, value: machine.stack.append(Name(value)),
    'STACK_GLOBAL': lambda machine, _: machine.stack.append(
        Name(' '.join(expect(str, word) for word in machine.take(2)))),
    'REDUCE': Machine.reduce, 'BUILD': Machine.build}


def read(content):
    """Return what a pickle holds, as plain values. Raises ValueError.

    Texts and bytes are both str, bytes by Latin-1; an array is an Array, see rows.
    """
    machine = Machine()
    try:
        for count, (code, value, _) in enumerate(pickletools.genops(content)):
            if count == MOST:
                raise ValueError('it has more than %d instructions' % MOST)
            machine.step(code.name, value)
        result, = machine.take(1)
    except (IndexError, KeyError):
        raise ValueError('its instructions do not fit together') from None
    if machine.stack:
        raise ValueError('it holds more than one value')
    return result


def rows(array, columns):
    """Return uint8 [N, columns] of an array in a pickle. Raises ValueError."""
    state = expect(tuple, expect(Array, array).state)
    if len(state) != 5:
        raise ValueError('expected an array')
    _, shape, dtype, by_columns, content = state
    kind, = expect(Array, dtype).arguments[:1] or [None]
    if kind not in ('u1', '|u1') or by_columns is not False:
        raise ValueError('expected rows of bytes')
    if len(expect(tuple, shape)) != 2 or shape[1:] != (columns,):
        raise ValueError('expected rows of %d bytes' % columns)
    pixels = np.frombuffer(expect(str, content).encode('latin-1'), np.uint8)
    if pixels.size != expect(int, shape[0]) * columns:
        raise ValueError('expected %d rows of %d bytes, found %d bytes'
                         % (shape[0], columns, pixels.size))
    return pixels.reshape(-1, columns)


def items(values, key, kind):
    """Return the list of `kind` under a key of a pickle's dict. Raises ValueError."""
    found = expect(list, lookup(values, key))
    return [expect(kind, item) for item in found]


def lookup(values, key):
    """Return the value under a key. Raises ValueError."""
    if key not in expect(dict, values):
        raise ValueError('it has no %r' % key)
    return values[key]


def expect(kind, value):
    """Return a value that must be of exactly that type. Raises ValueError."""
    if type(value) is not kind:
        raise ValueError('expected %s, found %s'
                         % (kind.__name__, type(value).__name__))
    return value


def text(value):
    """Return bytes, which are texts of Python 2, as str; anything else as it is."""
    return value.decode('latin-1') if isinstance(value, bytes) else value
