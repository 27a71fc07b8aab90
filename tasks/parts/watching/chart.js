// A chart in SVG: smoothed lines over the range of the raw values, axes with numbers,
// and the values of a step where the pointer or the arrow keys are.

import { count, digits, make } from './words.js';

const LEFT = 48, RIGHT = 12, TOP = 8, BOTTOM = 34, HEIGHT = 230;
const SHOWN = 0.985; // of the raw values, those between the ends of the axis

/** Make an element of SVG. */
function draw(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Return a step of 1, 2 or 5 times a power of ten that divides a range in about n. */
function niceStep(range, n) {
  const rough = range / n, power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find(factor => factor * power >= rough * 0.999);
}

/** Return round numbers between low and high, about n of them. */
export function ticks(low, high, n) {
  const step = niceStep(high - low, n), found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

/** Return numbers for an axis of powers: the roundest three or more within each ten. */
export function powerTicks(low, high) {
  for (const factors of [[1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
      found.push(...factors.map(factor => Number((factor * 10 ** power).toPrecision(6))));
    }
    const inside = found.filter(value => value >= low && value <= high);
    if (inside.length > 2) return inside;
  }
  return ticks(low, high, 4);
}

/** Return the value below which a share of some numbers lies. */
function quantile(numbers, share) {
  const sorted = Float64Array.from(numbers).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Return the path through points, lifting the pen where a y is NaN. */
function path(xs, ys) {
  let drawn = '', down = false;
  xs.forEach((x, i) => {
    if (Number.isFinite(ys[i])) {
      drawn += `${down ? 'L' : 'M'}${x.toFixed(1)} ${ys[i].toFixed(1)}`;
    }
    down = Number.isFinite(ys[i]);
  });
  return drawn;
}

/** Return the index of the value in an ascending array that is nearest to x. */
function nearest(values, x) {
  let i = values.findIndex(value => value >= x);
  if (i < 0) i = values.length - 1;
  return i > 0 && x - values[i - 1] < values[i] - x ? i - 1 : i;
}

/**
 * A chart in an element of its own.
 *
 * options: title; note, a line below it; range, the ends of the axis; half, a line at
 * 0.5; share, that values are percents; powers, an axis of powers; best, a ring round
 * the least value.
 * A line is {label, kind, step, mean, low, high, other, also}: kind is the class of its
 * colour; low and high may be missing; other says that it is of the run compared with;
 * also is [label, values] of another number that is told.
 */
export class Chart {
  constructor(options) {
    this.options = options;
    this.lines = [];
    this.at = null; // the step that is pointed at; null: the newest
    this.legend = make('ul');
    this.plot = make('div', { className: 'plot', tabIndex: 0 });
    this.plot.setAttribute('role', 'slider');
    this.plot.setAttribute('aria-label', `${options.title}, by step`);
    this.element = make('div', { className: 'chart panel' },
      make('h3', { textContent: options.title }),
      ...(options.note ? [make('p', { className: 'quiet', textContent: options.note })]
        : []), this.legend, this.plot);
    this.listen();
  }

  /** Follow the pointer, the arrow keys, and the width of the page. */
  listen() {
    const point = event => {
      const box = this.plot.getBoundingClientRect();
      const share = (event.clientX - box.left - LEFT) / (this.width - LEFT - RIGHT);
      this.point(this.x0 + Math.min(1, Math.max(0, share)) * (this.x1 - this.x0));
    };
    this.plot.addEventListener('pointermove', point);
    this.plot.addEventListener('pointerdown', point);
    this.plot.addEventListener('pointerleave', () => this.point(null));
    this.plot.addEventListener('blur', () => this.point(null));
    this.plot.addEventListener('keydown', event => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  key(event) {
    const steps = this.lines.length ? this.lines[0].step : [];
    const here = this.at === null ? steps.length - 1 : nearest(steps, this.at);
    const page = Math.ceil(steps.length / 10);
    const to = {
      ArrowLeft: here - 1, ArrowRight: here + 1, ArrowDown: here - 1, ArrowUp: here + 1,
      PageDown: here - page, PageUp: here + page, Home: 0, End: steps.length - 1,
    }[event.key];
    if (event.key === 'Escape') this.point(null);
    if (to === undefined || !steps.length) return;
    event.preventDefault();
    this.point(steps[Math.min(steps.length - 1, Math.max(0, to))]);
  }

  /** Show the values at a step; at the newest where it is null. */
  point(step) {
    this.at = step;
    this.mark();
  }

  /** Show other lines. */
  show(lines) {
    this.lines = lines.filter(line => line.step.length);
    this.draw();
  }

  /** Choose the ends of both axes. */
  scale() {
    this.x0 = 0;
    this.x1 = Math.max(...this.lines.map(line => line.step.at(-1)), 1);
    const values = name => this.lines.flatMap(line => line[name] || line.mean)
      .filter(value => value !== null && (!this.options.powers || value > 0));
    const low = values('low'), high = values('high');
    [this.y0, this.y1] = this.options.range || (this.options.powers ? [1, 10] : [0, 1]);
    if (this.options.range || !low.length) return;
    if (this.options.powers) {
      this.y0 = Math.min(...low) / 1.1;
      this.y1 = Math.max(...high) * 1.1;
    } else {
      this.y0 = 1.1 * Math.min(0, quantile(low, 1 - SHOWN));
      this.y1 = 1.1 * Math.max(this.y0 ? 0.1 : 1, quantile(high, SHOWN));
    }
  }

  x(step) {
    return LEFT + (step - this.x0) / (this.x1 - this.x0) * (this.width - LEFT - RIGHT);
  }

  y(value) {
    if (value === null || this.options.powers && value <= 0) return NaN;
    const on = this.options.powers ? Math.log : (v => v);
    const share = (on(value) - on(this.y0)) / (on(this.y1) - on(this.y0));
    return HEIGHT - BOTTOM - Math.min(1.02, Math.max(-0.02, share))
      * (HEIGHT - TOP - BOTTOM);
  }

  /** Draw all of it anew. */
  draw() {
    this.width = this.plot.clientWidth;
    if (!this.width || !this.lines.length) return;
    this.scale();
    this.cursor = draw('g', {});
    this.plot.replaceChildren(draw('svg', {
      viewBox: `0 0 ${this.width} ${HEIGHT}`, height: HEIGHT, 'aria-hidden': true,
    }, ...this.axes(), ...this.lines.map(line => this.line(line)), this.cursor));
    this.mark();
  }

  axes() {
    const bottom = HEIGHT - BOTTOM, right = this.width - RIGHT;
    const rows = this.options.powers ? powerTicks(this.y0, this.y1)
      : ticks(this.y0, this.y1, this.options.share ? 4 : 5);
    const columns = ticks(this.x0, this.x1, Math.max(2, this.width / 110))
      .filter(Number.isInteger);
    const half = this.options.half ? [draw('line', {
      class: 'half', x1: LEFT, x2: right, y1: this.y(0.5), y2: this.y(0.5) })] : [];
    return [
      ...rows.flatMap(value => [
        draw('line', { class: 'grid', x1: LEFT, x2: right, y1: this.y(value),
          y2: this.y(value) }),
        draw('text', { x: LEFT - 7, y: this.y(value) + 4, 'text-anchor': 'end' },
          this.text(value)),
      ]),
      ...columns.map(step => draw('text', {
        x: this.x(step), y: bottom + 16,
        'text-anchor': this.x(step) > right - 20 ? 'end' : 'middle' }, count(step))),
      draw('text', { x: right, y: bottom + 31, 'text-anchor': 'end' }, 'step'),
      ...half,
    ];
  }

  line(line) {
    const xs = line.step.map(step => this.x(step));
    const ys = name => line[name].map(value => this.y(value));
    const group = draw('g', { class: line.kind + (line.other ? ' other' : '') });
    if (line.low && !line.other) {
      const known = line.low.map((value, i) => i).filter(i => line.low[i] !== null);
      const edge = (name, order) => path(order.map(i => xs[i]),
        order.map(i => this.y(line[name][i])));
      if (known.length) group.append(draw('path', { class: 'band', d: edge('high', known)
        + edge('low', known.slice().reverse()).replace('M', 'L') + 'Z' }));
    }
    group.append(draw('path', { class: 'mean', d: path(xs, ys('mean')) }));
    if (this.options.best) this.rings(line, group);
    return group;
  }

  /** Mark each value, and the least. */
  rings(line, group) {
    const known = line.mean.map((value, i) => i)
      .filter(i => Number.isFinite(this.y(line.mean[i])));
    const best = known.reduce((a, b) => line.mean[b] < line.mean[a] ? b : a, known[0]);
    for (const i of known) {
      const at = { cx: this.x(line.step[i]), cy: this.y(line.mean[i]) };
      const ring = (name, r) => group.append(draw('circle', { class: name, r, ...at }));
      if (known.length < 60) ring('dot', 2.5);
      if (i === best) ring('best', 6);
    }
  }

  /** Write the values of the step that is pointed at, and mark it. */
  mark() {
    if (!this.lines.length || !this.cursor) return;
    const steps = this.lines[0].step;
    const step = this.at === null ? steps.at(-1) : steps[nearest(steps, this.at)];
    // the place in each line; null: a shorter run has no such step any more
    const places = this.lines.map(line => step > line.step.at(-1) ? null
      : nearest(line.step, step));
    this.write(step, this.lines.map((line, i) => this.told(line, places[i])));
    const dots = this.lines.flatMap((line, i) => this.dot(line, places[i]));
    const x = this.x(step);
    this.cursor.replaceChildren(...(this.at === null ? [] : [draw('line', {
      class: 'cursor', x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }), ...dots]));
  }

  /** Return what is told of a line at a place. */
  told(line, place) {
    if (place === null || line.mean[place] === null) return digits(null);
    const also = line.also ? `, ${line.also[0]} ${digits(line.also[1][place])}` : '';
    return this.text(line.mean[place]) + also;
  }

  /** Return the dot of a line at a place, [] where there is no value. */
  dot(line, place) {
    const y = place === null ? NaN : this.y(line.mean[place]);
    return !Number.isFinite(y) ? [] : [draw('g', { class: line.kind }, draw('circle', {
      class: 'dot', r: 4, cx: this.x(line.step[place]), cy: y }))];
  }

  /** Write a value: a number, or a share as percents. */
  text(value) {
    return this.options.share && value !== null ? `${Math.round(100 * value)} %`
      : digits(value);
  }

  /** Write the texts of all lines at a step. */
  write(step, texts) {
    this.legend.replaceChildren(
      ...this.lines.map((line, i) => make('li', {
        className: line.kind + (line.other ? ' other' : '') },
      `${line.label} `, make('b', { textContent: texts[i] }))),
      make('li', { className: 'at', textContent: `${this.options.best ? ''
        : 'running means '}at step ${count(step)}` }));
    const said = this.lines.map((line, i) => `${line.label} ${texts[i]}`);
    for (const [name, value] of Object.entries({
      'aria-valuemin': this.x0, 'aria-valuemax': this.x1, 'aria-valuenow': step,
      'aria-valuetext': `step ${count(step)}: ${said.join(', ')}`,
    })) {
      this.plot.setAttribute(name, value);
    }
  }
}
