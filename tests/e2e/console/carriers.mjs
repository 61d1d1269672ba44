/*
 * carriers.mjs - the heat table, and one carrier's details.
 */
import { check, equal, walk } from "./frame.mjs";

walk("carriers shows rates with volumes, and a carrier's details", async (c) => {
	for (const [language, docomo, title] of [["en", /^docomo by mta:/, "Details: docomo"],
		["ja", /^docomo、mta：/, "docomo の詳細"]]) {
		const page = await c.signIn("view", { path: "carriers", language });
		const cell = page.getByRole("button", { name: docomo });
		check(/\d/.test(await cell.textContent()), "the cell has numbers");
		await cell.focus();
		await page.keyboard.press("Enter");
		await page.getByRole("heading", { name: title }).waitFor();
		await c.settled(page);
		equal(await cell.getAttribute("aria-pressed"), "true", "the chosen cell");
		check(await page.getByRole("heading", { name: title }).evaluate((e) => e === document.activeElement), "focus on the details");
		await page.locator(".carrier-detail .plot canvas").first().waitFor();
		await page.locator(".carrier-detail").getByText("550").first().waitFor();
		await page.locator(".comparison").getByText("compare").first().waitFor();
		await c.audit(page, `carriers with details ${language}`);
		await c.shot(page, `carriers-${language}`);
		check(page.url().includes("carrier=docomo"), "the choice is in the address");
	}
});

walk("a carrier's details can be linked to, in dark, on a phone", async (c) => {
	const page = await c.signIn("view", { path: "carriers?window=24h&carrier=docomo&path=mta", dark: true, phone: true });

	await page.getByRole("heading", { name: "Details: docomo" }).waitFor();
	await c.settled(page);
	await c.audit(page, "carriers on a phone");
	await c.shot(page, "carriers-phone-dark");
});

walk("a window without mail says so", async (c) => {
	const page = await c.signIn("view", { path: "carriers?carrier=rakuten" });

	await page.getByRole("heading", { name: "Details: rakuten" }).waitFor();
	await page.getByText("Nothing bounced or was deferred in this window.").waitFor();
});
