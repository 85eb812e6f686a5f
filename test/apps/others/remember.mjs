// Logs in to an app with and without "remember me", then closes the browser or waits. URL is the site, LOGIN the path of its
// form, IDLE the idle timeout of its sessions in milliseconds (0: none), OURS whether our proxy is in front of it.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { args } from '../../browser/run.mjs';

const { CHROMIUM: executablePath, URL: site, LOGIN: form } = process.env;
const idle = Number(process.env.IDLE), ours = process.env.OURS === 'yes';

const restarts = {
  'remembered when the browser is closed': async (browser) => {
    await browser.logIn(true);
    assert.equal(await browser.user(), 'victim');
    for (let i = 0; i < 2; i++) {
      await browser.restart();
      assert.equal(await browser.user(), 'victim');
      assert.equal(await browser.user(), 'victim');
      assert.ok(['empty', undefined].includes(await browser.cart()), 'the session outlived the browser');
    }
    await browser.logOut();
    assert.equal(await browser.user(), 'nobody');
    await browser.restart();
    assert.equal(await browser.user(), 'nobody');
  },
  'not remembered when the browser is closed': async (browser) => {
    await browser.logIn(false);
    assert.equal(await browser.user(), 'victim');
    await browser.restart();
    assert.equal(await browser.user(), 'nobody');
    assert.ok(['empty', undefined].includes(await browser.cart()));
  },
};
const waits = {
  'remembered when the session was idle': async (browser) => {
    await browser.logIn(true);
    await sleep(idle * 1.2);
    assert.equal(await browser.user(), 'victim');
    assert.ok(['empty', undefined].includes(await browser.cart()), 'the session outlived its idle timeout');
    assert.equal(await browser.user(), 'victim');
    await browser.restart();
    assert.equal(await browser.user(), 'victim');
  },
  'not remembered when the session was idle': async (browser) => {
    await browser.logIn(false);
    await sleep(idle * 1.2);
    assert.equal(await browser.user(), 'nobody');
  },
};

class Browser {
  async start() {
    this.profile ??= await mkdtemp(path.join(tmpdir(), 'profile-'));
    this.context = await chromium.launchPersistentContext(this.profile, { executablePath, args });
    this.context.setDefaultTimeout(60_000);
    this.page = await this.context.newPage();
  }
  async stop() {
    await this.context.close();
  }
  async restart() {
    await this.stop();
    await this.start();
  }
  async logIn(remember) {
    await this.page.goto(site + form);
    const password = await this.page.$('[name=pwd]');
    // WordPress moves the focus a moment after the page is there, and what is being typed with it.
    if (password) await this.page.waitForFunction(() => document.activeElement.name === 'log');
    await this.page.fill('[name=log]', 'victim');
    if (password) await password.fill('password');
    if (remember) await this.page.check('[name=rememberme]');
    await this.page.click('#wp-submit');
    await this.page.waitForSelector('#user');
    const cookies = await this.context.cookies(site);
    if (ours) {
      assert.deepEqual(cookies.map((c) => c.name).sort(), remember ? ['caddy_session', 'caddy_session_browser'] : ['caddy_session']);
      assert.equal(await this.page.evaluate(() => document.cookie), '', 'no script may read it');
    }
    assert.equal(cookies.some((c) => c.expires > 0), remember);
  }
  async logOut() {
    await this.page.goto(site + '/');
    await this.page.click('#logout');
  }
  async user() {
    await this.page.goto(site + '/');
    return this.page.textContent('#user');
  }
  async cart() {
    return (await this.page.$('#cart')) ? this.page.textContent('#cart') : undefined;
  }
}

for (const [name, walk] of Object.entries(idle ? waits : restarts)) {
  const browser = new Browser();
  let error = '';
  await browser.start();
  try {
    await walk(browser);
  } catch (e) {
    error = e.stack;
  }
  await browser.stop();
  await rm(browser.profile, { recursive: true, force: true });
  console.log(JSON.stringify({ name, error }));
}
