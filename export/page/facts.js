// What the page carries: facts of the network, and large parts as text.

const found = id => document.getElementById(id);

export const facts = JSON.parse(found('facts').textContent);

/** Return a large part of the page as text, and free its memory. */
export function part(id) {
  const text = found(id).textContent.trim();
  found(id).remove();
  return text;
}
