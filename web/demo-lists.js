// Lists of the demo page. Their elements are kept from one state to the next, so that the focus, and what a screen reader has read, stay.

export const fromTemplate = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** Makes these items the list's children, in this order. */
export function arrange(list, items) {
  const wanted = new Set(items);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  items.forEach((item, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
}

/**
 * Changes the list. When the focused button is gone then, or can no longer be pressed, the focus goes to the next one, else to one before it, else
 * to `heading`; the browser would begin again at the top of the page.
 */
export function keepingFocus(list, heading, change) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const items = [...list.children];
  const place = items.findIndex((item) => item.contains(focused));
  change();
  if (focused === null || (focused.isConnected && !focused.disabled)) return;
  const near = [...items.slice(place), ...items.slice(0, place).reverse()].filter((item) => item.isConnected);
  const button = near.map((item) => item.querySelector("button:enabled")).find((found) => found !== null);
  (button ?? heading).focus();
}
