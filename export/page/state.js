// What is taken up: a face {point, y}, and the walk that it is on, {from, to, at} or
// null. All else on the page follows from it, and listens. Faces are never changed.

const QUIET = 150;            // milliseconds without a change until it has settled

const listeners = {change: [], settled: []};
const past = [];
let present = {face: null, walk: null};
let gesture = null, timer;

export const face = () => present.face;
export const walk = () => present.walk;
export const canUndo = () => past.length > 0;

/** Call `listener` after each 'change', or once they have 'settled'. */
export function on(what, listener) {
  listeners[what].push(listener);
}

/**
 * Take up a face. Changes of the same `gesture`, such as a slider's while it is held,
 * are undone together, until the gesture ends.
 */
export function show(newFace, {way = null, of = null} = {}) {
  const goesOn = of !== null && of === gesture;
  if (present.face && !goesOn) past.push(present);
  gesture = of;
  present = {face: newFace, walk: way};
  tell();
}

export function endGesture() {
  gesture = null;
}

/** Go back to what was there before the last change. */
export function undo() {
  if (!canUndo()) return;
  present = past.pop();
  gesture = null;
  tell();
}

function tell() {
  listeners.change.forEach(listener => listener());
  clearTimeout(timer);
  timer = setTimeout(() => listeners.settled.forEach(listener => listener()), QUIET);
}
