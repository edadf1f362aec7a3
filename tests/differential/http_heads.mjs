// Node's HTTP parser (llhttp) as the judge of ours.
//   node http_heads.mjs DECODE SEED COUNT
// DECODE is the built program of decode.cc. Makes COUNT request heads from the seed, most of them with something odd in them. Ends
// with status 1 and what differs when something does.
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import { Duplex } from 'node:stream';

const [decode, seed, count] = [process.argv[2], Number(process.argv[3] ?? 1), Number(process.argv[4] ?? 1000)];

// mulberry32: the same heads for the same seed.
let state = seed >>> 0;
function random(below) {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const oneOf = (things) => things[random(things.length)];

const kMethods = ['GET', 'GET', 'GET', 'POST', 'HEAD', 'OPTIONS', 'PUT'];
const kTargets = ['/', '/chat', '/chat?room=1&x[]=2', '*', 'http://a.example/b?c', '/%41%zz', '/a#b', '/é', '//', '/a;b=c'];
const kVersions = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'];
const kFields = [
  'Host: a.example', 'host:b.example:80', 'Upgrade: websocket', 'Connection: Upgrade', 'Connection: keep-alive, Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', 'Cookie: a=b; c="d"', 'X-Empty:', 'X-Spaces:  \t a b \t ',
  'Content-Length: 0', 'Accept: text/html', 'X-Bytes: \x80\xff', 'x!#$%&\'*+-.^_`|~9: token', 'Origin: null', 'Connection: close',
];
const kOddities = [
  '\n', '\r', '\r\n', '\0', '\t', ' ', '\x0b', '\x7f', '\x80', ':', '\r\n ', '\r\n\t', '\r\n:', '(', '"', '/', ' \r\n', '\r\r\n', '\r\n\r\n',
  ' HTTP/1.1', 'HTTP/2.0', 'HTTP/1.2', 'HTTP/0.9', 'http/1.1', 'Host: x\r\n', 'Content-Length: 0\r\n', 'Transfer-Encoding: chunked\r\n',
  'A : b\r\n', 'NoColon\r\n', 'get', 'GETT', 'M-SEARCH',
];

function someHead() {
  let head = `${oneOf(kMethods)} ${oneOf(kTargets)} ${oneOf(kVersions)}\r\n`;
  for (let i = random(7); i > 0; --i) head += oneOf(kFields) + '\r\n';
  head += '\r\n';
  for (let i = random(3); i > 0; --i) {
    const at = random(head.length);
    const cut = random(3) === 0 ? random(4) : 0;
    head = head.slice(0, at) + oneOf(kOddities) + head.slice(at + cut);
  }
  return random(10) === 0 ? head.slice(0, random(head.length)) : head;
}

/// What our reader makes of each.
function ours(heads) {
  const pieces = [];
  for (const head of heads) {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(head.length);
    pieces.push(size, Buffer.from(head, 'latin1'));
  }
  const out = execFileSync(decode, ['http'], { input: Buffer.concat(pieces), maxBuffer: 1 << 30 });
  const results = [];
  for (let at = 0; at < out.length;) {
    const size = out.readUInt32BE(at);
    results.push(JSON.parse(out.subarray(at + 4, at + 4 + size).toString()));
    at += 4 + size;
  }
  return results;
}

// A server is the way in that Node documents; connections may be any stream.
const server = http.createServer({ requireHostHeader: false, maxHeaderSize: 1 << 20, keepAliveTimeout: 0 });
const take = (request) => request.socket.heard({ status: 'complete', method: request.method, target: request.url,
  version: `HTTP/${request.httpVersion}`, fields: pairs(request.rawHeaders) });
for (const event of ['request', 'upgrade', 'connect', 'checkContinue', 'checkExpectation']) server.on(event, take);
server.on('clientError', (error, socket) => socket.heard({ status: 'bad_request', reason: error.code }));

function pairs(raw) {
  const fields = [];
  for (let i = 0; i < raw.length; i += 2) fields.push([raw[i], raw[i + 1]]);
  return fields;
}

class Stream extends Duplex {
  _read() {}
  _write(chunk, encoding, done) { done(); }
  setTimeout() { return this; }
  setNoDelay() { return this; }
  setKeepAlive() { return this; }
}

async function theirs(head) {
  const socket = new Stream();
  let result = { status: 'need_more' };
  let first = true;
  socket.heard = (heard) => { if (first) { first = false; result = heard; } };
  socket.on('error', () => {});
  server.emit('connection', socket);
  socket.push(Buffer.from(head, 'latin1'));
  await new Promise(setImmediate);
  socket.destroy();
  return result;
}

// Differences that are meant: when ours refuses and llhttp does not, or the other way round, one of these has to explain it.
const kOursIsStricter = [
  ['more than one empty line in front of the request line', (head) => /^(\n|\r(?!\n)|\r\n[\r\n])/.test(head)],
  ['a Host that is no host and port (RFC 9112, 3.2: must be refused)', (head, mine) => mine.reason === 'a Host that is no host and port'],
  ['folded header lines (RFC 9112, 5.2: a server may refuse them)', (head, mine) => mine.reason === 'folded header line'],
  ['two Host fields (RFC 9112, 3.2: must be refused)', (head, mine) => mine.reason === 'two Host fields'],
  ['more than one space in the request line (RFC 9112, 3: may be passed over)', (head, mine) =>
    (mine.reason === 'malformed request line' && /^\S+ {2,}/.test(head)) || (mine.reason === 'not HTTP/1.x' && /^\S+ \S+ {2,}/.test(head))],
  ['a request line without a version, which is HTTP/0.9', (head, mine) => mine.reason === 'not HTTP/1.x' && /^\S+ +\S*\r\n/.test(head)],
  ['versions other than 1.x', (head, mine) => mine.reason === 'not HTTP/1.x' && / HTTP\/(0\.9|2\.0)\r?\n/.test(head)],
  ['a bare LF ends no line', (head, mine) => mine.reason === 'bare LF'],
];
const kTheirsIsStricter = [
  ['methods that are not registered', (head, theirs) => theirs.reason === 'HPE_INVALID_METHOD'],
  ['a minor version above 1', (head, theirs) => theirs.reason === 'HPE_INVALID_VERSION' && /HTTP\/1\.[2-9]/.test(head)],
  ['the length or coding of a body, which a handshake has not', (head, theirs) =>
    /content-length|transfer-encoding/i.test(head) && /CONTENT_LENGTH|TRANSFER_ENCODING/.test(theirs.reason)],
  ['characters of a target, which mean nothing to us', (head, theirs) => theirs.reason === 'HPE_INVALID_URL'],
];

function difference(head, mine, his) {
  if (mine.status === 'too_large') return null;
  if (mine.status !== his.status) {
    const list = mine.status === 'bad_request' ? kOursIsStricter : kTheirsIsStricter;
    const other = mine.status === 'bad_request' ? mine : his;
    if (list.some(([, explains]) => explains(head, other))) return null;
    return `ours ${mine.status} (${mine.reason}), llhttp ${his.status} (${his.reason ?? ''})`;
  }
  if (mine.status !== 'complete') return null;
  for (const part of ['method', 'target', 'version', 'fields']) {
    const [a, b] = [JSON.stringify(mine[part]), JSON.stringify(his[part])];
    if (a !== b) return `${part}: ours ${a}, llhttp ${b}`;
  }
  return null;
}

/// One of them may see sooner than the other that it cannot become anything: then the rest decides.
const isUndecided = (mine, his) => mine.status !== his.status && (mine.status === 'need_more' || his.status === 'need_more');

async function compare(heads, differences, isLast = false) {
  const results = ours(heads);
  const undecided = [];
  let both = 0;
  for (const [i, head] of heads.entries()) {
    const his = await theirs(head);
    if (his.status === 'complete' && results[i].status === 'complete') ++both;
    if (!isLast && isUndecided(results[i], his)) {
      undecided.push(head + '\r\n\r\n');
      continue;
    }
    const found = difference(head, results[i], his);
    if (found !== null) differences.push(`${JSON.stringify(head)}: ${found}`);
  }
  if (undecided.length > 0) await compare(undecided, differences, true);
  return both;
}

const differences = [];
const both = await compare(Array.from({ length: count }, someHead), differences);
console.log(`${count} heads, ${both} of them taken by both; ${differences.length} differences`);
for (const each of differences.slice(0, 20)) console.log(each);
process.exit(differences.length > 0 ? 1 : 0);
