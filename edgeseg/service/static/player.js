// One live picture: fragmented MP4 over a WebSocket into Media Source Extensions, as close to now as it goes.
const LATE_S = 0.7; // further behind than this: jump
const HURRY_S = 0.3; // further behind than this: play a little faster
const NEAR_S = 0.05; // where a jump lands, before the newest picture
const KEEP_S = 8; // what stays in the buffer behind the picture
const SILENCE_MS = 2500; // nothing came for so long: say so instead of showing a frozen picture
const BACK_OFF_MS = [0, 250, 500, 1000, 2000, 5000];
const STILL_MS = 1000;
const Media = window.ManagedMediaSource ?? window.MediaSource;

export class Player {
  constructor(box, base) {
    this.box = box;
    this.base = base;
    this.video = box.querySelector("video");
    this.cover = box.querySelector(".cover");
    this.soundButton = box.querySelector(".sound");
    this.reason = "";
    this.over = false; // the stream will not come back by itself
    this.sound = false;
    this.failures = 0;
    this.lastByte = 0;
    this.video.disableRemotePlayback = true;
    this.video.addEventListener("playing", () => this.live());
    this.video.addEventListener("error", () => this.socket?.close());
    this.watch = setInterval(() => this.tick(), 250);
    if (!Media) this.stills();
    else if (!document.hidden) this.connect();
  }

  connect() {
    clearTimeout(this.again);
    if (this.over) {
      this.say();
      this.again = setTimeout(() => this.connect(), 1000);
      return;
    }
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.base}/live.mp4ws?sound=${this.sound ? 1 : 0}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.pending = [];
    this.buffer = null;
    this.opened = performance.now();
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.lastByte = performance.now();
      if (typeof data === "string") this.begin(JSON.parse(data));
      else {
        this.pending.push(data);
        this.feed();
      }
    };
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.socket) return;
      this.socket = null;
      this.closedBecause = code === 1000 || code === 1006 ? "" : reason;
      // 1012: the encoding has changed, a new connection begins with the new one.
      if (code !== 1012) this.say();
      this.failures = performance.now() - this.opened > 5000 || code === 1012 ? 0 : this.failures + 1;
      if (!document.hidden) this.again = setTimeout(() => this.connect(), BACK_OFF_MS[Math.min(this.failures, BACK_OFF_MS.length - 1)]);
    };
  }

  begin({ mime, sound }) {
    this.soundButton.hidden = !sound;
    if (!Media.isTypeSupported(mime)) {
      this.closedBecause = "this browser cannot play it";
      this.socket.close();
      return;
    }
    const media = new Media();
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(media);
    this.video.src = this.address;
    media.addEventListener("sourceopen", () => {
      this.buffer = media.addSourceBuffer(mime);
      this.buffer.addEventListener("updateend", () => {
        this.stayLive();
        this.feed();
      });
      this.feed();
    }, { once: true });
    this.video.muted = !this.sound;
    // A browser may forbid sound before a click; without it playing is always allowed.
    this.video.play().catch(() => {});
  }

  feed() {
    const buffer = this.buffer;
    if (!buffer || buffer.updating || this.video.error) return;
    const ranges = this.video.buffered;
    try {
      if (ranges.length && this.video.currentTime - ranges.start(0) > 2 * KEEP_S) {
        buffer.remove(0, this.video.currentTime - KEEP_S);
      } else if (this.pending.length) {
        const data = this.pending.length === 1 ? this.pending[0] : new Uint8Array(joined(this.pending));
        this.pending = [];
        buffer.appendBuffer(data);
      }
    } catch {
      this.socket?.close(); // the buffer is full or gone: begin anew
    }
  }

  stayLive() {
    const ranges = this.video.buffered;
    if (!ranges.length) return;
    const edge = ranges.end(ranges.length - 1);
    const behind = edge - this.video.currentTime;
    if (behind > LATE_S || behind < -LATE_S) this.video.currentTime = Math.max(ranges.start(ranges.length - 1), edge - NEAR_S);
    else if (behind > HURRY_S) this.video.playbackRate = 1.1;
    else if (behind < HURRY_S / 2) this.video.playbackRate = 1;
    if (this.video.paused) this.video.play().catch(() => {});
  }

  tick() {
    if (!document.hidden && this.socket && performance.now() - Math.max(this.lastByte, this.opened) > SILENCE_MS) this.say();
    else if (this.socket && this.lastByte > this.opened && this.video.readyState >= 2) this.live();
  }

  live() {
    this.closedBecause = "";
    this.box.classList.add("live");
  }

  say() {
    this.box.classList.remove("live");
    const why = this.reason || this.closedBecause || "the stream does not come";
    this.cover.textContent = `no picture: ${why}`;
  }

  toggleSound() {
    this.sound = !this.sound;
    this.soundButton.setAttribute("aria-pressed", String(this.sound));
    this.disconnect();
    this.connect();
  }

  visible(yes) {
    if (!Media) return;
    if (!yes) this.disconnect();
    else if (!this.socket) this.connect();
  }

  disconnect() {
    clearTimeout(this.again);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  close() {
    clearInterval(this.watch);
    this.disconnect();
    if (this.address) URL.revokeObjectURL(this.address);
  }

  // For browsers without Media Source Extensions: one still picture after another.
  stills() {
    const still = new Image();
    still.className = "still";
    still.alt = "Still picture, renewed every second";
    this.video.replaceWith(still);
    this.video = { readyState: 0 };
    const renew = () => { still.src = `${this.base}/snapshot.jpg?${Date.now()}`; };
    still.onload = () => {
      this.live();
      setTimeout(renew, STILL_MS);
    };
    still.onerror = () => {
      this.say();
      setTimeout(renew, 5 * STILL_MS);
    };
    renew();
  }
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return whole;
}
