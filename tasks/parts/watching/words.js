// Numbers and times as a person reads them; elements with text, never with markup.

/** Make an element with these properties and children; texts stay texts. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Set a property only where it differs, so that screen readers say only news. */
export function set(element, name, value) {
  if (element[name] !== value) element[name] = value;
}

/** Write a count with commas: 12,345. */
export function count(number) {
  return Math.round(number).toLocaleString('en');
}

/** Write a number with three digits or so: 0.0123, 1.23, 123, 12,345, 1.2e+9. */
export function digits(number) {
  if (number === null || number === undefined) return '–';
  const size = Math.abs(number);
  if (size >= 1e6 || size && size < 0.001) return number.toExponential(1);
  if (size >= 1000) return count(number);
  return String(Number(number.toPrecision(3)));
}

/** Write a span of seconds: 40 s, 12 min, 3 h 20 min, 2 days 4 h. */
export function span(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days ${hours % 24} h`;
}
