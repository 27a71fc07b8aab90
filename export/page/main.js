// Starts the page: the network first, then the sheet, then the picture that the address
// names. Everything happens in the browser; no request leaves the page.

import * as address from './address.js';
import {$, narrow, say} from './dom.js';
import * as engine from './engine.js';
import {facts} from './facts.js';
import * as labels from './labels.js';
import {originOf} from './names.js';
import * as neighbours from './neighbours.js';
import * as sheet from './sheet.js';
import * as sliders from './sliders.js';
import * as stage from './stage.js';
import * as state from './state.js';
import * as walk from './walk.js';

/** Take up a picture of the sheet, or end the walk with it. */
function pick(face) {
  if (walk.taken(face)) return;
  stage.take(face);
  if (narrow()) $('stage').scrollIntoView({behavior: 'smooth'});
}

/** Return {seed, n, numbers} of the address; a link without a seed is of the run's. */
function wanted() {
  const found = address.read(location.hash, facts.z_dim + facts.names.length);
  return {...found, seed: found.seed ?? facts.seed};
}

/** Show the sheet and the picture that the address names, the first ones without it. */
async function follow() {
  const found = wanted(), {seed} = found;
  $('seed').value = seed;
  const drawn = seed === sheet.seedNow() ? null : sheet.show(seed);
  state.show(named(found));
  await drawn;
}

function named({seed, n, numbers}) {
  if (numbers) {
    return {point: numbers.slice(0, facts.z_dim), y: numbers.slice(facts.z_dim)};
  }
  return sheet.faceAt(n ?? 0) || sheet.faceOf(seed, n % 10000);
}

/** Show the pictures of a seed, and take up the first; one that was changed is kept. */
async function showSeed(seed) {
  const kept = !originOf(state.face());
  $('seed').value = seed;
  const drawn = sheet.show(seed);
  if (kept) $('caption').textContent = 'Your picture is kept';
  else stage.take(sheet.faceAt(0));
  await drawn;
  stage.writeAddress();
  say(`Seed ${seed}.${kept ? ' Your picture is kept.' : ''}`, 'status');
}

/** Show those of the seed that was typed, if it is one. */
function readSeed() {
  const text = $('seed').value, seed = Number(text);
  if (text !== '' && Number.isInteger(seed) && seed >= 0 && seed < address.SEEDS) {
    return showSeed(seed);
  }
  $('seed').value = sheet.seedNow();
  say(`A seed is a whole number from 0 to ${address.SEEDS - 1}.`, 'status');
}

function build() {
  sheet.build(pick);
  $('seed').onchange = readSeed;
  $('fresh').onclick = () => showSeed(Math.floor(Math.random() * 1e6));
  stage.build();
  labels.build();
  sliders.build();
  neighbours.build();
}

async function start() {
  build();
  await sheet.preview(wanted().seed);
  try {
    await engine.start();
  } catch (error) {
    $('status').textContent = `This browser cannot run the network: ${error.message}`;
    throw error;
  }
  const drawn = follow();
  walk.build(sheet.faceAt(1));
  $('tools').disabled = false;
  await drawn;
  say('');
  window.addEventListener('hashchange', follow);
  window.dcgan = {facts, draw: engine.draw};       // for the console
  document.body.dataset.ready = 'true';
}

start();
