// Walks through the page of session_admin. URL is the site, with sessions of zoe and others on it, OUT a folder for
// screenshots.
import assert from 'node:assert/strict';
import path from 'node:path';
import { launch, run } from './run.mjs';

const { URL: site, OUT: out } = process.env;
const url = site.replace('://', '://operator:pass@') + '/sessions';

// Opens the page in a context of its own, without scripts.
async function plain(f) {
  const browser = await launch();
  const context = await browser.newContext({ javaScriptEnabled: false });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  await page.goto(url);
  await f(page);
  await browser.close();
}

// Presses Tab until the control with this accessible name has the focus.
async function tabTo(page, role, name) {
  const control = page.getByRole(role, { name }).first();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if ((await page.locator(':focus').count()) && (await control.evaluate((e) => e === document.activeElement))) return;
  }
  assert.fail(`no Tab leads to ${role} ${name}`);
}

// Waits until the browser has moved the focus, which it does some time after the page is there.
const focusIsOn = (page, role) => page.waitForFunction((role) => document.activeElement.getAttribute('role') === role, role);

const walks = {
  'without scripts': () =>
    plain(async (page) => {
      assert.equal(await page.title(), 'Sessions');
      const before = await page.getByRole('row').count();
      await page.getByLabel('User').fill('ada');
      await page.getByRole('button', { name: 'Find by user' }).click();
      await page.getByRole('heading', { name: 'Sessions of ada' }).waitFor();
      assert.equal(await page.getByRole('row').count(), 2);
      await page.getByRole('button', { name: 'End the session of ada' }).click();
      await page.getByRole('status').getByText('1 session has ended.').waitFor();
      assert.match(await page.title(), /^1 session has ended\./);
      assert.equal(await page.getByRole('row').count(), before - 1);
      assert.equal(await page.getByText('ada').count(), 0);
    }),

  'by keyboard alone': async (page) => {
    await page.goto(url);
    await tabTo(page, 'textbox', 'User');
    await page.keyboard.type('grace');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Sessions of grace' }).waitFor();
    await tabTo(page, 'button', 'End the session of grace');
    await page.keyboard.press('Enter');
    // The focus is on what was done, and the next control follows it.
    await page.getByRole('status').getByText('1 session has ended.').waitFor();
    await focusIsOn(page, 'status');
    await tabTo(page, 'textbox', 'Ref');
    await page.keyboard.type('x');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('a ref has 43').waitFor();
    await focusIsOn(page, 'alert');
    await tabTo(page, 'link', 'All sessions');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'All sessions' }).waitFor();
    const outline = await page.evaluate(() => {
      document.querySelector('input').focus();
      return getComputedStyle(document.querySelector('input')).outlineWidth;
    });
    assert.equal(outline, '3px');
  },

  'what a screen reader is told': async (page, context) => {
    for (const width of [1280, 320]) {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(url);
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
      const cdp = await context.newCDPSession(page);
      const { nodes } = await cdp.send('Accessibility.getFullAXTree');
      const told = nodes.filter((n) => !n.ignored).map((n) => ({ role: n.role?.value, name: n.name?.value }));
      const of = (role) => told.filter((n) => n.role === role);
      for (const { role, name } of told) {
        if (['button', 'textbox', 'link', 'combobox', 'table', 'region', 'heading', 'columnheader', 'rowheader'].includes(role)) {
          assert.ok(name, `a ${role} has no name at ${width} px`);
        }
      }
      assert.equal(new Set(of('button').map((b) => b.name)).size, of('button').length, 'two buttons have one name');
      assert.deepEqual(of('columnheader').map((h) => h.name), ['User', 'Scope', 'Last used', 'Created', 'Expires', 'Size', 'Ref', 'Action']);
      assert.equal(of('table').length, 1);
      assert.match(of('table')[0].name, /^\d+ sessions$/);
      const rows = of('row').length - 1;
      assert.ok(rows > 3 && of('rowheader').length === rows && of('cell').length === rows * 7, `${rows} rows at ${width} px`);
      assert.deepEqual(of('heading').map((h) => h.name), ['Sessions', 'Find', 'All sessions']);
      assert.equal(of('main').length, 1);
    }
  },

  'the page fits': async (page) => {
    for (const width of [320, 768, 1280]) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        for (const [name, query] of [['list', ''], ['ended', '?ended=1'], ['error', '?ref=x']]) {
          await page.goto(url + query);
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, `the page is wider than ${width} px`);
          await page.screenshot({ path: path.join(out, `page-${name}-${width}-${colorScheme}.png`), fullPage: true });
        }
      }
    }
  },

  'texts can be read': async (page) => {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.goto(url + '?ended=1');
      const least = await page.evaluate(leastContrast);
      assert.ok(least.ratio >= 4.5, `${colorScheme}: the contrast of ${least.text} is ${least.ratio}`);
    }
  },
};

// Returns the text with the least contrast to its background, as WCAG 2.2 measures it.
function leastContrast() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = rgb(color).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const base = matchMedia('(prefers-color-scheme: dark)').matches ? '#121212' : '#ffffff'; // the browser's own
  let least = { ratio: Infinity };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim();
    let e = texts.currentNode.parentElement;
    if (!text || e.closest('.hidden, option, style')) continue;
    const front = luminance(getComputedStyle(e).color);
    while (e && rgb(getComputedStyle(e).backgroundColor)[3] === 0) e = e.parentElement;
    const back = luminance(e ? getComputedStyle(e).backgroundColor : base);
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < least.ratio) least = { ratio, text };
  }
  return least;
}

await run(walks);
