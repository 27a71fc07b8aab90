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

/** Say something below the heading, also to a screen reader. */
export function say(text) {
  $('status').textContent = text;
}
