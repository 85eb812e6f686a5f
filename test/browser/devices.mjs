// Walks through the page of session_devices. URL is the site, OUT a folder for screenshots. /?login=<user> logs in, and
// the page says who has logged in, and has a link to itself.
import assert from 'node:assert/strict';
import path from 'node:path';
import { launch, run } from './run.mjs';

const { URL: site, OUT: out } = process.env;

let browsers = [];

// Closes the browsers of a walk, also if it fails.
const alone = (walk) => async (page, context) => {
  try {
    await walk(page, context);
  } finally {
    for (const browser of browsers) await browser.close();
    browsers = [];
  }
};

// Opens a browser of its own that has logged in, and returns its page.
async function device(user, name, options = {}) {
  const browser = await launch();
  browsers.push(browser);
  const context = await browser.newContext({ userAgent: `${name} of the test`, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  await page.goto(`${site}/?login=${user}`);
  await page.getByRole('link', { name: 'Next page' }).click();
  assert.equal(await who(page), user);
  return page;
}

const who = (page) => page.textContent('#who');

// Presses Tab until the focus is on a control within a part of the page.
async function tabTo(page, part) {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if (await part.locator(':focus').count()) return;
  }
  assert.fail('no Tab leads there');
}

// Opens a WebSocket and an event stream in a page, and waits until both are open.
const goLive = (page) =>
  page.evaluate(async () => {
    window.socket = new WebSocket('/socket');
    window.events = new EventSource('/events');
    window.ended = { socket: false, events: false };
    window.socket.onclose = () => (window.ended.socket = true);
    window.events.onerror = () => (window.ended.events = true);
    await Promise.all([window.socket, window.events].map((s) => new Promise((open) => (s.onopen = open))));
  });

const isClosed = (page) => page.waitForFunction(() => window.ended.socket && window.ended.events);

async function isLive(page) {
  const echo = await page.evaluate(
    () =>
      new Promise((done) => {
        window.socket.onmessage = (m) => done(m.data);
        window.socket.send('hello');
      }),
  );
  assert.equal(echo, 'hello');
  assert.equal(await page.evaluate(() => window.ended.socket || window.ended.events), false);
}

const walks = {
  'one browser ends another, by keyboard and without scripts': alone(async () => {
    const page = await device('zoe', 'Mine', { javaScriptEnabled: false });
    const lost = await device('zoe', 'Lost');
    const other = await device('zoe', 'Other');
    const stranger = await device('bob', 'Stranger');
    for (const one of [lost, other, stranger]) await goLive(one);

    await page.goto(site + '/devices');
    assert.equal(await page.title(), 'Where you are logged in');
    const items = page.getByRole('listitem');
    assert.equal(await items.count(), 3);
    assert.equal(await page.getByText('Stranger of the test').count(), 0);
    assert.equal(await items.filter({ hasText: 'This browser' }).filter({ hasText: 'Mine of the test' }).count(), 1);
    await tabTo(page, items.filter({ hasText: 'Lost of the test' }));
    await page.keyboard.press('Enter');
    await items.filter({ hasText: 'Lost of the test' }).waitFor({ state: 'detached' });
    assert.equal(await items.count(), 2);

    await isClosed(lost);
    await lost.getByRole('link', { name: 'Next page' }).click();
    await lost.getByText('nobody').waitFor();
    await isLive(other);
    await isLive(stranger);

    // A reload repeats nothing.
    await page.reload();
    assert.equal(await items.count(), 2);

    const again = await device('zoe', 'Again');
    await page.reload();
    assert.equal(await items.count(), 3);
    await tabTo(page, page.locator('form', { hasText: 'Log out everywhere else' }));
    await page.keyboard.press('Space');
    await items.filter({ hasText: 'Again of the test' }).waitFor({ state: 'detached' });
    assert.equal(await items.count(), 1);
    assert.equal(await page.getByRole('button').count(), 0, 'there is nothing to end');
    await isClosed(other);
    for (const one of [other, again]) {
      await one.getByRole('link', { name: 'Next page' }).click();
      await one.getByText('nobody').waitFor();
    }
    await isLive(stranger);
    await page.goto(site);
    assert.equal(await who(page), 'zoe');
  }),

  'what a screen reader is told': alone(async (page, context) => {
    await device('ada', 'Other');
    await page.goto(site + '/?login=ada');
    for (const width of [1280, 320]) {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(site + '/devices');
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, `wider than ${width} px`);
      const cdp = await context.newCDPSession(page);
      const { nodes } = await cdp.send('Accessibility.getFullAXTree');
      const told = nodes.filter((n) => !n.ignored);
      const of = (role) => told.filter((n) => n.role?.value === role);
      const names = (role) => of(role).map((n) => n.name.value).sort();
      assert.deepEqual(names('heading'), ['Another browser', 'This browser', 'Where you are logged in']);
      assert.deepEqual(names('button'), ['Log out everywhere else', 'Log out there']);
      assert.equal(of('button').find((b) => b.name.value === 'Log out there').description.value, 'Another browser');
      assert.equal(of('listitem').length, 2);
      assert.equal(of('main').length, 1);
      await page.screenshot({ path: path.join(out, `devices-${width}.png`), fullPage: true });
    }
  }),
};

await run(walks);
