// Walks through an unmodified PHP app, APP, at ALONE with PHP's own sessions, and at BEHIND with those that the proxy keeps.
// Whoever asks for KILL/<way> kills the proxy, which starts again.
import assert from 'node:assert/strict';
import { run } from '../../browser/run.mjs';
import { apps, replace } from './apps.mjs';

const { APP, ALONE, BEHIND, KILL, OUT: out } = process.env;
const app = apps[APP];

// Does what users do, in a browser without cookies.
async function visit(page, context, way, url) {
  const isIn = async (when, who = app.name) => assert.equal(await app.user(page, url), who, when);
  const isOut = (when) => isIn(when, 'nobody');
  const logIn = async (click) => {
    const button = await app.loginButton(page, url);
    await replace(page, () => click(button));
  };
  await isOut('at first');
  await logIn((button) => button.dblclick());
  if (app.usesUp && (await app.user(page, url)) === 'nobody') await logIn((button) => button.click());
  await isIn('after a double click on the login');
  assert.equal(await app.work(page, url, way), app.worked);
  await page.screenshot({ path: `${out}/php-${APP}-${way}.png` });
  assert.equal(await atOnce(page, app.pages(page, url), app.inside), 10, 'of ten pages at once');
  await isIn('after ten pages at once');
  if (app.late && way === 'behind') {
    const data = await context.request.get(url + '/data');
    assert.match(await data.text(), app.late, 'what the app has changed after its headers');
  }
  await fetch(`${KILL}/${way}`);
  await isIn('after the proxy was killed');
  const there = page.url();
  const logout = await app.logoutButton(page, url);
  await replace(page, () => logout.evaluate((button) => button.click())); // it may be in a menu
  await isOut('after the logout');
  await page.goto(there);
  await isOut('after the page that was open before');
  await logIn((button) => button.click());
  await isIn('logged in again');
  await page.goto('about:blank'); // nothing that is under way sets a cookie
  if (way === 'alone') {
    await context.clearCookies();
  } else {
    const answer = await context.request.post(`${url}/python/`, { form: { logout: '' }, maxRedirects: 0 });
    assert.equal(answer.status(), 303);
  }
  await isOut('after another backend has destroyed the session');
}

// Asks for ten pages at once, and returns in how many the user is logged in.
const atOnce = (page, paths, inside) =>
  page.evaluate(
    async ([paths, inside]) => {
      const texts = await Promise.all(Array.from({ length: 10 }, async (_, i) => (await fetch(paths[i % paths.length])).text()));
      return texts.filter((text) => new RegExp(inside).test(text)).length;
    },
    [paths, inside],
  );

await run({
  alone: (page, context) => visit(page, context, 'alone', ALONE),
  behind: (page, context) => visit(page, context, 'behind', BEHIND),
});
