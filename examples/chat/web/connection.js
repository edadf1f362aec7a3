// One WebSocket that comes back by itself.

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30000;
// The server asks for a sign of life after 25 s of silence; so over a minute without a word, the connection is dead even if
// the browser has not noticed (a phone that changed networks).
const SILENCE_MS = 70000;

/// Calls onState("connecting" | "online" | "offline", seconds until the next try, or null) and onMessage(object).
export class Connection {
  #findUrl;
  #onState;
  #onMessage;
  #socket = null;
  #wanted = false;
  #failures = 0;
  #retryTimer = 0;
  #silenceTimer = 0;

  constructor({ findUrl, onState, onMessage }) {
    this.#findUrl = findUrl;
    this.#onState = onState;
    this.#onMessage = onMessage;
    // No need to sit out the wait when the network is known to be back.
    addEventListener("online", () => this.retryNow());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    this.#wanted = true;
    if (this.#socket === null) this.retryNow();
  }

  close() {
    this.#wanted = false;
    this.#failures = 0;
    clearInterval(this.#retryTimer);
    this.#drop();
    this.#onState("offline", null);
  }

  retryNow() {
    if (!this.#wanted || this.#socket !== null) return;
    clearInterval(this.#retryTimer);
    this.#connect();
  }

  /// Gives up this socket, as if the network had, and tries again.
  restart() {
    if (!this.#wanted) return;
    this.#drop();
    this.#retryLater();
  }

  /// The last try led to something: the next wait is a short one again.
  proven() {
    this.#failures = 0;
  }

  send(object) {
    if (this.isOpen) this.#socket.send(JSON.stringify(object));
  }

  async #connect() {
    this.#onState("connecting", null);
    const attempt = {};
    this.#socket = attempt;  // holds the place while the address is looked up
    let url;
    try {
      url = await this.#findUrl();
    } catch {
      if (this.#socket === attempt) this.restart();
      return;
    }
    if (this.#socket !== attempt) return;

    const socket = new WebSocket(url);
    this.#socket = socket;
    const current = () => this.#socket === socket;
    this.#expectWords();
    socket.onopen = () => current() && this.#onState("online", null);
    socket.onclose = () => current() && this.restart();
    socket.onmessage = (event) => {
      if (!current()) return;
      this.#expectWords();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        return;
      }
      this.#onMessage(message);
    };
  }

  #expectWords() {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => this.restart(), SILENCE_MS);
  }

  #drop() {
    clearTimeout(this.#silenceTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close?.();
  }

  #retryLater() {
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Half of the wait is chance: a server that comes back is not run over by all its pages at once.
    const due = Date.now() + longest * (0.5 + Math.random() / 2);
    const tell = () => {
      const left = due - Date.now();
      if (left <= 0) {
        this.retryNow();
      } else {
        this.#onState("offline", Math.ceil(left / 1000));
      }
    };
    clearInterval(this.#retryTimer);
    this.#retryTimer = setInterval(tell, 250);
    tell();
  }
}
