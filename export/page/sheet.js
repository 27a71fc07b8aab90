// The sheet of pictures: a row of pictures for each kind where there are labels, else
// all together. Picture n is the same for a seed on every machine.

import {$, make, narrow, pictureButton} from './dom.js';
import {draw} from './engine.js';
import {facts} from './facts.js';
import {keep} from './names.js';
import {generator, normals} from './numbers.js';
import {paint} from './pictures.js';
import * as state from './state.js';

const FEW = 24;               // pictures without labels on a narrow screen
const SHORT = 4;              // letters of a name that fits beside its row everywhere
const PIECE = 8;              // pictures that appear together

const kinds = facts.kinds.length ? facts.kinds : [{name: '', y: []}];
const perKind = kinds.length === 1 && narrow() ? FEW : facts.per_kind;
let seed, faces = [], buttons = [];

export const seedNow = () => seed;
export const faceAt = n => faces[n];
export const numberOf = face => faces.indexOf(face);

/** Return the face of a picture of a seed, also of one that the sheet has no room for. */
export function faceOf(ofSeed, n) {
  const random = generator(ofSeed);
  const column = kinds.length === 1 ? n : n % perKind;
  for (let i = 0; i < column; i++) normals(random, facts.z_dim);
  const y = kinds[kinds.length === 1 ? 0 : Math.floor(n / perKind) % kinds.length].y;
  return keep({point: normals(random, facts.z_dim), y: Float32Array.from(y)}, ofSeed, n);
}

/** Show the sheet that was drawn beforehand, if there is one, and it is that of a seed. */
export async function preview(ofSeed) {
  const image = $('preview');
  if (!image) return;
  image.remove();
  if (ofSeed !== facts.seed) return;
  await image.decode();
  const {height, width} = facts, columns = image.width / width;
  buttons.forEach(({canvas}, n) => canvas.getContext('2d').drawImage(
    image, n % columns * width, Math.floor(n / columns) * height, width, height,
    0, 0, width, height));
}

/** Make the buttons; `onpick` is called with the face of the one that is pressed. */
export function build(onpick) {
  buttons = kinds.flatMap((kind, k) => {
    const row = Array.from({length: perKind}, (_, i) => {
      const n = k * perKind + i;
      return pictureButton(nameOf(n, kind), () => onpick(faces[n]));
    });
    $('sheet').append(make('div', {className: 'kind', role: 'group',
      'aria-label': kind.name || 'pictures'},
    ...(kind.name ? [make('h3', {}, kind.name)] : []),
    make('div', {className: 'pictures'}, ...row)));
    return row;
  });
  buttons.forEach((button, n) => { button.tabIndex = n ? -1 : 0; });
  $('sheet').classList.toggle('kinds', kinds.length > 1);
  $('sheet').classList.toggle('long', kinds.some(({name}) => name.length > SHORT));
  $('sheet').style.setProperty('--columns', facts.columns);
  $('sheet').addEventListener('keydown', go);
  state.on('change', mark);
}

function nameOf(n, kind) {
  return `picture ${n}${kind.name ? ', ' + kind.name : ''}`;
}

/** Draw the sheet of a seed; it ends early where another one is asked for meanwhile. */
export async function show(newSeed) {
  seed = newSeed;
  const random = generator(seed);
  const points = Array.from({length: perKind}, () => normals(random, facts.z_dim));
  const mine = faces = kinds.flatMap(kind => points.map(
    point => ({point, y: Float32Array.from(kind.y)})));
  faces.forEach((face, n) => keep(face, seed, n));
  mark();
  for (let i = 0; i < mine.length; i += PIECE) {
    const pictures = await draw(mine.slice(i, i + PIECE));
    if (mine !== faces) return;
    pictures.forEach((picture, j) => paint(buttons[i + j].canvas, picture));
  }
}

/** Show which picture is taken up. */
function mark() {
  const n = numberOf(state.face());
  buttons.forEach((button, i) => {
    if (i === n) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  });
}

// --- arrow keys: the sheet is one stop of the Tab key --------------------------------

const STEPS = {
  ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: columns, ArrowUp: () => -columns(),
  Home: () => -Infinity, End: () => Infinity,
};

function go(event) {
  const at = buttons.indexOf(document.activeElement);
  if (at < 0 || !(event.key in STEPS)) return;
  event.preventDefault();
  const to = Math.max(0, Math.min(buttons.length - 1, at + STEPS[event.key]()));
  buttons[at].tabIndex = -1;
  buttons[to].tabIndex = 0;
  buttons[to].focus();
}

/** Return how many pictures stand in the first line. */
function columns() {
  const top = buttons[0].offsetTop;
  const next = buttons.findIndex(button => button.offsetTop !== top);
  return next < 0 ? buttons.length : next;
}
