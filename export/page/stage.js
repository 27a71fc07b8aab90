// The picture that is taken up, large, and what is done with it as a whole.

import * as address from './address.js';
import {$, say} from './dom.js';
import {draw} from './engine.js';
import {facts} from './facts.js';
import {newest} from './newest.js';
import {FACTOR, makeCanvas, paintLarge, save} from './pictures.js';
import * as sheet from './sheet.js';
import * as state from './state.js';

const canvas = makeCanvas(FACTOR);

const redraw = newest(async face => {
  const [picture] = await draw([face]);
  paintLarge(canvas, picture, !$('pixels').checked);
});

/** Draw what is taken up; ends when the newest is shown. */
export const refresh = () => redraw(state.face());

export function build() {
  canvas.setAttribute('role', 'img');
  $('large').append(canvas);
  $('undo').onclick = undo;
  $('save').onclick = savePicture;
  $('link').onclick = copyLink;
  $('pixels').onchange = setPixels;
  setPixels();
  document.addEventListener('keydown', event => {
    const inText = event.target.matches('input[type=number]');
    if ((event.ctrlKey || event.metaKey) && event.key === 'z' && !inText) {
      event.preventDefault();
      undo();
    }
  });
  state.on('change', () => {
    $('undo').disabled = !state.canUndo();
    name();
    refresh();
  });
  state.on('settled', writeAddress);
}

function undo() {
  if (!state.canUndo()) return;
  state.undo();
  say('Undone.');
}

function setPixels() {
  document.body.classList.toggle('pixels', $('pixels').checked);
  if (state.face()) refresh();
}

// --- its name and its address --------------------------------------------------------

function name() {
  const n = sheet.numberOf(state.face());
  const text = n < 0 ? 'a changed picture' : `picture ${n} of seed ${sheet.seedNow()}`;
  $('caption').textContent = text[0].toUpperCase() + text.slice(1);
  canvas.setAttribute('aria-label', `${text}, large`);
}

/** Return the text behind # for what is taken up. */
export function addressNow() {
  const face = state.face(), n = sheet.numberOf(face);
  return address.write(n < 0 ? {seed: sheet.seedNow(), numbers: [...face.point, ...face.y]}
    : {seed: sheet.seedNow(), n});
}

export function writeAddress() {
  history.replaceState(null, '', '#' + addressNow());
}

// --- out of the page -----------------------------------------------------------------

async function savePicture() {
  await refresh();
  canvas.toBlob(blob => save(blob, `${facts.name}.png`), 'image/png');
  say('The picture is saved among your downloads.');
}

async function copyLink() {
  writeAddress();
  const local = location.protocol === 'file:' ? ' It opens where this file lies.' : '';
  try {
    await navigator.clipboard.writeText(location.href);
    say('The link to this picture is copied.' + local);
  } catch (error) {
    say('Copy the address above: it is the link to this picture.' + local);
  }
}
