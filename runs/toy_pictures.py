"""The pictures that toy.py ends with: the points, and how often D was right."""

from runs import history


def draw_scatter(points, G, path, title):
    """Draw real and generated points [N, 2] as PNG; return its path."""
    with history.figure(path, (4, 5.5)) as axes:
        for xy, label, colour in ((points, 'real', 'tab:blue'),
                                  (G, 'generated', 'tab:red')):
            axes.scatter(*xy.T, s=7, alpha=0.5, linewidths=0, color=colour, label=label)
        axes.set(title=history.plain(title), aspect='equal')
        axes.grid(alpha=0.3)
        axes.legend(loc='upper left')
    return path


def draw_accuracy(history_path, path, title):
    """Draw D's accuracy after each epoch of a history as PNG; return its path."""
    rows = history.read(history_path)
    with history.figure(path, (6, 4)) as axes:
        axes.axhline(0.5, color='gray', linewidth=0.8, linestyle='--')
        for values, label, colour in (
                (rows['d_acc_real'], 'real', 'tab:blue'),
                (rows['d_acc_fake'], 'generated', 'tab:red'),
                ((rows['d_acc_real'] + rows['d_acc_fake']) / 2, 'together', 'black')):
            axes.plot(rows['epoch'], values, marker='.', color=colour, label=label)
        axes.set(title=history.plain(title), xlabel='epoch', ylim=(0, 1.02),
                 ylabel='share that D gets right')
        axes.grid(alpha=0.3)
        axes.legend(loc='lower right')
    return path
