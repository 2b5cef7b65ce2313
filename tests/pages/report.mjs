// report.mjs PAGE: of the three jobs of `pages.rs`, one of which prints HTML.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { becomes, names, opened } from "./browser.mjs";

const url = pathToFileURL(process.argv[2]).href;
const { browser, page, said, asked } = await opened(url);
const text = (id) => page.locator(id).textContent();

// Everything is there, and nobody else's text is obeyed.
assert.deepEqual(await names(page), ["good", "harmful", "tiles"]);
assert.match(await page.title(), /^<img src=x onerror=document\.title=3>\.yaml – batchwright$/);
assert.equal(await page.locator("img").count(), 0);

// Filters: by status, by cause, by words; together.
await page.getByRole("button", { name: /^FAILED 2$/ }).click();
assert.deepEqual(await names(page), ["harmful", "tiles"]);
assert.equal(await text("#count"), "2 of 3 jobs");
await page.locator("#causes button", { hasText: "EXIT_CODE" }).click();
assert.deepEqual(await names(page), ["harmful"]);
await page.locator("#causes button", { hasText: "EXIT_CODE" }).click();
await page.keyboard.press("/");
await page.keyboard.type("children");
await becomes(() => names(page), ["tiles"]);
await page.locator("#search").fill("nothing has this name");
await becomes(() => text("#space"), "no job matches");
await page.locator("#search").fill("");
await page.getByRole("button", { name: /^FAILED 2$/ }).click();
await becomes(() => names(page), ["good", "harmful", "tiles"]);

// Sorted by a column, and back.
await page.getByRole("button", { name: "sort by job" }).click();
await page.getByRole("button", { name: "sort by job" }).click();
assert.deepEqual(await names(page), ["tiles", "harmful", "good"]);
await page.getByRole("button", { name: "sort by job" }).click();

// By keys alone: down to the second job, and its details.
await page.locator("#body").focus();
await page.keyboard.press("ArrowDown");
await page.keyboard.press("ArrowDown");
await page.keyboard.press("Enter");
const details = page.locator("#dialog");
assert.match(await details.textContent(), /exit code 3/);
assert.match(await details.textContent(), /<\/script><script>document\.title=1<\/script>/);
assert.match(await details.textContent(), /batchwright rerun harmful --local/);
await page.keyboard.press("Escape");
await page.locator(".row", { hasText: "tiles" }).click();
assert.match(await details.textContent(), /2 of 3 children FAILED: 1 \(exit code 1\), 2 \(exit code 2\)/);
await page.keyboard.press("Escape");

// Dark, and on paper.
await page.locator("#theme").click();
const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const dark = await background();
await page.locator("#theme").click();
assert.notEqual(await background(), dark);
await page.emulateMedia({ media: "print" });
assert.equal(await page.locator(".bar").first().isVisible(), false);
await page.emulateMedia({ media: "screen" });

// A link that holds what to search for.
await page.goto("about:blank");
await page.goto(`${url}#exit_code`);
assert.deepEqual(await names(page), ["harmful"]);

assert.deepEqual(said, [], "the console is silent");
assert.deepEqual(asked.filter((one) => !one.startsWith("file:") && one !== "about:blank"), [], "no request leaves the page");
await browser.close();
