// Helpers for walks through a site in a real browser. CHROMIUM is the browser, OUT a folder for screenshots.
import assert from 'node:assert/strict';
import path from 'node:path';
import { chromium } from 'playwright-core';

const { CHROMIUM: executablePath, OUT: out } = process.env;

// Keep Chromium from contacting other machines. Its sandbox does not work as root.
export const args = [
  '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

// Starts the browser.
export function launch() {
  return chromium.launch({ executablePath, args });
}

// Runs each walk with a page and its context, in a browser without cookies. Prints a line of JSON for each: its name and
// its error.
export async function run(walks) {
  const browser = await launch();
  for (const [name, walk] of Object.entries(walks)) {
    const context = await browser.newContext();
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    let error = '';
    page.on('pageerror', (e) => (error ||= String(e)));
    try {
      await walk(page, context);
    } catch (e) {
      error = e.stack;
      await page.screenshot({ path: path.join(out, 'failed.png'), fullPage: true }).catch(() => {});
    }
    console.log(JSON.stringify({ name, error }));
    await context.close();
  }
  await browser.close();
}

// Returns the browser's only cookie, apart from the one that shows whether the browser was closed.
export async function cookie(context) {
  const cookies = (await context.cookies()).filter((c) => c.name !== 'caddy_session_browser');
  assert.equal(cookies.length, 1, `there must be one cookie, not ${cookies.map((c) => c.name)}`);
  return cookies[0];
}

// Returns the same cookie and checks that it is ours: signed, and invisible to scripts.
export async function signedCookie(context) {
  const c = await cookie(context);
  assert.equal(c.name, 'caddy_session');
  assert.match(c.value, /^[\w-]{43}\.[\w-]{43}$/);
  assert.ok(c.httpOnly);
  return c;
}
