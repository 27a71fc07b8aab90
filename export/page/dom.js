// Small helps for the document.

import {makeCanvas} from './pictures.js';

export const $ = id => document.getElementById(id);

/** Return a new element with properties, attributes (aria-…, role) and what is in it. */
export function make(tag, properties = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...inside);
  return element;
}

/** Return a button that shows a picture; its canvas is `button.canvas`. */
export function pictureButton(label, onclick) {
  const canvas = makeCanvas();
  const button = make('button', {
    type: 'button', className: 'picture', 'aria-label': label, onclick}, canvas);
  return Object.assign(button, {canvas});
}

const READ = 8000;            // milliseconds that a message stays
let timer;

/**
 * Say something, also to a screen reader; not for long. It stands below the large picture
 * ('done') or above the sheet ('status'), where a line is kept free for it.
 */
export function say(text, where = 'done') {
  const show = words => ['done', 'status'].forEach(id => {
    $(id).textContent = id === where ? words : '';
  });
  show(text);
  clearTimeout(timer);
  timer = setTimeout(() => show(''), READ);
}

/** Whether the sheet, the picture and its controls stand one below the other. */
export const narrow = () => innerWidth < 700;
