// Chromium pages and a terminal in one chat. Arguments: the page's URL, the telnet port, a folder for screenshots. What is to be done to
// the server it asks of its caller on standard output ("ACTION kill-worker"), who answers with the line "done".
import assert from 'node:assert/strict';
import {once} from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import {chromium} from 'playwright-core';

const [url, telnetPort, screenshots] = process.argv.slice(2);
const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();
fs.mkdirSync(screenshots, {recursive: true});

async function ask(action) {
  console.log(`ACTION ${action}`);
  const {value} = await answers.next();
  assert.equal(value, 'done', `${action}: ${value}`);
}

class Terminal {
  constructor(port) {
    this.text = '';
    this.socket = net.connect(Number(port), '127.0.0.1');
    this.socket.setEncoding('utf8');
    this.socket.on('data', chunk => { this.text += chunk; });
  }
  say(line) { this.socket.write(line + '\r\n'); }
  async hears(words) {
    const end = Date.now() + 30_000;
    while (!this.text.includes(words)) {
      if (Date.now() > end) throw new Error(`the terminal never read ${JSON.stringify(words)}, only ${JSON.stringify(this.text)}`);
      await Promise.race([once(this.socket, 'data'), new Promise(resolve => setTimeout(resolve, 200))]);
    }
  }
}

class Person {
  static async join(browser, name, options = {}) {
    const person = new Person();
    const context = await browser.newContext(options);
    person.page = await context.newPage();
    person.name = name;
    person.problems = [];
    person.page.on('pageerror', error => person.problems.push(String(error)));
    person.page.on('dialog', async dialog => { person.problems.push(`dialog ${dialog.message()}`); await dialog.dismiss(); });
    person.page.on('console', message => { if (message.type() === 'error') person.problems.push(message.text()); });
    await person.page.goto(url);
    await person.page.fill('#nickname', name);
    await person.page.click('#join');
    await person.online();
    return person;
  }
  async online() { await this.page.waitForSelector('#state[data-state=online]', {state: 'attached', timeout: 60_000}); }
  // What wentOffline() waits for counts from here.
  async watch() {
    await this.page.evaluate(() => {
      const state = document.querySelector('#state');
      window.wentOffline = new Promise(resolve => {
        new MutationObserver(() => { if (state.dataset.state !== 'online') resolve(); }).observe(state, {attributes: true});
      });
    });
  }
  async wentOffline() { await this.page.evaluate(() => window.wentOffline); }
  async say(words) {
    await this.page.fill('#composer', words);
    await this.page.click('#send');
  }
  async reads(words, {from, kind = 'chat'} = {}) {
    const sender = from ? `[data-from=${JSON.stringify(from)}]` : '';
    await this.page.locator(`#messages li.message[data-kind=${kind}]${sender}`, {hasText: words}).first().waitFor({timeout: 30_000});
  }
  async sees(name) { await this.page.locator(`#people li[data-name=${JSON.stringify(name)}]`).waitFor({state: 'attached', timeout: 30_000}); }
  async seesNo(name) { await this.page.locator(`#people li[data-name=${JSON.stringify(name)}]`).waitFor({state: 'detached', timeout: 30_000}); }
  async picture(name) { await this.page.screenshot({path: path.join(screenshots, `${name}.png`)}); }
}

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync'],
});
try {
  const alice = await Person.join(browser, 'alice', {viewport: {width: 1280, height: 800}});
  const bob = await Person.join(browser, 'bob', {viewport: {width: 390, height: 844}, isMobile: true, hasTouch: true, colorScheme: 'dark'});
  const carol = new Terminal(telnetPort);
  carol.say('carol');
  await alice.sees('bob');
  await alice.sees('carol');
  await alice.reads('bob', {kind: 'notice'});

  // Everyone reads what anyone says.
  await alice.say('hello from a page');
  await bob.reads('hello from a page', {from: 'alice'});
  await carol.hears('hello from a page');
  carol.say('hello from a terminal');
  await alice.reads('hello from a terminal', {from: 'carol'});
  await bob.reads('hello from a terminal', {from: 'carol'});

  // Private words reach one person.
  await alice.say('/msg bob only for you');
  await bob.reads('only for you', {from: 'alice', kind: 'private'});
  carol.say('$alice:a whisper');
  await alice.reads('a whisper', {from: 'carol', kind: 'private'});
  carol.say('$nobody-here:hello?');
  await carol.hears('nobody-here');
  assert.ok(!carol.text.includes('only for you'));

  // Hostile words are shown as they are.
  const hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script> & \u001b[31m"quoted"';
  await bob.say(hostile);
  await alice.reads('<img src=x onerror="alert(1)"><script>alert(2)</script>', {from: 'bob'});
  await carol.hears('<script>alert(2)</script>');
  assert.ok(!carol.text.includes('\u001b'), 'an escape sequence reached the terminal');
  assert.equal(await alice.page.locator('#messages img, #messages script').count(), 0);
  const mallory = await Person.join(browser, '<b>&"\'</b>');
  await alice.sees('<b>&"\'</b>');

  // A name belongs to one person at a time.
  const second = await (await browser.newContext()).newPage();
  await second.goto(url);
  await second.fill('#nickname', 'alice');
  await second.click('#join');
  await second.locator('#error', {hasText: /./}).waitFor({timeout: 30_000});

  // Rooms are apart.
  const dave = await (async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    await page.fill('#nickname', 'dave');
    await page.fill('#room', 'garden');
    await page.click('#join');
    await page.waitForSelector('#state[data-state=online]', {state: 'attached'});
    return page;
  })();
  await dave.fill('#composer', 'only in the garden');
  await dave.click('#send');
  await dave.locator('#messages li.message', {hasText: 'only in the garden'}).waitFor();
  await alice.say('only in the lobby');
  await bob.reads('only in the lobby');
  assert.equal(await alice.page.locator('#messages li', {hasText: 'only in the garden'}).count(), 0);
  assert.equal(await dave.locator('#messages li', {hasText: 'only in the lobby'}).count(), 0);

  await alice.picture('desk-light');
  await bob.picture('phone-dark');

  // A worker's death is not noticed.
  await ask('kill-worker');
  await alice.say('after the worker');
  await bob.reads('after the worker', {from: 'alice'});
  await carol.hears('after the worker');

  // Nor is the register's.
  await ask('kill-register');
  await bob.say('after the register');
  await alice.reads('after the register', {from: 'bob'});

  // A gateway's death costs its own clients a moment: pages come back by themselves, with their name and room. The terminal stays.
  await alice.watch();
  await bob.watch();
  await ask('kill-gateways');
  await alice.wentOffline();
  await bob.wentOffline();
  await alice.online();
  await bob.online();
  await alice.sees('bob');
  await bob.sees('alice');
  await alice.say('after the gateways');
  await bob.reads('after the gateways', {from: 'alice'});
  await carol.hears('after the gateways');

  // Leaving is seen.
  await mallory.page.close();
  carol.socket.end();
  await alice.seesNo('carol');
  await alice.reads('carol', {kind: 'notice'});

  // While the server is away the page says so, and returns when it does.
  await bob.watch();
  await ask('stop');
  await bob.wentOffline();
  await alice.page.waitForSelector('#state[data-state=offline]', {state: 'attached', timeout: 30_000});
  await alice.picture('desk-offline');
  await ask('start');
  await alice.online();
  await bob.online();
  await alice.say('we are back');
  await bob.reads('we are back', {from: 'alice'});

  for (const person of [alice, bob, mallory]) {
    const problems = person.problems.filter(problem => !/WebSocket connection to|ERR_CONNECTION|Failed to load resource/.test(problem));
    assert.deepEqual(problems, [], person.name);
  }
  console.log('OK');
} finally {
  await browser.close();
}
process.exit(0);
