// What a browser tells about the network and about the user. Outside of a browser nothing is told.

const SIGNS_OF_THE_USER = ["pointerdown", "keydown"];

/**
 * Calls `online` and `offline` when the device gets or loses its network, `doubtful` when connections may have died without a word (another
 * network, a tab or a device that slept), `active` at every sign of the user, `visible` when the page is shown or hidden. Returns what ends it.
 */
export function watchSurroundings({ online, offline, doubtful, active, visible }) {
  const watching = new AbortController();
  const on = (target, type, body) => target?.addEventListener?.(type, body, { passive: true, signal: watching.signal });
  on(globalThis, "online", online);
  on(globalThis, "offline", offline);
  on(globalThis.navigator?.connection, "change", doubtful);
  for (const sign of SIGNS_OF_THE_USER) on(globalThis, sign, active);
  on(globalThis.document, "visibilitychange", () => {
    visible();
    if (document.visibilityState !== "visible") return;
    doubtful();
    active();
  });
  return () => watching.abort();
}
