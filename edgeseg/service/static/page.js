// The page: one card per stream, told by /api/streams, with the live picture over a WebSocket.
import { Player } from "/static/player.js";

const POLL_MS = 2000;
const STATES = {
  starting: "starting",
  running: "running",
  backing_off: "trying again",
  failed: "failed",
  stopped: "stopped",
};

const cards = new Map();
const summary = document.getElementById("summary");
let needsToken = false;
const list = document.getElementById("streams");

// The token did its work (the answer set a cookie): out of the address bar and the history with it.
if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname);

class Card {
  constructor(name) {
    const root = document.getElementById("card").content.cloneNode(true).firstElementChild;
    const base = `/streams/${name}`;
    const flv = new URL(`${base}/live.flv`, location.href).href;
    this.root = root;
    this.before = null;
    root.setAttribute("aria-label", `Stream ${name}`);
    this.find("h2").textContent = name;
    this.find("video").setAttribute("aria-label", `Live picture of ${name}`);
    this.find(".snapshot").href = `${base}/snapshot.jpg`;
    this.find(".flv").href = flv;
    this.find(".copy").addEventListener("click", (event) => copy(event.target, `ffplay -flags low_delay '${flv}${needsToken ? "?token=YOUR_TOKEN" : ""}'`));
    this.find(".full").addEventListener("click", () => fullScreen(this.find(".picture")));
    this.player = new Player(this.find(".picture"), base);
    this.find(".sound").addEventListener("click", () => this.player.toggleSound());
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  show(stream) {
    const badge = this.find(".badge");
    badge.textContent = STATES[stream.state] ?? stream.state;
    badge.dataset.state = stream.state;
    badge.title = stream.reason;
    this.player.over = stream.state === "stopped" || stream.state === "failed";
    this.player.reason = stream.reason || (stream.state === "running" ? "" : STATES[stream.state]);
    this.fact("fps", stream.fps > 0 ? `${stream.fps.toFixed(1)} fps` : "–");
    this.fact("latency", milliseconds(stream.latency, this.before?.latency));
    this.fact("mask", milliseconds(stream.mask_age, this.before?.mask_age));
    this.fact("size", stream.width > 0 ? `${stream.width} × ${stream.height}` : "–");
    this.find(".outputs").replaceChildren(...stream.outputs.map(output));
    this.before = stream;
  }

  fact(name, text) {
    this.find(`[data-fact="${name}"]`).textContent = text;
  }
}

// Mean of what was measured since the last poll.
function milliseconds(now, before) {
  const count = now.count - (before?.count ?? 0);
  if (count <= 0) return "–";
  return `${(((now.seconds - (before?.seconds ?? 0)) / count) * 1000).toFixed(0)} ms`;
}

function output(status) {
  const item = element("li", "");
  item.dataset.state = status.state;
  const dot = element("span", "dot");
  dot.setAttribute("role", "img");
  dot.setAttribute("aria-label", STATES[status.state] ?? status.state);
  const where = element("span", "where", status.where);
  where.title = status.where;
  item.append(dot, element("span", "", status.name), where, element("span", "told", told(status)));
  if (status.reason) item.append(element("span", "why", status.reason));
  return item;
}

function told(status) {
  if (status.kind === "viewers") return status.viewers === 1 ? "1 viewer" : `${status.viewers} viewers`;
  const megabytes = status.sent_bytes / 1e6;
  const sent = megabytes < 1000 ? `${megabytes.toFixed(1)} MB` : `${(megabytes / 1000).toFixed(2)} GB`;
  const dropped = status.dropped_tags > 0 ? `${status.dropped_tags} dropped` : "";
  return [sent, dropped, status.activity].filter(Boolean).join(", ");
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

async function copy(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    // Without https a browser may refuse the clipboard: show what was to be copied.
    window.prompt("copy this:", text);
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

function fullScreen(picture) {
  if (document.fullscreenElement) document.exitFullscreen();
  else picture.requestFullscreen?.();
}

function render(report) {
  needsToken = report.needs_token;
  const seen = new Set();
  for (const stream of report.streams) {
    seen.add(stream.name);
    if (!cards.has(stream.name)) {
      const card = new Card(stream.name);
      cards.set(stream.name, card);
      list.append(card.root);
    }
    cards.get(stream.name).show(stream);
  }
  for (const [name, card] of cards) {
    if (seen.has(name)) continue;
    card.player.close();
    card.root.remove();
    cards.delete(name);
  }
  const running = report.streams.filter((stream) => stream.state === "running").length;
  summary.textContent = `${running} of ${report.streams.length} streams running · up ${duration(report.uptime_s)} · version ${report.version}`;
  document.title = running === report.streams.length ? "edgeseg" : `(!) edgeseg`;
}

function duration(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

async function poll() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/api/streams", { signal: AbortSignal.timeout(5000) });
      if (answer.ok) render(await answer.json());
      else summary.textContent = (await answer.text()).trim();
    } catch {
      summary.textContent = "the daemon does not answer, trying again";
      document.title = "(!) edgeseg";
    }
  }
  setTimeout(poll, POLL_MS);
}

document.addEventListener("visibilitychange", () => {
  for (const card of cards.values()) card.player.visible(!document.hidden);
});
poll();
