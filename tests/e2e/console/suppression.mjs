/*
 * suppression.mjs - who is not written to: found, added with a reason and an end, taken off with a reason.
 */
import { check, equal, walk } from "./frame.mjs";

walk("add, find, remove; evidence is shown", async (c) => {
	const page = await c.signIn("operate", { path: "suppression" });

	await page.getByRole("row", { name: /unknown-1@docomo\.ne\.jp/ }).getByText("550").waitFor();
	await page.getByRole("button", { name: "Add addresses…" }).click();
	await page.getByLabel("Addresses, one a line").fill("no address\n");
	await page.getByLabel("Why", { exact: true }).fill("電話で依頼");
	c.allow(/status of 400/);
	await page.locator("dialog button[type=submit]").click();
	await page.locator("dialog .problem").getByText("no address").waitFor();
	await page.getByLabel("Addresses, one a line").fill("a..b@docomo.ne.jp\nHanako@ezweb.ne.jp");
	await page.getByLabel("For").selectOption({ label: "30 days" });
	await c.audit(page, "the dialog that adds");
	await page.locator("dialog button[type=submit]").click();
	const row = page.getByRole("row", { name: /hanako@ezweb\.ne\.jp/ });
	await row.getByText("電話で依頼").waitFor();
	check(!(await row.textContent()).includes("never"), "it expires");
	await page.getByLabel("Address or @domain").fill("@docomo.ne.jp");
	await page.getByRole("button", { name: "Show" }).click();
	await row.waitFor({ state: "detached" });
	await page.getByRole("row", { name: /a\.\.b/ }).waitFor();
	await c.audit(page, "suppression");
	await c.shot(page, "suppression");
	await page.getByRole("button", { name: /Remove .*a\.\.b/ }).click();
	await page.getByLabel("Why", { exact: true }).fill("mistake");
	await page.locator("dialog button[type=submit]").click();
	await page.getByRole("row", { name: /a\.\.b/ }).waitFor({ state: "detached" });
	check(!(await c.cli("suppress", "list")).includes("a..b"), "it is off the list");
	equal(page.url().includes("address=%40docomo.ne.jp"), true, "deep link");
});

walk("in Japanese, for who may only look, on a phone", async (c) => {
	const page = await c.signIn("view", { path: "suppression", language: "ja", phone: true });

	await page.getByRole("rowheader", { name: "unknown-1@docomo.ne.jp" }).waitFor();
	equal(await page.getByRole("button", { name: /解除|追加/ }).count(), 0, "buttons");
	await c.audit(page, "suppression on a phone");
	await c.shot(page, "suppression-phone-ja");
});
