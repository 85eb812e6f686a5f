// Walks through Adminer. URL is the site, SERVER a MariaDB server, DATABASE its database, USER and PASSWORD the login.
import assert from 'node:assert/strict';
import { run, signedCookie } from '../../browser/run.mjs';

const { URL: site, SERVER: server, DATABASE: db, USER: username, PASSWORD: password } = process.env;

const walks = {
  'log in, work, log out': async (page, context) => {
    const names = new Set();
    page.on('response', async (response) => {
      const line = (await response.allHeaders().catch(() => ({})))['set-cookie'] ?? '';
      for (const cookie of line.split('\n')) if (cookie) names.add(cookie.split('=')[0]);
    });
    await logIn(page);
    const { value } = await signedCookie(context);

    await query(page, 'CREATE TABLE tea (id int PRIMARY KEY, name varchar(40) CHARACTER SET utf8mb4)');
    await query(page, "INSERT INTO tea VALUES (1, 'Earl Grey'), (2, 'Žofie''s 🙂')");
    await page.getByRole('link', { name: 'SQL command' }).click();
    assert.equal(await page.locator('#fieldset-history').count(), 1, 'Adminer must know the queries of its session');
    await page.goto(new URL(await page.locator('#tables a.select').first().getAttribute('href'), page.url()).href);
    const cells = await page.locator('#table tbody td').allTextContents();
    assert.deepEqual(cells.map((text) => text.trim()), ['edit', '1', 'Earl Grey', 'edit', '2', "Žofie's 🙂"]);
    assert.equal((await signedCookie(context)).value, value);
    assert.equal(await page.evaluate(() => document.cookie), '');

    const inside = page.url();
    await page.goto(site + '/logout');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForSelector('input[name="auth[username]"]');
    const after = await signedCookie(context);
    assert.notEqual(after.value, value);
    // Neither the URL nor the cookie from before the logout gives access.
    for (const cookie of [after.value, value]) {
      await context.clearCookies();
      await context.addCookies([{ name: 'caddy_session', value: cookie, url: site }]);
      await page.goto(inside);
      assert.equal(await page.locator('#table').count(), 0);
      assert.equal(await page.locator('input[name="auth[password]"]').count(), 1);
    }
    assert.deepEqual([...names].sort(), ['caddy_session', 'caddy_session_browser'], 'no cookie of Adminer may reach the browser');
  },

  'a login that it remembers, and its own logout': async (page, context) => {
    await logIn(page, { permanent: true });
    await signedCookie(context);
    await page.goto(`${site}/?server=${server}&username=${username}&db=${db}`);
    await page.getByRole('button', { name: 'Logout' }).click();
    await page.waitForSelector('text=Logout successful.');
    await page.goto(`${site}/?server=${server}&username=${username}&db=${db}`);
    assert.equal(await page.locator('input[name="auth[password]"]').count(), 1);
    await signedCookie(context);
  },

  'a wrong password': async (page, context) => {
    await logIn(page, { password: 'wrong' }, '.error');
    assert.match(await page.textContent('.error'), /Access denied/);
    await signedCookie(context);
  },
};

async function logIn(page, { permanent = false, password: pass = password } = {}, then = 'p.logout') {
  await page.goto(site);
  for (const [name, value] of Object.entries({ server, username, password: pass, db })) await page.fill(`input[name="auth[${name}]"]`, value);
  if (permanent) await page.check('input[name="auth[permanent]"]');
  await page.getByRole('button', { name: 'Login' }).click();
  await page.waitForSelector(then);
}

async function query(page, text) {
  await page.getByRole('link', { name: 'SQL command' }).click();
  await page.evaluate((text) => { document.querySelector('textarea[name=query]').value = text; }, text);
  await page.getByRole('button', { name: 'Execute' }).click();
  await page.waitForSelector('.message');
  assert.match(await page.textContent('.message'), /^Query executed OK/);
}

await run(walks);
