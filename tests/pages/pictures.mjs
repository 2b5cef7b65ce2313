// pictures.mjs PAGE: the report as it is shown in the README.

import { pathToFileURL } from "node:url";
import { opened } from "./browser.mjs";

const { browser, page } = await opened(pathToFileURL(process.argv[2]).href, { viewport: { width: 1360, height: 760 } });
await page.screenshot({ path: "report.png" });
await browser.close();
