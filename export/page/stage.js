// The picture that is taken up, large, and what is done with it as a whole.

import * as address from './address.js';
import {$, say} from './dom.js';
import {draw} from './engine.js';
import {facts} from './facts.js';
import {fileOf, originOf} from './names.js';
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

/** Take up a picture; the browser's Back returns to the one before. */
export function take(face) {
  writeAddress();
  state.show(face);
  if ('#' + addressNow() !== location.hash) history.pushState(null, '', '#' + addressNow());
}

export function build() {
  canvas.setAttribute('role', 'img');
  $('large').prepend(canvas);
  $('undo').onclick = undo;
  $('save').onclick = savePicture;
  $('share').onclick = sharePicture;
  $('share').hidden = !canShare();
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
  const origin = originOf(state.face());
  const text = origin ? `picture ${origin.n} of seed ${origin.seed}` : 'your changed picture';
  $('caption').textContent = text[0].toUpperCase() + text.slice(1);
  canvas.setAttribute('aria-label', `${text}, large`);
}

/** Return the text behind # for what is taken up. */
export function addressNow() {
  const {point, y} = state.face();
  return address.write(originOf(state.face())
    || {seed: sheet.seedNow(), numbers: [...point, ...y]});
}

export function writeAddress() {
  history.replaceState(null, '', '#' + addressNow());
}

// --- out of the page -----------------------------------------------------------------

/** Return the large picture as a file. */
async function file() {
  await refresh();
  const blob = await new Promise(done => canvas.toBlob(done, 'image/png'));
  return new File([blob], `${fileOf(state.face())}.png`, {type: 'image/png'});
}

async function savePicture() {
  const picture = await file();
  save(picture, picture.name);
  say('The picture is saved among your downloads.');
}

function canShare() {
  const files = [new File([''], 'a.png', {type: 'image/png'})];
  return Boolean(navigator.canShare && navigator.canShare({files}));
}

async function sharePicture() {
  try {
    await navigator.share({files: [await file()]});
  } catch (error) {
    if (error.name !== 'AbortError') say('It could not be shared; Save picture can save it.');
  }
}

async function copyLink() {
  const here = location.protocol === 'file:'
    ? ' It works only on this computer; for a friend: Save picture.' : '';
  writeAddress();
  try {
    await navigator.clipboard.writeText(location.href);
    say('Copied.' + here);
  } catch (error) {
    say('Copy the address above: it is the link to this picture.' + here);
  }
}
