// Walks through sites with logins, behind Caddy and, if the app has its own session, without it. SITES are the sites, LINES
// controls the lines to them: see test/harness/line.go. Every site has regenerate_grace 1s and regenerate_unused 12s.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch } from '../../browser/run.mjs';

const { SITES, LINES: control } = process.env;
const unused = 12_000, over = 12_500; // regenerate_unused, and a wait that exceeds both

// So that the machine keeps up, only a few visitors are active at once; the others wait or sleep. Who has slept goes first.
let free = 5;
const queue = [];
const take = (turn) => new Promise((go) => (free > 0 ? (free--, go()) : queue[turn](go)));
const release = () => (queue.length > 0 ? queue.shift()() : free++);

async function outlast() {
  release();
  await sleep(over);
  await take('unshift');
}

// What a visitor does; each scenario returns the users of the pages on the way.
const scenarios = {
  'a double click on "Log in"': async (v) => {
    return clickTwice(v, 60); // the second click comes after the login and before its response
  },

  'a double click on a slow "Log in"': async (v) => {
    return clickTwice(v, 300);
  },

  'two tabs log in at once': async (v) => {
    const other = await v.tab();
    await v.open('/');
    const seen = await Promise.all([v.logIn(300), other.logIn(300)]);
    await outlast();
    return [...seen, await v.reload(), await other.reload()];
  },

  'the answer to a login is lost': async (v) => {
    await v.open('/');
    await v.line('/fate', 'POST /login', { is: 'lose' });
    await v.click('Log in');
    await v.error();
    await v.line('/fate', 'POST /login', { is: 'deliver' });
    const seen = [await v.open('/'), await v.logIn()];
    await outlast();
    return [...seen, await v.reload()];
  },

  'the connection is closed in the middle of the answer to a login': async (v) => {
    await v.open('/');
    await v.line('/fate', 'POST /login', { is: 'half' });
    await v.click('Log in');
    await v.line('/answered', 'POST /login', { n: 1 });
    await sleep(100); // the first half has arrived
    await v.stop();
    await v.line('/fate', 'POST /login', { is: 'lose' });
    const seen = [await v.reload()];
    await v.line('/fate', 'POST /login', { is: 'deliver' });
    seen.push(await v.logIn());
    await outlast();
    return [...seen, await v.reload()];
  },

  'an answer is lost': async (v) => {
    await v.open('/');
    await v.logIn();
    await v.line('/fate', 'GET /next', { is: 'lose' });
    await v.click('Next');
    await v.error();
    return visitOn(v);
  },

  'another link is clicked before the page is there': async (v) => {
    await clickNext(v);
    await v.replace(() => v.click('Home'));
    return visitOn(v);
  },

  'window.stop() before the page is there': async (v) => {
    await clickNext(v);
    await v.stop();
    return visitOn(v);
  },

  'a logout beside a slow page': async (v) => {
    const other = await v.tab();
    await v.open('/');
    await v.logIn();
    const slow = await other.begin('/slow?ms=2500');
    const seen = [await v.logOut()];
    await slow.end;
    seen.push(await v.reload());
    await outlast();
    return [...seen, await v.reload(), await v.slow()];
  },

  'a login beside a slow page': async (v) => {
    const other = await v.tab();
    await v.open('/');
    const slow = await other.begin('/slow?ms=2500'); // longer than the grace
    const seen = [await v.logIn()];
    await slow.end;
    return [...seen, await v.reload(), await v.page.textContent('#note'), await v.slow()];
  },
};

const expected = {
  'a double click on "Log in"': ['ada', 'ada'],
  'a double click on a slow "Log in"': ['ada', 'ada'],
  'two tabs log in at once': ['ada', 'ada', 'ada', 'ada'],
  'the answer to a login is lost': ['nobody', 'ada', 'ada'],
  'the connection is closed in the middle of the answer to a login': ['nobody', 'ada', 'ada'],
  'an answer is lost': ['ada', 'ada', 'ada'],
  'another link is clicked before the page is there': ['ada', 'ada', 'ada'],
  'window.stop() before the page is there': ['ada', 'ada', 'ada'],
  'a logout beside a slow page': ['nobody', 'nobody', 'nobody'],
  'a login beside a slow page': ['ada', 'ada', 'kept'],
};

// What a slow page changed in the session is kept if Caddy keeps the app's session, unless the app destroys it.
const kept = {
  'a logout beside a slow page': (site) => (site.clears ? 'kept' : ''),
  'a login beside a slow page': (site) => (site.keeps ? 'kept' : ''),
};

// Without Caddy, a slow response that sets the app's cookie may return the browser to the session of its request.
const takenBack = {
  'a logout beside a slow page': ['nobody', 'ada', 'ada'],
  'a login beside a slow page': ['ada', 'nobody', 'kept'],
};

// Behind Caddy, a response that replaces the app's own cookie regenerates the id. It is dropped as a whole if the browser already
// uses another id. (With a __Host- cookie of ours it does not regenerate.)
const dropped = {
  'a login beside a slow page': ['ada', 'ada', ''],
};

async function clickTwice(v, ms) {
  await v.open('/');
  await v.takes(ms);
  let both;
  await v.line('/fate', 'POST /login', { is: 'hold' }); // until the second click, even on a slow machine
  const seen = [await v.replace(async () => {
    await v.click('Log in');
    await Promise.all([sleep(125), v.line('/asked', 'POST /login', { n: 1 }).then(() => (both = -Date.now()))]);
    await v.click('Log in');
    await v.line('/asked', 'POST /login', { n: 2 });
    await v.line('/fate', 'POST /login', { is: 'deliver' });
  })];
  both += Date.now();
  // The first login may have reached Caddy. The old id then ends after regenerate_unused, and a login that is still running is
  // dropped. If the machine is that busy, this was not a double click.
  if (both > unused) throw new TooSlow(`both logins of a double click took ${both} ms`);
  await outlast();
  return [...seen, await v.reload()];
}

class TooSlow extends Error {}

// clickNext logs in and requests a page whose response does not arrive.
async function clickNext(v) {
  await v.open('/');
  await v.logIn();
  await v.line('/fate', 'GET /next', { is: 'hold' });
  await v.click('Next');
  await v.line('/answered', 'GET /next', { n: 1 });
}

// visitOn continues after a response that never arrived.
async function visitOn(v) {
  await v.line('/fate', 'GET /next', { is: 'lose' });
  const seen = [await v.open('/')];
  await outlast();
  seen.push(await v.reload());
  await v.line('/fate', 'GET /next', { is: 'deliver' });
  return [...seen, await v.open('/next')];
}

// A visitor has a tab of a window, at the end of a line.
class Visitor {
  constructor(context, tab, address) {
    this.context = context;
    this.page = context.pages()[tab];
    this.address = address;
    this.url = 'http://' + address;
  }

  async tab() {
    if (this.context.pages().length < 2) await this.context.newPage();
    const tab = new Visitor(this.context, 1, this.address);
    await tab.open('/');
    return tab;
  }

  async line(what, of, more) {
    const answer = await fetch(`${control}${what}?` + new URLSearchParams({ line: this.address, of, ...more }), { signal: AbortSignal.timeout(60_000) });
    assert.ok(answer.ok, await answer.text());
  }

  async open(path) {
    await this.page.goto(this.url + path);
    return this.user();
  }

  // requests a slow page
  async begin(path) {
    const end = this.page.goto(this.url + path);
    await this.line('/asked', 'GET /slow', { n: 1 });
    await sleep(300); // by then the app has the request, even on a busy machine
    return { end };
  }

  async reload() {
    // A navigation that was just stopped can abort this one: then repeat it.
    await this.page.reload().catch((e) => {
      if (!e.message.includes('ERR_ABORTED')) throw e;
      return this.page.reload();
    });
    return this.user();
  }

  // returns the user whose page it is
  async user() {
    // While the browser waits for another page no script runs, but the mouse and the keyboard work.
    const { whose, places } = await this.page.evaluate(() => {
      window.seen = true;
      document.addEventListener('keydown', (e) => e.key === 's' && window.stop());
      const places = [...document.querySelectorAll('a, button')].map((e) => {
        const { x, y, width, height } = e.getBoundingClientRect();
        return [e.textContent, { x: x + width / 2, y: y + height / 2 }];
      });
      // calibre-web has a form for the user, or the user in a link.
      const username = document.querySelector('#username');
      if (username) {
        username.value = 'admin';
        document.querySelector('#password').value = 'Admin_123';
        document.querySelector('button[name=submit]').focus();
      }
      const text = document.body.innerText;
      const whose = username ? 'nobody' : document.querySelector('#top_user') ? 'ada' : /^Hello, (\w+)\.$/m.exec(text)?.[1];
      return { whose: whose ?? text, places };
    });
    this.places = Object.fromEntries(places);
    return whose;
  }

  // calibre-web's page shifts, so its button has the focus.
  click(text) {
    if (!this.places[text]) return this.page.keyboard.press('Enter');
    return this.page.mouse.click(this.places[text].x, this.places[text].y);
  }

  stop() {
    return this.page.keyboard.press('s');
  }

  // returns what a slow page stored in the session
  slow() {
    return this.page.textContent('#slow');
  }

  // waits for the browser's error page
  error() {
    return this.page.waitForFunction(() => location.protocol === 'chrome-error:');
  }

  // runs how, which leads to another page, and waits for that page
  async replace(how) {
    await how();
    await this.page.waitForFunction(() => !window.seen && document.readyState === 'complete');
    return this.user();
  }

  async logIn(ms = 0) {
    await this.takes(ms);
    return this.replace(() => this.click('Log in'));
  }

  logOut() {
    return this.replace(() => this.click('Log out'));
  }

  // makes a login take ms milliseconds
  async takes(ms) {
    await this.page.evaluate((ms) => (document.querySelector('form').action = `/login?ms=${ms}`), ms);
  }
}

// play runs a scenario in a browser window of its own that reaches an app in one way.
async function play(scenario, to, tries = 5) {
  await take('push');
  const context = windows.pop() ?? await openWindow(); // a new window costs more than a scenario
  try {
    await context.clearCookies();
    const line = await fetch(`${control}/lay?to=${to}`);
    const seen = await scenario(new Visitor(context, 0, await line.text()));
    windows.push(context);
    return seen;
  } catch (e) {
    await context.close();
    if (!(e instanceof TooSlow) || tries === 1) return e.stack;
  } finally {
    release();
  }
  return play(scenario, to, tries - 1);
}
const windows = [];

async function openWindow() {
  const context = await browser.newContext();
  context.setDefaultTimeout(60_000);
  await context.newPage();
  return context;
}

const browser = await launch();
const check = async (s, does) => {
  const { name, app, alone, rewrites, replaces, site } = s;
  const seen = await Promise.all([play(scenarios[does], site), alone && play(scenarios[does], app)]);
  const want = expected[does], wantBehind = [...((replaces && dropped[does]) || want), ...(kept[does] ? [kept[does](s)] : [])];
  if (kept[does] && Array.isArray(seen[1])) seen[1].pop(); // not checked without Caddy
  let error = '';
  try {
    assert.deepEqual(seen[0], wantBehind);
    if (alone && !(rewrites && String(seen[1]) === String(takenBack[does]))) assert.deepEqual(seen[1], want);
  } catch (e) {
    error = `${e.message}: behind Caddy ${seen[0]}, without ${seen[1]}, want ${wantBehind}`;
  }
  console.log(JSON.stringify({ name: `${name}: ${does}`, error }));
};
await Promise.all(JSON.parse(SITES).flatMap((s) => (s.only ?? Object.keys(scenarios)).map((does) => check(s, does))));
await browser.close();
