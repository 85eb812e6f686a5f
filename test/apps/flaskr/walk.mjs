// Walks through flaskr, the blog of Flask's tutorial, beside another backend. URL is the site.
import assert from 'node:assert/strict';
import { run, signedCookie } from '../../browser/run.mjs';

const { URL: site } = process.env;

const walks = {
  'register, log in and log out': async (page, context) => {
    await register(page, 'ada');
    assert.equal(await page.textContent('section h1'), 'Log In');
    assert.deepEqual(await context.cookies(), [], 'there is nothing to remember');
    await logIn(page, 'ada');
    assert.equal(await user(page), 'ada');
    await signedCookie(context);
    assert.equal(await page.evaluate(() => document.cookie), '', 'no script may read it');
    await page.getByText('Log Out').click();
    assert.equal(await user(page), 'nobody');
    assert.deepEqual(await context.cookies(), []);
    await page.goto(site + '/create');
    assert.equal(await page.textContent('section h1'), 'Log In');
  },

  'write, edit and delete a post': async (page, context) => {
    await register(page, 'grace');
    await logIn(page, 'grace');
    await page.getByText('New', { exact: true }).click();
    await page.fill('#title', 'Compilers');
    await page.fill('#body', 'They said computers could only do arithmetic.');
    await save(page);
    assert.deepEqual(await titles(page), ['Compilers']);
    assert.match(await page.textContent('.about'), /^by grace on /);

    await page.getByText('Edit').click();
    await page.fill('#title', 'Žofie & <b>compilers</b>');
    await save(page);
    assert.deepEqual(await titles(page), ['Žofie & <b>compilers</b>']);

    page.once('dialog', (dialog) => dialog.accept());
    await page.getByText('Edit').click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.waitForURL(site + '/');
    assert.deepEqual(await titles(page), []);
    await signedCookie(context);
  },

  'what is wrong is said once': async (page, context) => {
    await register(page, 'joan');
    await register(page, 'joan');
    assert.deepEqual(await messages(page), ['User joan is already registered.']);
    await logIn(page, 'nobody');
    assert.deepEqual(await messages(page), ['Incorrect username.']);
    await logIn(page, 'joan', 'wrong');
    assert.deepEqual(await messages(page), ['Incorrect password.']);
    assert.deepEqual(await context.cookies(), []);
    await logIn(page, 'joan');
    assert.deepEqual(await messages(page), []);
    await page.goto(site + '/create');
    await page.evaluate(() => document.querySelector('#title').removeAttribute('required'));
    await save(page);
    assert.deepEqual(await messages(page), ['Title is required.']);
    await page.goto(site);
    assert.deepEqual(await messages(page), []);
    await signedCookie(context);
  },

  'a login takes a new id': async (page, context) => {
    await register(page, 'mary');
    await register(page, 'anne');
    await logIn(page, 'mary');
    const before = await signedCookie(context);
    await logIn(page, 'anne');
    const after = await signedCookie(context);
    assert.equal(await user(page), 'anne');
    assert.notEqual(after.value, before.value);
  },

  'the other backend knows the user, and its message is shown': async (page, context) => {
    await page.goto(site + '/account/');
    assert.equal(await page.textContent('#data'), '{}');
    await register(page, 'emmy');
    await logIn(page, 'emmy');
    await page.goto(site + '/account/');
    assert.match(await page.textContent('#data'), /^\{"user_id":\d+\}$/);
    await page.getByRole('button', { name: 'Leave a message' }).click();
    await page.waitForURL(site + '/');
    assert.deepEqual(await messages(page), ['Your account is in order.']);
    await page.reload();
    assert.deepEqual(await messages(page), []);
    assert.equal(await user(page), 'emmy');
    await signedCookie(context);
  },

  'logged out by the other backend': async (page, context) => {
    await register(page, 'hedy');
    await logIn(page, 'hedy');
    const copy = await signedCookie(context);
    const tab = await context.newPage();
    await tab.goto(site);
    assert.equal(await user(tab), 'hedy');

    await page.goto(site + '/account/');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(site + '/');
    assert.equal(await user(page), 'nobody');
    assert.deepEqual(await context.cookies(), []);
    await tab.reload();
    assert.equal(await user(tab), 'nobody');

    // A copy of Flask's own cookie would stay valid.
    await context.addCookies([copy]);
    await tab.goto(site + '/create');
    assert.equal(await tab.textContent('section h1'), 'Log In');
  },
};

const messages = (page) => page.locator('.flash').allTextContents();
const titles = (page) => page.locator('article h1').allTextContents();

async function user(page) {
  const names = await page.locator('nav span').allTextContents();
  return names.length === 1 ? names[0] : 'nobody';
}

const register = (page, name) => fill(page, 'register', 'Register', name, `password of ${name}`);
const logIn = (page, name, password = `password of ${name}`) => fill(page, 'login', 'Log In', name, password);

async function fill(page, form, button, name, password) {
  await page.goto(`${site}/auth/${form}`);
  await page.fill('#username', name);
  await page.fill('#password', password);
  await answer(page, button);
}

const save = (page) => answer(page, 'Save');

// Returns when the page after the form has loaded.
async function answer(page, button) {
  const loaded = page.waitForEvent('load');
  await page.getByRole('button', { name: button }).click();
  await loaded;
}

await run(walks);
