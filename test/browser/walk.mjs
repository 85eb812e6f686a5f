// Walks through the example site. URL is the site, ELSEWHERE a page of another site, OUT a folder for screenshots.
import assert from 'node:assert/strict';
import path from 'node:path';
import { cookie, run, signedCookie } from './run.mjs';

const { URL: site, ELSEWHERE: elsewhere, OUT: out } = process.env;
const days = 24 * 60 * 60;

const walks = {
  'visits are counted': async (page) => {
    await page.goto(site);
    assert.equal(await visits(page), 1);
    await page.reload();
    assert.equal(await visits(page), 2);
    await page.getByText('Visit again').click();
    await page.waitForFunction(() => document.querySelector('#visits').textContent === '3');
    // The page's style sheet is not a visit.
    await page.goto(site + '/style.css');
    await page.goto(site);
    assert.equal(await visits(page), 4);
  },

  'visits at the same time are counted': async (page) => {
    await page.goto(site);
    await page.evaluate(() => Promise.all(Array.from({ length: 25 }, () => fetch('/'))));
    await page.reload();
    assert.equal(await visits(page), 27);
  },

  'ten visits at once are counted, without scripts': async (page) => {
    await page.goto(site);
    await page.getByRole('link', { name: 'Ten at once' }).click();
    await page.waitForLoadState('load');
    assert.equal(await page.locator('img').evaluateAll((all) => all.filter((i) => i.complete && i.naturalWidth > 0).length), 10);
    await page.screenshot({ path: path.join(out, 'ten.png'), fullPage: true });
    await page.getByRole('link', { name: 'Look at the count' }).click();
    await page.waitForSelector('#visits');
    assert.equal(await visits(page), 12);
  },

  'a login survives a double click': async (page, context) => {
    await page.goto(site);
    for (const name of ['Ada', 'Grace']) {
      await page.fill('input[name=name]', name);
      await page.getByRole('button', { name: 'Log in' }).dblclick();
      await page.waitForSelector('.flash');
      await page.goto(site);
      assert.equal(await heading(page), `Hello, ${name}.`);
      await signedCookie(context);
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.waitForSelector('text=You are logged out.');
    }
  },

  'the same session in PHP and Python': async (page) => {
    await page.goto(site);
    await logIn(page, 'Zoë <i>');
    for (const language of ['PHP', 'Python']) {
      for (const before of [0, 1]) {
        await page.getByRole('link', { name: language }).click();
        await page.waitForSelector('#here');
        assert.equal(await heading(page), `Hello, Zoë <i>. This is ${language}.`);
        assert.equal(await page.textContent('#here'), String(before));
        await page.getByRole('link', { name: 'Back' }).click();
        await page.waitForSelector('#visits');
      }
    }
    assert.deepEqual(await page.evaluate(() => fetch('/').then((r) => r.headers.get('x-session-explain')).then((x) => x.split(',')[0])), 'outcome=hit');
    await page.goto(site);
    const stored = JSON.parse((await page.textContent('#stored')).split('\n')[1]);
    assert.deepEqual(stored, { user: 'Zoë <i>', visits: 7, php: 2, python: 2 });
  },

  'the header lines are those that the app got and set': async (page) => {
    await page.goto(site);
    assert.deepEqual(lines(await page.textContent('#got')), ['X-Session-Data: {}', 'X-Session-Info: exists=?0']);
    await logIn(page, 'Ada');
    const [data, info, flash, ...more] = lines(await page.textContent('#got'));
    assert.deepEqual([data, flash, more], ['X-Session-Data: {"visits":1,"user":"Ada"}', 'X-Session-Flash: [["success","Welcome, Ada."]]', []]);
    assert.match(info, /^X-Session-Info: exists, ref="[\w-]{43}", created=@\d+, expires=@\d+$/);
    assert.equal(lines(await page.textContent('#stored'))[0], info.match(/ref="(.*?)"/)[1]);
    assert.deepEqual(lines(await page.textContent('#responded')), [
      'X-Session-Update: [{"op": "increment", "path": "/visits", "value": 1}]', 'X-Session-Control: flash-seen']);
  },

  'what Caddy made of a request is on the page, without scripts': async (page) => {
    await page.goto(site);
    const frame = page.frameLocator('iframe');
    const says = async (answer, commit) => {
      const [request, line] = lines(await frame.locator('#explained', { hasText: answer }).textContent());
      assert.equal(request, answer);
      assert.match(line, new RegExp(`^X-Session-Explain: outcome=hit, store-ms=[\\d.]+, ${commit}cookie=kept;name="caddy_session"$`));
    };
    await says('GET /style.css', '');
    await frame.getByRole('link', { name: 'Count one more visit' }).click();
    await says('GET /one', 'commit=saved, ');
    await frame.getByRole('link', { name: 'Change nothing' }).click();
    await says('GET /style.css', '');
    await page.goto(site);
    assert.equal(await visits(page), 3);
  },

  'log in and out': async (page, context) => {
    await page.goto(site);
    assert.equal(await heading(page), 'Hello, stranger.');
    const before = await cookie(context);
    await logIn(page, 'Ada Lovelace');
    assert.equal(await heading(page), 'Hello, Ada Lovelace.');
    assert.equal(await visits(page), 2);
    assert.notEqual((await cookie(context)).value, before.value, 'a login must take a new id');
    await page.reload();
    assert.equal(await heading(page), 'Hello, Ada Lovelace.');

    const tab = await context.newPage();
    await tab.goto(site);
    assert.equal(await heading(tab), 'Hello, Ada Lovelace.');

    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForSelector('text=You are logged out.');
    assert.equal(await heading(page), 'Hello, stranger.');
    assert.equal(await visits(page), 1, 'the old session must be gone');
    await tab.reload();
    assert.equal(await heading(tab), 'Hello, stranger.');
  },

  'a name is required': async (page) => {
    await page.goto(site);
    await page.evaluate(() => document.querySelector('input').removeAttribute('required'));
    await logIn(page, '   ');
    assert.equal(await page.textContent('.flash'), 'Please enter a name.');
    assert.equal(await heading(page), 'Hello, stranger.');
  },

  'a message is seen once': async (page) => {
    await page.goto(site);
    assert.equal(await page.locator('.flash').count(), 0);
    await page.getByRole('button', { name: 'Leave one for the next page' }).click();
    await page.waitForSelector('.flash');
    assert.match(await page.textContent('.flash'), /^You left this message/);
    await page.reload();
    assert.equal(await page.locator('.flash').count(), 0);
  },

  'the cookie in the browser': async (page, context) => {
    await page.goto(site);
    const { name, value, domain, path, httpOnly, secure, sameSite, expires } = await cookie(context);
    assert.deepEqual(
      { name, domain, path, httpOnly, secure, sameSite },
      { name: 'caddy_session', domain: new URL(site).hostname, path: '/', httpOnly: true, secure: false, sameSite: 'Lax' },
    );
    assert.match(value, /^[\w-]{43}\.[\w-]{43}$/);
    const left = expires - Date.now() / 1000;
    assert.ok(left > 30.9 * days && left < 31.1 * days, `it expires in ${left / days} days`);
    assert.equal(await page.evaluate(() => document.cookie), '', 'no script may read it');
  },

  'the session headers stay with Caddy': async (page) => {
    const ours = [];
    page.on('response', (response) => {
      ours.push(...Object.keys(response.headers()).filter((name) => name.startsWith('x-session') && name !== 'x-session-explain'));
    });
    await page.goto(site);
    await logIn(page, 'Ada');
    assert.deepEqual(ours, []);
  },

  'another site cannot log a visitor out': async (page) => {
    await page.goto(site);
    await logIn(page, 'Ada');
    await page.goto(elsewhere);
    await page.setContent(`<form method="post" action="${site}/logout"><button>Win a prize</button></form>`);
    const answer = page.waitForResponse(site + '/logout');
    await page.getByRole('button').click();
    assert.equal((await answer).status(), 403);
    await page.goto(site);
    assert.equal(await heading(page), 'Hello, Ada.');
  },

  'what a visitor types does no harm': async (page) => {
    for (const name of [
      '<script>window.harmed = 1</script>',
      '"><img src=x onerror="harmed = 1">',
      "'\"`\\</h1></title></style>",
      '{{placeholder "http.session.ref"}}',
      '{http.session.data} {env.PATH}',
      '","role":"admin',
      '🙂 Žofie \u2028 ‮drah',
    ]) {
      await page.goto(site);
      await logIn(page, name);
      assert.equal(await heading(page), `Hello, ${name}.`);
      assert.equal(await page.textContent('.flash'), `Welcome, ${name}.`);
      const data = JSON.parse(lines(await page.textContent('#got'))[0].replace('X-Session-Data: ', ''));
      assert.equal(data.user, name);
      assert.equal(await page.evaluate(() => window.harmed), undefined, name);
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.waitForSelector('text=You are logged out.');
    }
    // A script can send what a form field cannot hold.
    await page.evaluate(() =>
      fetch('/login', { method: 'POST', body: new URLSearchParams({ name: 'Eve\r\nX-Session-Control: destroy' }) }));
    await page.reload();
    assert.equal(await heading(page), 'Hello, Eve.');
  },

  'the page fits': async (page, context) => {
    for (const [name, width, height] of [['desktop', 1280, 860], ['phone', 390, 844], ['small', 320, 568]]) {
      for (const colorScheme of ['light', 'dark']) {
        await context.clearCookies();
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme });
        await page.goto(site);
        await logIn(page, 'Ada Lovelace');
        const frame = page.frameLocator('iframe').locator('html', { hasText: 'outcome=hit' });
        await frame.waitFor();
        await page.locator('iframe').scrollIntoViewIfNeeded(); // it is drawn only when it is seen
        assert.ok(await frame.evaluate((e) => e.scrollWidth <= innerWidth && document.body.offsetHeight <= innerHeight), `the frame does not fit on the ${name}`);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, `the page is wider than the ${name}`);
        await page.screenshot({ path: path.join(out, `${name}-${colorScheme}.png`), fullPage: true });
      }
    }
    await page.getByRole('button', { name: 'Log out' }).click();
    await logIn(page, 'W'.repeat(40));
    for (const address of ['/', '/ten', '/php', '/python']) {
      await page.goto(site + address);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, `a long name makes ${address} wider`);
    }
  },
};

const lines = (text) => text.split('\n');
const heading = (page) => page.textContent('h1');
const visits = async (page) => Number(await page.textContent('#visits'));

async function logIn(page, name) {
  await page.fill('input[name=name]', name);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForSelector('.flash');
}

await run(walks);
