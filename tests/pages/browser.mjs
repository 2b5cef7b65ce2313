// Opens a page in the browser, and keeps what its console says and whom it asks.

import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.env.PACKAGES}/`)("playwright-core");

export const opened = async (url, options = {}) => {
  const browser = await chromium.launch({
    executablePath: process.env.BROWSER,
    args: ["--no-sandbox", "--disable-gpu", "--no-zygote"],
  });
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 }, ...options });
  const said = [], asked = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("dialog", (dialog) => { said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith("data:")) asked.push(request.url()); });
  await page.goto(url);
  return { browser, page, said, asked };
};

// The names in the rows that are seen, from top to bottom.
export const names = (page) => page.locator("#space .row > div:first-child").allTextContents();

// Waits until what is found is as expected.
export const becomes = async (find, expected) => {
  const wanted = JSON.stringify(expected);
  let found;
  for (let tries = 0; tries < 600; tries++) {
    found = JSON.stringify(await find());
    if (found === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`expected ${wanted}, found ${found}`);
};
