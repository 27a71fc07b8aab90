// Sliders that move the point along a vector: the directions in which the pictures
// change most, and, one by one, the numbers of z.

import {$, make} from './dom.js';
import {draw} from './engine.js';
import {facts} from './facts.js';
import {newest} from './newest.js';
import {dot, moved} from './numbers.js';
import {makeCanvas, paint} from './pictures.js';
import * as state from './state.js';

const REACH = 4;              // standard deviations of z, to both sides
const MOST = 512;             // numbers of z that have a slider

/** Make the sliders; those of single numbers when they are first looked at. */
export function build() {
  const directions = facts.directions.map(direction => makeSlider(direction));
  directions.forEach(slider => $('directions').append(withEnds(slider)));
  $('change').hidden = directions.length === 0;
  follow(directions);
  state.on('settled', () => showEnds(directions));
  $('every').addEventListener('toggle', buildNumbers, {once: true});
}

function buildNumbers() {
  const numbers = Array.from({length: Math.min(MOST, facts.z_dim)}, (_, i) => {
    const vector = new Float32Array(facts.z_dim);
    vector[i] = 1;
    return makeSlider({name: String(i + 1), vector});
  });
  numbers.forEach(({input, name}) => $('numbers').append(
    make('label', {}, make('span', {}, name), input)));
  follow(numbers);
  numbers.forEach(set);
}

/** Return a slider {input, name, low, high, vector} that moves what is taken up. */
function makeSlider(direction) {
  const input = make('input', {type: 'range', min: -REACH, max: REACH, step: 0.05,
    'aria-label': [direction.name, direction.low && `from ${direction.low} to ${direction.high}`]
      .filter(Boolean).join(', ')});
  input.oninput = () => move(direction, Number(input.value));
  input.onchange = state.endGesture;
  return {...direction, input};
}

function move({name, vector}, value) {
  const {point, y} = state.face();
  state.show({point: moved(point, vector, value), y}, {of: `slider ${name}`});
}

function follow(sliders) {
  state.on('change', () => sliders.forEach(set));
}

function set({input, vector}) {
  input.value = dot(state.face().point, vector);
}

// --- what the ends of a slider would show ----------------------------------------------

function withEnds(slider) {
  slider.ends = [-REACH, REACH].map(value => {
    const canvas = makeCanvas();
    canvas.onclick = () => { move(slider, value); state.endGesture(); };
    canvas.setAttribute('aria-hidden', 'true');
    return canvas;
  });
  const words = make('span', {className: 'words'}, make('span', {}, slider.low || ''),
    make('b', {}, slider.name), make('span', {}, slider.high || ''));
  return make('div', {className: 'direction'}, slider.ends[0],
    make('label', {}, words, slider.input), slider.ends[1]);
}

const showEnds = newest(async sliders => {
  const {point, y} = state.face();
  const faces = sliders.flatMap(({vector}) => [-REACH, REACH].map(
    value => ({point: moved(point, vector, value), y})));
  const pictures = await draw(faces);
  sliders.flatMap(slider => slider.ends).forEach((canvas, i) => paint(canvas, pictures[i]));
});
