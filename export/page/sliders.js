// Sliders that move the point along a vector: the directions in which the pictures
// change most, and, one by one, the numbers of z.

import {$, make, pictureButton} from './dom.js';
import {draw} from './engine.js';
import {facts} from './facts.js';
import {newest} from './newest.js';
import {dot, moved} from './numbers.js';
import {paint} from './pictures.js';
import * as state from './state.js';

const REACH = 4;              // standard deviations of z, to both sides
const SHORT = 2;              // of an attribute: further out faces break
const MOST = 512;             // numbers of z that have a slider

/** Make the sliders; those of single numbers when they are first looked at. */
export function build() {
  const directions = facts.directions.map(direction => makeSlider(direction));
  directions.forEach(slider => $('directions').append(withEnds(slider)));
  $('change').hidden = directions.length === 0;
  $('together').hidden = !facts.directions.some(({attribute}) => attribute);
  follow(directions);
  state.on('settled', () => showEnds(directions));
  $('every').addEventListener('toggle', buildNumbers, {once: true});
  $('every').addEventListener('toggle', () => {
    if ($('every').open) $('every').scrollIntoView({block: 'nearest'});
  });
  if (facts.z_dim > MOST) {
    $('every-name').textContent = `The first ${MOST} of the ${facts.z_dim} numbers behind it`;
  }
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

/** Return a slider {input, name, low, high, vector, reach} that moves what is taken up. */
function makeSlider(direction) {
  const reach = direction.attribute ? SHORT : REACH;
  const input = make('input', {type: 'range', min: -reach, max: reach, step: 0.05, value: 0,
    'aria-label': [direction.name, direction.low && `from ${direction.low} to ${direction.high}`]
      .filter(Boolean).join(', ')});
  input.oninput = () => move(direction, Number(input.value));
  input.onchange = state.endGesture;
  return {...direction, reach, input};
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

const endsOf = ({reach}) => [-reach, reach];

function withEnds(slider) {
  const {name, low, high, input} = slider;
  slider.ends = endsOf(slider).map((value, i) => {
    const button = pictureButton([name, [low, high][i] || `end ${i + 1}`].join(', '),
      () => { move(slider, value); state.endGesture(); });
    return Object.assign(button, {title: 'jump there'});
  });
  const words = make('span', {className: 'words'}, make('span', {}, low || ''),
    make('b', {}, name), make('span', {}, high || ''));
  return make('div', {className: 'direction'}, slider.ends[0],
    make('label', {}, words, input), slider.ends[1]);
}

const showEnds = newest(async sliders => {
  const {point, y} = state.face();
  const faces = sliders.flatMap(slider => endsOf(slider).map(
    value => ({point: moved(point, slider.vector, value), y})));
  const pictures = await draw(faces);
  sliders.flatMap(({ends}) => ends).forEach(
    ({canvas}, i) => paint(canvas, pictures[i]));
});
