// The chat: what the server says, what the person does, and what follows from each.

import { Connection } from "./connection.js";
import * as view from "./view.js";

const { byId } = view;
const ROOMS = ["lobby", "garden", "workshop"];
const ANSWER_MS = 10000;
const LOOK_AGAIN_MS = 3000;

const self = { name: "", room: "", key: "" };
const people = new Map();  // name: "page" or "terminal"
let peopleCount = 0;
let rooms = [...ROOMS];
let inside = false;        // in self.room, as far as the server has said
let wish = null;           // { name, room } that was asked for and not answered yet
let early = [];            // what came while waiting for that answer
let answerTimer = 0;
let lookTimer = 0;
let privateTo = null;

const connection = new Connection({ findUrl, onState, onMessage });

async function findUrl() {
  const response = await fetch("config.json", { signal: AbortSignal.timeout(ANSWER_MS) });
  const { websocket_port: port } = await response.json();
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${location.hostname}:${port}/`;
}

function onState(state, secondsToRetry) {
  view.showState(state, secondsToRetry);
  if (state === "online") {
    ask(wish ?? { name: self.name, room: self.room });
    return;
  }
  if (inside) {
    inside = false;
    view.addNotice("Connection lost. You will be back in this room as soon as it returns.", Date.now());
  }
  if (wish === null && self.name !== "") wish = { name: self.name, room: self.room };
  clearTimeout(answerTimer);
  showSendable();
}

function ask(what) {
  wish = what;
  early = [];
  clearTimeout(answerTimer);
  answerTimer = setTimeout(() => connection.restart(), ANSWER_MS);
  connection.send({ type: "join", name: wish.name, room: wish.room, key: self.key });
  showSendable();
}

function showSendable() {
  byId("send").disabled = !inside || wish !== null;
}

function settle() {
  clearTimeout(answerTimer);
  wish = null;
  const held = early;
  early = [];
  byId("join").textContent = "Join";
  showSendable();
  held.forEach(onMessage);
}

function onJoined(message) {
  const again = self.name === message.name && self.room === message.room;
  self.name = message.name;
  self.room = message.room;
  inside = true;
  connection.proven();
  remember(self.name);
  if (!rooms.includes(self.room)) rooms = [...rooms, self.room];
  setPeople(message);
  view.showError("");
  view.showChat(self.room);
  view.showRooms(rooms, self.room, enterRoom);
  if (!again) view.clearMessages();
  view.addNotice(again ? "You are back." : "You are in. What was said before you came is not kept.", Date.now());
  settle();
  lookAgain();
  focusQuietly("composer");
}

/// Who comes while a worker has not reached every gateway yet, as when all of them were started again, is seen by some only.
function lookAgain() {
  clearTimeout(lookTimer);
  lookTimer = setTimeout(lookAround, LOOK_AGAIN_MS);
}

function lookAround() {
  if (inside && wish === null) connection.send({ type: "who" });
}

function onRefused(message) {
  if (message.code === "not_joined" && wish !== null && !inside) {
    leave();  // back to the door, with the reason on it
    view.showError(message.message);
    byId("nickname").focus();
    return;
  }
  view.showError(message.message);
  if (wish !== null && !inside) {
    connection.restart();  // could not come in for a reason that passes
  } else {
    settle();
  }
}

function onNotice(message) {
  const came = message.event === "joined";
  if (came !== people.has(message.name)) peopleCount += came ? 1 : -1;
  if (came) {
    people.set(message.name, message.via);
  } else {
    people.delete(message.name);
  }
  showPeople();
  if (message.name !== self.name) view.addNotice(`${message.name} ${message.event}`, message.time, message.name);
}

function onMessage(message) {
  if (message.type === "ping") {
    connection.send({ type: "pong" });
    lookAround();
  } else if (message.type === "joined") {
    onJoined(message);
  } else if (message.type === "error") {
    onRefused(message);
  } else if (wish !== null) {
    early.push(message);
  } else if (message.type === "private") {
    show(message);
  } else if (message.room !== self.room) {
    // Said in the room that was just left.
  } else if (message.type === "chat") {
    show(message);
  } else if (message.type === "notice") {
    onNotice(message);
  } else if (message.type === "people") {
    setPeople(message);
  }
}

function show(message) {
  view.addMessage(message, self.name);
  if (message.from !== self.name) view.countUnread();
}

/// Not where a focus brings up a keyboard that hides half of the page.
function focusQuietly(id) {
  if (matchMedia("(hover: hover)").matches) byId(id).focus();
}

function setPeople({ people: listed, count }) {
  people.clear();
  for (const person of listed) people.set(person.name, person.via);
  peopleCount = count;
  showPeople();
}

function showPeople() {
  view.showPeople(people, peopleCount, self.name, writeTo);
}

function writeTo(name) {
  privateTo = name;
  view.showPrivateTo(name);
  view.showSide(false);
  if (name !== null) byId("composer").focus();
}

function enterRoom(room) {
  view.showSide(false);
  if (room === "" || room === self.room || !inside || wish !== null) return;
  writeTo(null);
  ask({ name: self.name, room });
}

function leave() {
  inside = false;
  wish = null;
  self.name = self.room = "";
  clearTimeout(answerTimer);
  connection.close();
  writeTo(null);
  byId("join").textContent = "Join";
  view.showError("");
  view.showDoor();
}

/// "/msg name words", where a name may have spaces: the longest name in the room that fits is meant.
function privateCommand(text) {
  if (!text.startsWith("/msg ")) return null;
  const rest = text.slice("/msg ".length).trimStart();
  const known = [...people.keys()].filter((name) => rest.startsWith(`${name} `)).sort((a, b) => b.length - a.length);
  const to = known[0] ?? rest.split(" ", 1)[0];
  return { type: "private", to, text: rest.slice(to.length).trim() };
}

function sendWords() {
  const composer = byId("composer");
  const text = composer.value.trim();
  if (text === "" || byId("send").disabled) return;
  const direct = privateTo === null ? privateCommand(text) : { type: "private", to: privateTo, text };
  view.showError("");
  connection.send(direct ?? { type: "say", text });
  composer.value = "";
  fitComposer();
}

function fitComposer() {
  const composer = byId("composer");
  composer.style.height = "auto";
  composer.style.height = `${composer.scrollHeight + composer.offsetHeight - composer.clientHeight}px`;
}

/// Known to this page alone, and gone with it: see "Coming back" in README.md.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Storage may be forbidden; then the name is typed again.
function remember(name) {
  try {
    localStorage.setItem("nickname", name);
  } catch {}
}

function remembered() {
  try {
    return localStorage.getItem("nickname") ?? "";
  } catch {
    return "";
  }
}

byId("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("nickname").value.trim();
  const room = byId("room").value.trim();
  if (name === "" || room === "") {
    view.showError(name === "" ? "Choose a nickname first." : "Choose a room first.");
    byId(name === "" ? "nickname" : "room").focus();
    return;
  }
  view.showError("");
  byId("join").textContent = "Joining …";
  self.key = newKey();
  wish = { name, room };
  if (connection.isOpen) {
    ask(wish);
  } else {
    connection.open();
    connection.retryNow();
  }
});

byId("compose-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sendWords();
});

byId("composer").addEventListener("keydown", (event) => {
  // Not while an input method is composing a word: there Enter ends the word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendWords();
});
byId("composer").addEventListener("input", fitComposer);

byId("other-room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  enterRoom(byId("other-room").value.trim());
  byId("other-room").value = "";
});

byId("private-end").addEventListener("click", () => writeTo(null));
byId("leave").addEventListener("click", leave);
byId("retry").addEventListener("click", () => connection.retryNow());
byId("newer").addEventListener("click", view.scrollToEnd);
byId("side-toggle").addEventListener("click", () => view.showSide(!byId("side").classList.contains("open")));
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (byId("side").classList.contains("open")) {
    view.showSide(false);
    byId("side-toggle").focus();
  } else if (privateTo !== null) {
    writeTo(null);
  }
});
addEventListener("focus", view.forgetUnread);
document.addEventListener("visibilitychange", () => document.hidden || view.forgetUnread());

byId("nickname").value = remembered();
focusQuietly("nickname");
