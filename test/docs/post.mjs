// Comes back to a site by a form on another one, as with SAML. SITES are the site's URLs by what stands for SameSite, OTHER is
// the other site. Prints for each whether the site got its cookie back.
import assert from 'node:assert/strict';
import { run } from '../browser/run.mjs';

const sites = JSON.parse(process.env.SITES);
const walk = (site, want) => async (_, context) => {
  const own = await context.browser().newContext({ ignoreHTTPSErrors: true });
  const page = await own.newPage();
  await page.goto(site);
  await page.goto(`${process.env.OTHER}?to=${encodeURIComponent(site)}`);
  await page.getByRole('button').click();
  await page.waitForURL((url) => String(url).startsWith(site));
  assert.equal(await page.locator('body').textContent(), want);
  await own.close();
};

await run({
  'SameSite=Lax: the session is not there': walk(sites.lax, 'POST: no session'),
  'SameSite=None: the session is there': walk(sites.none, 'POST: the session'),
});
