// Where a picture comes from: which one of which seed, or changed here; and what a file
// with it is called.

import {facts} from './facts.js';

const origins = new WeakMap();      // of each face: {seed, n}
const changed = new WeakMap();      // of each other one that was saved: its number
let count = 0;

/** Remember that a face is picture n of a seed; return it. */
export function keep(face, seed, n) {
  origins.set(face, {seed, n});
  return face;
}

/** Return {seed, n} of a face, or undefined where it was changed. */
export const originOf = face => origins.get(face);

/** Return the name of a file with a face, without what tells its kind. */
export const fileOf = face => `${facts.name}-${short(face)}`;

/** Return that of a file with the way from one to another. */
export function fileOfWay(from, to) {
  const [start, end] = [from, to].map(originOf);
  const there = start && end && start.seed === end.seed ? end.n : short(to);
  return `${fileOf(from)}-to-${there}`;
}

function short(face) {
  const origin = originOf(face);
  if (origin) return `${origin.seed}-${origin.n}`;
  if (!changed.has(face)) changed.set(face, ++count);
  return `changed-${changed.get(face)}`;
}
