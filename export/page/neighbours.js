// More like this: pictures whose z are near.

import {$, pictureButton} from './dom.js';
import {draw} from './engine.js';
import {newest} from './newest.js';
import {generator, near} from './numbers.js';
import {paint} from './pictures.js';
import * as stage from './stage.js';
import * as state from './state.js';

const COUNT = 8;

let faces = [], round = 0;

export function build() {
  const buttons = Array.from({length: COUNT}, (_, i) =>
    pictureButton(`like this, ${i + 1}`, () => faces[i] && stage.take(faces[i])));
  $('neighbours').append(...buttons);
  const redraw = newest(async wanted => {
    const pictures = await draw(wanted);
    faces = wanted;
    pictures.forEach((picture, i) => paint(buttons[i].canvas, picture));
  });
  const refresh = () => redraw(around(state.face()));
  $('others').onclick = () => { round++; refresh(); };
  $('nearness').oninput = refresh;
  state.on('settled', refresh);
}

function around({point, y}) {
  const random = generator(round), share = Number($('nearness').value);
  return Array.from({length: COUNT}, () => ({point: near(point, random, share), y}));
}
