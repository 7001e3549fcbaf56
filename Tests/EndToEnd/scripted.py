"""web/hub-client.js in Chromium against scripted sockets and requests: no hub, no network but the page's own files."""

import functools
import http.server
import threading

from browser import Browser
from protocol import ROOT

SCRIPTED = """
(async () => {
  const hub = window.hub = await import("/hub-client.js");
  window.sockets = [];
  window.WebSocket = class Scripted {
    static OPEN = 1;
    constructor(url, protocols) { Object.assign(this, { url, protocols, readyState: 0, said: [] }); window.sockets.push(this); }
    send(text) { this.said.push(JSON.parse(text)); }
    close(code) { this.readyState = 3; this.closedWith = code; }
    opens() { this.readyState = 1; this.onopen(); }
    says(...frames) { this.onmessage({ data: frames.map((f) => JSON.stringify(f)).join("\\n") }); }
    ends(code) { this.readyState = 3; this.onclose({ code }); }
    last(type) { return this.said.findLast((c) => c.type === type); }
    answers(type, ok = {}) { this.says({ re: this.last(type).id, ok }); }
  };
  window.requests = [];
  window.fetch = (url, { method = "GET", headers, body, signal }) => new Promise((resolve, reject) => {
    const request = { path: new URL(url).pathname, search: new URL(url).search, method, headers, body, isAborted: false, isAnswered: false };
    request.said = request.path.endsWith("/commands") ? body.split("\\n").map((line) => JSON.parse(line)) : [];
    request.fails = () => reject(new TypeError("failed to fetch"));
    request.answers = (status, body, type = "application/json") => {
      request.isAnswered = true;
      resolve(new Response(body, { status, headers: { "content-type": type } }));
    };
    request.replies = (...frames) => request.answers(200, frames.map((f) => JSON.stringify(f) + "\\n").join(""), "application/x-ndjson");
    request.streams = () => {
      const body = new ReadableStream({ start: (controller) => (request.controller = controller) });
      request.answers(200, body, "text/event-stream; charset=utf-8");
    };
    request.says = (text) => request.controller.enqueue(new TextEncoder().encode(text));
    request.ends = () => request.controller.close();
    signal.addEventListener("abort", () => {
      request.isAborted = true;
      reject(new DOMException("aborted", "AbortError"));
      try { request.controller?.error(new DOMException("aborted", "AbortError")); } catch {}
    });
    window.requests.push(request);
  });
  window.tokens = 0;
  window.heard = [];
  window.makeClient = (options = {}) => {
    const client = new hub.HubClient({ url: "ws://x/v1/socket", getToken: async ({ fresh }) => `${++window.tokens}${fresh ? " fresh" : ""}`, ...options });
    for (const type of ["entry", "state", "live", "transport", "reset", "refused", "tokenfailed"])
      client.addEventListener(type, ({ detail }) => window.heard.push(["reset", "refused", "tokenfailed"].includes(type) ? { type, ...detail } : detail));
    return client;
  };
  window.client = makeClient();
  window.settle = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));
  window.welcome = (id, more) => ({ re: id, ok: { session: "s", user: "u", tokenTtlMs: 3600000, pingIntervalMs: 25000, channels: [], ...more } });
  window.entry = (seq, more) => ({ type: "entry", channel: "inbox", seq, kind: "notification", ...more });
  /** Goes on when it is true, or after two seconds: a slow machine shall not decide. */
  window.comes = async (condition) => { for (let n = 0; n < 400 && !condition(); n++) await settle(); };
  window.connect = async (more) => {
    await comes(() => sockets.at(-1)?.readyState === 0); const socket = sockets.at(-1);
    socket.opens(); await comes(() => socket.last("connect"));
    socket.says(welcome(socket.last("connect").id, more)); await settle(); return socket;
  };
  window.lastRequest = (path) => requests.findLast((r) => r.path === `/v1/${path}`);
  /** Answers the command `connect` over HTTP; the request by which the session listens then. */
  window.connectOverHTTP = async (path) => {
    const connecting = () => requests.findLast((r) => r.said[0]?.type === "connect" && !r.isAnswered && !r.isAborted);
    await comes(connecting); const request = connecting(); const before = requests.length;
    request.replies(welcome(request.said[0].id, { credential: "secret" }));
    await comes(() => requests.slice(before).some((r) => r.path === `/v1/${path}`)); await settle(); return lastRequest(path);
  };
  window.seqs = () => heard.filter((f) => f.type === "entry").map((f) => f.seq);
  window.states = () => heard.filter((h) => h.state).map((h) => h.state);
})()
"""


class WebFolder:
    """The folder web/ on a port of its own."""

    def __enter__(self):
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Quiet, directory=ROOT / "web"))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


async def scripted(script):
    """The result of the script, run in a page with a scripted `WebSocket` and `fetch`."""
    with WebFolder() as folder:
        browser = await Browser.start()
        try:
            page = await browser.open(folder.url + "/icon.svg")
            await page.evaluate(SCRIPTED)
            return await page.evaluate(f"(async () => {{ {script} }})()")
        finally:
            await browser.close()
