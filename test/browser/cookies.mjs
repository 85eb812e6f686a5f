// Lets a real browser receive Set-Cookie lines and prints what it stores. CHROMIUM is the browser. Each line of standard
// input is a JSON list of URLs, which the browser opens in order, beginning without cookies. For each line it prints
// one: the texts of the pages, and the cookies at the end.
import readline from 'node:readline';
import { chromium } from 'playwright-core';

// All host names resolve to this machine. Chromium's sandbox does not work as root.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    '--host-resolver-rules=MAP * 127.0.0.1', '--ignore-certificate-errors', '--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable',
    '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true });
const page = await context.newPage();
for await (const line of readline.createInterface({ input: process.stdin })) {
  await context.clearCookies();
  const pages = [];
  for (const url of JSON.parse(line)) {
    const response = await page.goto(url);
    pages.push(await response.text());
  }
  console.log(JSON.stringify({ pages, cookies: await context.cookies() }));
}
await browser.close();
