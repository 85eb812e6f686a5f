// What a user does in each app. late is what the app writes to its session when its headers have gone. usesUp says that the
// login page has a token that the first click uses up, so that a second one may come too late, alone as well.
import assert from 'node:assert/strict';

const { SERVER: server, DATABASE: database, USER: user, PASSWORD: password } = process.env;

// Returns the text of the first of these elements, or "nobody" if there is none.
const whose = async (page, selector) => ((await page.locator(selector).count()) ? (await page.locator(selector).first().innerText()).trim() : 'nobody');

async function fill(page, url, values) {
  await page.goto(url);
  for (const [name, value] of Object.entries(values)) await page.fill(`[name="${name}"]`, value);
}

// Runs how, which leads to another page, and waits for that page.
export async function replace(page, how) {
  await page.evaluate(() => (window.former = true));
  await how();
  await page.waitForFunction(() => !window.former && document.readyState === 'complete');
  await page.waitForLoadState('networkidle');
}

export const apps = {
  DokuWiki: {
    name: 'Victim',
    inside: '<bdi>Victim</bdi>',
    worked: 'Written by a user.',
    async user(page, url) {
      await page.goto(url + '/doku.php?id=start');
      return whose(page, '.user bdi');
    },
    async loginButton(page, url) {
      await fill(page, url + '/doku.php?id=start&do=login', { u: 'victim', p: 'password' });
      return page.locator('#dw__login button[type=submit]');
    },
    async work(page, url, way) {
      await fill(page, `${url}/doku.php?id=${way}&do=edit`, { wikitext: 'Written by a user.' });
      await page.click('#edbtn__save');
      return page.innerText('.page p');
    },
    pages: () => ['', '&do=recent', '&do=index', '&do=profile', '&do=revisions'].map((what) => '/doku.php?id=start' + what),
    logoutButton: (page) => page.locator('a[href*="do=logout"]').first(),
  },

  Adminer: {
    name: user,
    late: /"dbs":.*"information_schema"/,
    inside: 'name="logout"',
    worked: "Earl Grey, Žofie's 🙂",
    async user(page, url) {
      await page.goto(`${url}/?server=${server}&username=${user}&db=${database}`);
      return (await page.locator('[name=logout]').count()) ? user : 'nobody';
    },
    async loginButton(page, url) {
      await fill(page, url, { 'auth[server]': server, 'auth[username]': user, 'auth[password]': password, 'auth[db]': database });
      return page.getByRole('button', { name: 'Login' });
    },
    async work(page, url, way) {
      for (const text of [`CREATE TABLE adminer_${way} (id int PRIMARY KEY, name varchar(40) CHARACTER SET utf8mb4)`, `INSERT INTO adminer_${way} VALUES (1, 'Earl Grey'), (2, 'Žofie''s 🙂')`]) {
        await page.getByRole('link', { name: 'SQL command' }).click();
        await page.evaluate((text) => (document.querySelector('textarea[name=query]').value = text), text);
        await page.getByRole('button', { name: 'Execute' }).click();
        assert.match(await page.locator('.message').first().innerText(), /^Query executed OK/);
      }
      await page.goto(`${url}/?server=${server}&username=${user}&db=${database}&select=adminer_${way}`);
      return (await page.locator('#table tbody td:last-child').allInnerTexts()).join(', ');
    },
    pages: () => ['', '&sql=', '&database=', '&schema=', '&variables='].map((what) => `/?server=${server}&username=${user}&db=${database}${what}`),
    logoutButton: (page) => page.getByRole('button', { name: 'Logout' }),
  },

  phpMyAdmin: {
    name: user,
    late: /"errors":\[\]/,
    usesUp: true,
    inside: 'route=/logout',
    worked: "Earl Grey, Žofie's 🙂",
    async user(page, url) {
      await page.goto(url + '/index.php?route=/');
      return (await page.locator('a[href*="route=/logout"]').count()) ? user : 'nobody';
    },
    async loginButton(page, url) {
      await fill(page, url + '/index.php', { pma_username: user, pma_password: password });
      return page.locator('#input_go');
    },
    async work(page, url, way) {
      const table = `phpmyadmin_${way}`;
      for (const text of [`CREATE TABLE ${database}.${table} (id int PRIMARY KEY, name varchar(40) CHARACTER SET utf8mb4)`, `INSERT INTO ${database}.${table} VALUES (1, 'Earl Grey'), (2, 'Žofie''s 🙂')`]) {
        await page.goto(`${url}/index.php?route=/database/sql&db=${database}`);
        await page.locator('#queryfieldscontainer .CodeMirror').evaluate((editor, text) => editor.CodeMirror.setValue(text), text);
        await page.click('#button_submit_query');
        await page.waitForSelector('.alert-success');
      }
      await page.goto(`${url}/index.php?route=/sql&db=${database}&table=${table}`);
      return (await page.locator('.table_results tbody td:last-child').allInnerTexts()).map((text) => text.trim()).join(', ');
    },
    pages: () => ['/', '/server/databases', '/server/status', '/server/variables', `/database/structure&db=${database}`].map((route) => '/index.php?route=' + route),
    logoutButton: (page) => page.locator('a[href*="route=/logout"]').first(),
  },

  MediaWiki: {
    name: 'Victim',
    inside: 'id="pt-userpage"',
    worked: 'Written by a user.',
    async user(page, url) {
      await page.goto(url + '/index.php?title=Main_Page');
      return whose(page, '#pt-userpage a');
    },
    async loginButton(page, url) {
      await fill(page, url + '/index.php?title=Special:UserLogin', { wpName: 'victim', wpPassword: 'Victims-1st-word' });
      return page.locator('#wpLoginAttempt');
    },
    async work(page, url, way) {
      await fill(page, `${url}/index.php?title=Page_${way}&action=edit`, { wpTextbox1: 'Written by a user.' });
      await page.click('#wpSave');
      return page.innerText('.mw-parser-output p');
    },
    pages: () => ['Main_Page', 'Main_Page&action=history', 'Special:RecentChanges', 'Special:Watchlist', 'Special:AllPages'].map((title) => '/index.php?title=' + title),
    async logoutButton(page, url) {
      await page.goto(url + '/index.php?title=Special:UserLogout');
      return page.locator('#mw-content-text button[type=submit]');
    },
  },

  Roundcube: {
    name: 'victim',
    inside: 'rcmail.set_env\\(\\{.*"task":"(mail|settings|addressbook)"',
    worked: 'Earl Grey at five. Asked for mail every 5 minutes.',
    async user(page, url) {
      await page.goto(url + '/?_task=settings&_action=about');
      return (await page.locator('#rcmloginuser').count()) ? 'nobody' : 'victim';
    },
    async loginButton(page, url) {
      await fill(page, url, { _user: 'victim', _pass: 'password' });
      return page.locator('#rcmloginsubmit');
    },
    async work(page, url) {
      await page.goto(url + '/?_task=mail&_mbox=INBOX&_uid=1&_action=show');
      const text = await page.innerText('#messagebody');
      const settings = url + '/?_task=settings&_action=edit-prefs&_section=general';
      await page.goto(settings);
      await page.selectOption('[name=_refresh_interval]', '5');
      await replace(page, () => page.locator('.formbuttons .submit').click());
      await page.goto(settings);
      return `${text.trim()} Asked for mail every ${await page.inputValue('[name=_refresh_interval]')} minutes.`;
    },
    pages: () => ['mail', 'mail&_action=show&_uid=1&_mbox=INBOX', 'settings&_action=folders', 'addressbook', 'settings&_action=identities'].map((task) => '/?_task=' + task),
    async logoutButton(page, url) {
      await page.goto(url + '/?_task=settings');
      return page.locator('a.logout').first();
    },
  },

  Symfony: {
    name: 'victim',
    inside: '<p id="user">victim</p>',
    worked: 'Tea at five. Kept.',
    async user(page, url) {
      await page.goto(url);
      return page.innerText('#user');
    },
    async loginButton(page, url) {
      await fill(page, url + '/login', { _username: 'victim', _password: 'password' });
      return page.getByRole('button');
    },
    async work(page) {
      await page.fill('[name=note]', 'Tea at five.');
      await page.click('#keep');
      return `${await page.innerText('#note')} ${await page.innerText('#flash')}`;
    },
    pages: () => ['/?1', '/?2'],
    logoutButton: (page) => page.locator('#logout'),
  },
};
