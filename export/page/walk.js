// The walk from what is taken up to another picture: by hand, by itself, as an animation.

import {$, narrow, pictureButton, say} from './dom.js';
import {draw} from './engine.js';
import {facts} from './facts.js';
import {animation} from './gif.js';
import {fileOfWay} from './names.js';
import {newest} from './newest.js';
import {arc, between} from './numbers.js';
import {FACTOR, makeCanvas, paint, paintLarge, save} from './pictures.js';
import * as stage from './stage.js';
import * as state from './state.js';

const ROUND = 5000;           // milliseconds from one to the other and back
const FRAMES = 48, DELAY = 7; // of the animation; hundredths of a second
const LARGEST = 256;          // pixels of its longer side, about

let goal, choosing = false;
let playing = null;           // what goes by itself, while it goes
let own = false;              // whether the change that is told of is that of play

/** Return the walk that is on, or the one that would begin with what is taken up. */
const way = () => state.walk() || {from: state.face(), to: goal, at: 0};

function faceAt({from, to}, at) {
  if (at <= 0 || at >= 1) return at <= 0 ? from : to;
  return {point: arc(from.point, to.point, at), y: between(from.y, to.y, at)};
}

function step(at, gesture) {
  const {from, to} = way();
  state.show(faceAt({from, to}, at), {way: {from, to, at}, of: gesture});
}

/** Make the controls of the walk; it goes to `first` until another is chosen. */
export function build(first) {
  goal = first;
  const start = pictureButton('to the left picture', () => step(0));
  const end = pictureButton('to the right picture', () => step(1));
  $('another').onclick = () => choose(!choosing);
  $('from').append(start);
  $('to').append(end);
  $('way').oninput = () => step(Number($('way').value), 'way');
  $('way').onchange = state.endGesture;
  $('play').onclick = () => (playing ? halt() : play());
  $('film').onclick = saveFilm;
  document.addEventListener('keydown', event => event.key === 'Escape' && choose(false));
  const ends = newest(async faces => (await draw(faces)).forEach(
    (picture, i) => paint([start, end][i].canvas, picture)));
  const showEnds = () => ends([way().from, way().to]);
  state.on('change', () => {
    $('way').value = way().at;
    if (!own) stop();
  });
  state.on('settled', showEnds);
}

// --- its end -----------------------------------------------------------------------------

function choose(on) {
  if (choosing && !on) say('');
  choosing = on;
  document.body.classList.toggle('choosing', on);
  $('another').setAttribute('aria-pressed', on);
  if (!on) return;
  say('Now click the picture to blend with.', 'status');
  if (narrow()) $('pictures').scrollIntoView({behavior: 'smooth'});
}

/** Take a picture as the end of the walk, if one is being chosen; tell whether it was. */
export function taken(face) {
  if (!choosing) return false;
  choose(false);
  goal = face;
  const {from} = way();
  state.show(from, {way: {from, to: goal, at: 0}});
  say('Drag the handle to go there.');
  $('way').focus();
  return true;
}

// --- by itself ---------------------------------------------------------------------------

function play() {
  const mine = playing = {moved: false};
  setButton();
  const start = performance.now() - ROUND * Math.acos(1 - 2 * way().at) / (2 * Math.PI);
  async function frame(now) {
    if (playing !== mine) return;       // it was stopped since the last frame
    const turn = 2 * Math.PI * (now - start) / ROUND;
    own = true;
    step((1 - Math.cos(turn)) / 2, 'play');
    own = false;
    mine.moved = true;
    await stage.refresh();
    requestAnimationFrame(frame);
  }
  requestAnimationFrame(frame);
}

function stop() {
  playing = null;
  setButton();
}

/** Stop it where it is; Undo goes back to where it began. */
function halt() {
  stop();
  state.endGesture();
}

/** Stop it and go back to where it began. */
function giveUp() {
  const moved = playing && playing.moved;
  halt();
  if (moved) state.undo();
}

function setButton() {
  $('play').textContent = playing ? 'Stop' : 'Play';
}

// --- as an animation -----------------------------------------------------------------------

async function saveFilm() {
  giveUp();
  $('film').disabled = true;
  say('Drawing the animation …');
  const ends = way(), half = FRAMES / 2;
  const shares = Array.from({length: half + 1}, (_, i) => (1 - Math.cos(Math.PI * i / half)) / 2);
  const pictures = await draw(shares.map(at => faceAt(ends, at)));
  const factor = Math.max(1, Math.round(LARGEST / Math.max(facts.height, facts.width)));
  const there = pictures.map(picture => pixels(picture, factor));
  const frames = [...there, ...there.slice(1, half).reverse()];
  save(animation(frames, factor * facts.width, factor * facts.height, DELAY),
    `${fileOfWay(ends.from, ends.to)}.gif`);
  $('film').disabled = false;
  say('The animation is saved among your downloads.');
}

function pixels(picture, factor) {
  const large = makeCanvas(FACTOR), canvas = makeCanvas(factor);
  paintLarge(large, picture, !$('pixels').checked);
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.imageSmoothingQuality = 'high';
  context.drawImage(large, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}
