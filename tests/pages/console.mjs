// console.mjs ADDRESS: of the jobs of `pages.rs`: `bad` has FAILED, `slow` runs until it is stopped, `waits` depends on
// it.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { becomes, names, opened } from "./browser.mjs";

const { browser, page, said, asked } = await opened(process.argv[2]);
const row = (name) => page.locator(".row", { hasText: name });
const status = (name) => () => row(name).locator(".s").textContent();

await becomes(() => names(page), ["bad", "slow", "waits"]);
await becomes(status("slow"), "RUNNING");
assert.equal(new URL(page.url()).hash, "", "the token is not left in the address");

// Why a job failed, from the store and its log.
await row("bad").click();
const details = page.locator("#dialog");
await becomes(async () => /What to do/.test(await details.textContent()), true);
assert.match(await details.textContent(), /EXIT_CODE/);
assert.match(await details.textContent(), /no such tile/);
await page.keyboard.press("Escape");

// What runs is stopped, after a question, and the page hears of it by itself.
await row("slow").click();
await details.getByRole("button", { name: "terminate" }).click();
const question = page.locator("#confirm");
assert.match(await question.textContent(), /terminate slow\?/);
await question.getByRole("button", { name: "leave it" }).click();
assert.equal(await page.locator("#actions details").count(), 0);
await details.getByRole("button", { name: "terminate" }).click();
await question.getByRole("button", { name: "terminate" }).click();
await becomes(status("slow"), "FAILED");
await becomes(status("waits"), "FAILED");
await becomes(() => page.locator("#actions summary .s").allTextContents(), ["done"]);

// Nobody runs the folder now. What failed runs again by itself, and finds its tile beside the job file.
writeFileSync("tile", "");
await becomes(async () => (await page.locator("#offers button").allTextContents()).join(), "rerun 3");
await row("bad").click();
await details.getByRole("button", { name: "rerun" }).click();
await question.getByRole("button", { name: "rerun" }).click();
await becomes(status("bad"), "SUCCEEDED");
await becomes(() => page.locator("#actions summary .s").allTextContents(), ["done", "done"]);
assert.match(await page.locator("#actions pre").first().textContent(), /1 job/);

// The page is opened again without its token.
await page.reload();
await becomes(() => names(page), ["bad", "slow", "waits"]);

assert.deepEqual(said, [], "the console is silent");
const origin = new URL(process.argv[2]).origin;
assert.deepEqual(asked.filter((one) => !one.startsWith(origin)), [], "nobody else is asked");
await browser.close();
