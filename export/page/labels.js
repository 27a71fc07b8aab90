// Labels: a button for each class, which shows the same z as that class; or a switch for
// each attribute.

import {$, make, pictureButton} from './dom.js';
import {draw} from './engine.js';
import {facts} from './facts.js';
import {newest} from './newest.js';
import {paint} from './pictures.js';
import * as state from './state.js';

const PICTURED = 24;          // classes that are shown as pictures, not only by name

const without = name => facts.names.map(other => other === name ? 1 : 0);

export function build() {
  $('labels').hidden = facts.labels === 'none';
  if (facts.labels === 'attributes') buildSwitches();
  if (facts.labels === 'classes') buildButtons();
}

function take(y) {
  state.show({point: state.face().point, y: Float32Array.from(y)});
}

// --- attributes ------------------------------------------------------------------------

function buildSwitches() {
  const boxes = facts.names.map(name => make('input', {type: 'checkbox', role: 'switch'}));
  boxes.forEach((box, i) => {
    box.onchange = () => take(boxes.map(other => other.checked ? 1 : -1));
    $('kinds').append(make('label', {className: 'switch'}, box, facts.names[i]));
  });
  state.on('change', () => boxes.forEach((box, i) => { box.checked = state.face().y[i] > 0; }));
}

// --- classes ---------------------------------------------------------------------------

function buildButtons() {
  const pictured = facts.names.length <= PICTURED;
  const buttons = facts.names.map(name => makeButton(name, pictured));
  $('kinds').append(...buttons);
  state.on('change', () => buttons.forEach((button, i) => button.setAttribute(
    'aria-pressed', state.face().y[i] > 0.5)));
  if (!pictured) return;
  const redraw = newest(async ({point}) => {
    const pictures = await draw(facts.names.map(name => ({point, y: without(name)})));
    pictures.forEach((picture, i) => paint(buttons[i].canvas, picture));
  });
  state.on('settled', () => redraw(state.face()));
}

function makeButton(name, pictured) {
  const onclick = () => take(without(name));
  if (!pictured) return make('button', {type: 'button', onclick}, name);
  const button = pictureButton(name, onclick);
  button.append(make('span', {}, name));
  return button;
}
