// Has a real browser receive Set-Cookie lines, and tells what it does with them. CHROMIUM is the browser. Every line of
// standard input is a JSON list of URLs of one case, to be opened one after the other, in a browser without any
// cookies. For each it prints a line: the texts of these pages, and the cookies that are there in the end.
import readline from 'node:readline';
import { chromium } from 'playwright-core';

// All names lead to this machine. Chromium's sandbox does not start for root.
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
