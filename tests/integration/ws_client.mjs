// npm's ws against the echo program with --mirror. Argument: the URL.
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import WebSocket from 'ws';

const [url] = process.argv.slice(2);

async function open(options = {}) {
  const socket = new WebSocket(url, options);
  await once(socket, 'open');
  return socket;
}

async function answer(socket) {
  const [data, isBinary] = await once(socket, 'message');
  return isBinary ? data : data.toString();
}

{ // With and without the offer of compression, which is declined.
  for (const perMessageDeflate of [true, false]) {
    const socket = await open({perMessageDeflate});
    assert.equal(socket.extensions, '');
    for (const message of ['', 'words', '€'.repeat(50_000), randomBytes(0), randomBytes(70_000)]) {
      socket.send(message);
      assert.deepEqual(await answer(socket), message);
    }
    socket.close(1000, 'bye');
    const [code] = await once(socket, 'close');
    assert.equal(code, 1000);
  }
}
{ // Fragments, with a ping between them.
  const socket = await open({perMessageDeflate: false});
  socket.send('one ', {fin: false});
  socket.ping('between');
  const [pong] = await once(socket, 'pong');
  assert.equal(pong.toString(), 'between');
  socket.send('two ', {fin: false});
  socket.send('three', {fin: true});
  assert.equal(await answer(socket), 'one two three');
  socket.terminate();
}
{ // What breaks the protocol ends the connection with the code that says so.
  for (const [bytes, code] of [
    [Buffer.from([0x81, 0x01, 0x41]), 1002], // not masked
    [Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002], // reserved opcode
    [Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002], // RSV1 without an extension
    [Buffer.from([0x80, 0x80, 0, 0, 0, 0]), 1002], // continuation of nothing
    [Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]), 1002], // long ping
    [Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc0, 0xaf]), 1007], // overlong UTF-8
    [Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), 1009], // 4 GiB announced
  ]) {
    const socket = await open({perMessageDeflate: false});
    socket._socket.write(bytes);
    const [closed] = await once(socket, 'close');
    assert.equal(closed, code, bytes.toString('hex'));
  }
}
{ // Refused handshakes are HTTP answers.
  for (const [options, status] of [[{protocolVersion: 8}, 426], [{headers: {Filler: 'x'.repeat(9000)}}, 431]]) {
    const socket = new WebSocket(url, options);
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    assert.equal(response.statusCode, status);
    response.destroy();
  }
}
console.log('OK');
process.exit(0);
