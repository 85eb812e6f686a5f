// Looks at the documentation's site, as wide screens and small phones show it. URL is the site, PAGES the paths of its
// pages, separated by blanks.
import assert from 'node:assert/strict';
import path from 'node:path';
import { run } from '../browser/run.mjs';

const { URL: site, PAGES: pages, OUT: out } = process.env;
// What people look for, and the page that is to be among the first three results.
const words = {
  Laravel: 'start/laravel', WordPress: 'recipes/wordpress', systemd: 'install', Docker: 'install',
  Kubernetes: 'install', backup: 'operating', upgrade: 'operating', troubleshooting: 'troubleshooting', Java: 'start/java',
  GeoServer: 'mod_session', JSESSIONID: 'recipes/tomcat', performance: 'costs', SAML: 'faq',
};

const look = (width) => async (page, context) => {
  await page.setViewportSize({ width, height: 800 });
  const foreign = [];
  context.on('request', (r) => r.url().startsWith(site) || foreign.push(r.url()));
  for (const name of pages.split(' ')) {
    const answer = await page.goto(site + name);
    assert.equal(answer.status(), 200, name);
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(wide <= room, `${name} is ${wide} wide in ${room}`);
    if (['', 'docs/', 'docs/start/php/', 'docs/options/'].includes(name)) {
      await page.screenshot({ path: path.join(out, `site-${name.replaceAll('/', '-')}${width}.png`) });
    }
  }
  assert.deepEqual(foreign, []);
};

await run({
  'every page on a wide screen': look(1280),
  'every page on a small phone': look(320),
  'the search finds what people look for': async (page) => {
    for (const [word, where] of Object.entries(words)) {
      await page.goto(site);
      const input = page.locator('input[aria-label="Search"]');
      for (let i = 0; i < 100 && !(await input.isVisible()); i++) { // its script may still be loading
        await page.keyboard.press('/');
        await page.waitForTimeout(100);
      }
      await input.fill(word);
      let first = []; // Only the links of results carry the word.
      const found = () => first.some((link) => new URL(link).pathname === `/docs/${where}/`);
      for (let i = 0; i < 200 && !found(); i++) {
        await page.waitForTimeout(100);
        first = await page.locator(`a[href*="?h=${word}"]`).evaluateAll((links) => links.slice(0, 3).map((link) => link.href));
      }
      assert.ok(found(), `${word}: ${first}`);
    }
    await page.screenshot({ path: path.join(out, 'site-search.png') });
  },
});
