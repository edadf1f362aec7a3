// What is seen. Names and words come from strangers: they enter the page as textContent and attributes only, never as HTML.

const MOST_MESSAGES = 500;
const TITLE = document.title;

export const byId = (id) => document.getElementById(id);

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

/// The same hue for the same name, everywhere.
function setHue(node, name) {
  let hash = 2166136261;  // FNV-1a
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 16777619) >>> 0;
  hash ^= hash >>> 15;
  // Steps of 30 degrees: two names have clearly different colours, or the same one.
  node.style.setProperty("--hue", String((hash % 12) * 30));
}

function avatar(name) {
  const node = element("span", "avatar", [...name][0].toUpperCase());
  node.setAttribute("aria-hidden", "true");
  setHue(node, name);
  return node;
}

function clock(timeMs) {
  const time = element("time", "time");
  const date = new Date(timeMs);
  time.dateTime = date.toISOString();
  time.textContent = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return time;
}

function nameNode(className, name) {
  const node = element("span", className, name);
  node.dir = "auto";
  return node;
}

export function showState(state, secondsToRetry) {
  const words = { connecting: "connecting", online: "online", offline: "offline" };
  byId("state").hidden = false;
  byId("state").dataset.state = state;
  if (byId("state-word").textContent !== words[state]) byId("state-word").textContent = words[state];
  byId("state-wait").textContent = secondsToRetry === null ? "" : `: retrying in ${secondsToRetry} s`;
  byId("retry").hidden = secondsToRetry === null;
}

export function showError(text) {
  byId("error").textContent = text;
  byId("error").hidden = text === "";
}

export function showDoor() {
  byId("door").hidden = false;
  byId("chat").hidden = true;
  byId("join").before(byId("error"));
  showSide(false);
}

export function showChat(room) {
  byId("door").hidden = true;
  byId("chat").hidden = false;
  byId("room-name").textContent = room;
  byId("compose-form").prepend(byId("error"));
}

/// The drawer of a narrow screen; a wide one always shows it.
export function showSide(open) {
  byId("side").classList.toggle("open", open);
  byId("side-toggle").setAttribute("aria-expanded", String(open));
}

export function showRooms(rooms, current, onRoom) {
  byId("rooms").replaceChildren(...rooms.map((room) => {
    const button = element("button", "room");
    button.type = "button";
    button.dataset.room = room;
    button.append(element("span", "hash", "#"), nameNode("", room));
    if (room === current) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => onRoom(room));
    const item = element("li");
    item.append(button);
    return item;
  }));
}

/// `people` is a Map of name to "page" or "terminal".
export function showPeople(people, count, ownName, onPerson) {
  const names = [...people.keys()].sort((a, b) => (b === ownName) - (a === ownName) || a.localeCompare(b));
  const items = names.map((name) => {
    const button = element("button", "person");
    button.type = "button";
    button.append(avatar(name), nameNode("person-name", name));
    if (name === ownName) {
      button.disabled = true;
      button.append(element("span", "tag", "you"));
    } else {
      button.title = "Write to this person alone";
      if (people.get(name) === "terminal") button.append(element("span", "tag", "terminal"));
      button.addEventListener("click", () => onPerson(name));
    }
    const item = element("li");
    item.dataset.name = name;
    item.append(button);
    return item;
  });
  if (count > names.length) items.push(element("li", "more", `and ${count - names.length} more`));
  byId("people").replaceChildren(...items);
  byId("people-count").textContent = byId("side-count").textContent = String(count);
}

export function showPrivateTo(name) {
  byId("private-to").hidden = name === null;
  byId("private-name").textContent = name ?? "";
  byId("compose-form").classList.toggle("is-private", name !== null);
  byId("composer").placeholder = name === null ? "Write to everyone here" : "Write to this person alone";
}

export function clearMessages() {
  byId("messages").replaceChildren();
  byId("newer").hidden = true;
}

function isAtEnd() {
  const list = byId("messages");
  return list.scrollHeight - list.scrollTop - list.clientHeight < 48;
}

export function scrollToEnd() {
  byId("messages").scrollTop = byId("messages").scrollHeight;
  byId("newer").hidden = true;
}

function append(item, own) {
  const list = byId("messages");
  const follow = own || isAtEnd();
  list.append(item);
  while (list.children.length > MOST_MESSAGES) list.firstElementChild.remove();
  if (follow) {
    scrollToEnd();
  } else if (item.dataset.kind !== "notice") {
    byId("newer").hidden = false;
  }
}

export function addNotice(text, timeMs, from = "") {
  const item = element("li", "message notice");
  item.dataset.kind = "notice";
  item.dataset.from = from;
  item.append(nameNode("text", text), " ", clock(timeMs));
  append(item, false);
}

/// `message` is one of the protocol, of type chat or private.
export function addMessage(message, ownName) {
  const own = message.from === ownName;
  const isPrivate = message.type === "private";
  const item = element("li", "message");
  item.dataset.kind = message.type;
  item.dataset.from = message.from;
  item.classList.toggle("own", own);
  const previous = byId("messages").lastElementChild;
  const follows = !isPrivate && previous?.dataset.kind === "chat" && previous.dataset.from === message.from;
  item.classList.toggle("follows", follows);

  const meta = element("span", "meta");
  const author = own ? element("span", "from", "You") : nameNode("from", message.from);
  setHue(author, message.from);
  meta.append(author);
  if (isPrivate) {
    const label = element("span", "label");
    label.append(own ? "private, to " : "private, to you", ...(own ? [nameNode("", message.to)] : []));
    meta.append(label);
  } else if (message.via === "terminal") {
    meta.append(element("span", "label", "terminal"));
  }
  const bubble = element("div", "bubble");
  const text = element("p", "text", message.text);
  text.dir = "auto";
  bubble.append(text, clock(message.time));
  const body = element("div", "body");
  body.append(meta, bubble);
  if (!own) item.append(avatar(message.from));
  item.append(body);
  append(item, own);
}

let unread = 0;

export function countUnread() {
  if (document.hasFocus() && !document.hidden) return;
  unread += 1;
  document.title = `(${unread}) ${TITLE}`;
}

export function forgetUnread() {
  unread = 0;
  document.title = TITLE;
}
