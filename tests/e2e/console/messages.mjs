/*
 * messages.mjs - what happened to a mail: found by address, sender and id, with every attempt and its reply.
 */
import { check, equal, walk } from "./frame.mjs";

async function search(page, what, label = "Address or id") {
	await page.getByLabel(label).fill(what);
	await page.keyboard.press("Enter");
}

walk("a delivered mail: its reply, its rule and its path", async (c) => {
	const page = await c.signIn("view", { path: "messages" });

	await search(page, "USER1@docomo.ne.jp");
	const one = page.locator("article");
	await one.getByRole("heading", { name: "user1@docomo.ne.jp" }).waitFor();
	equal(await one.count(), 1, "recipients");
	await one.locator(".badge", { hasText: "delivered" }).waitFor();
	check((await one.locator(".timeline code").textContent()).startsWith("250 "), "the carrier's reply");
	check((await one.getByRole("link", { name: /^keitai/ }).getAttribute("href")).startsWith("#/rules?rule=keitai"), "the rule");
	check(page.url().includes("to=USER1"), `deep link: ${page.url()}`);
	await c.audit(page, "messages");
	await c.shot(page, "messages");
	await page.reload();
	await one.getByRole("heading", { name: "user1@docomo.ne.jp" }).waitFor();
	const id = await one.getAttribute("data-id");
	await search(page, id);
	await page.locator(`article[data-id="${id}"]`).waitFor();
	check(page.url().includes("id="), "an id is known when it is seen");
});

walk("a bounce says why, and that the address is on the list", async (c) => {
	for (const [language, label, listed] of [["en", "Address or id", "is on the suppression list"],
		["ja", "メールアドレスまたは ID", "配信停止リストにあります"]]) {
		const page = await c.signIn("view", { path: "messages", language });

		await search(page, "unknown-1@docomo.ne.jp", label);
		await page.locator("article .notice").getByText(listed).waitFor();
		await page.locator("article .timeline code", { hasText: "550" }).waitFor();
		await c.audit(page, `a bounce ${language}`);
		await c.shot(page, `messages-bounce-${language}`);
	}
});

walk("attempts that failed are told, and why it waits", async (c) => {
	await c.mail("info@news.test", "never-story@ordinary.test", "=?ISO-2022-JP?B?GyRCJCpDTiRpJDsbKEI=?=");
	const page = await c.signIn("operate", { path: "messages", language: "ja" });

	await c.until(async () => {
		await search(page, "never-story@ordinary.test", "メールアドレスまたは ID");
		await page.locator("article").first().waitFor();
		return await page.locator(".timeline li").count() > 1;
	}, "two attempts");
	await page.getByText("お知らせ").waitFor();
	await page.getByText("待っている理由").waitFor();
	await page.locator(".timeline .badge", { hasText: "再送待ち" }).first().waitFor();
	await c.audit(page, "a mail that waits");
	await c.shot(page, "messages-waits-ja");
	await c.cli("queue", "delete", "--to", "never-story@ordinary.test");
});

walk("all of a sender's mail, a page at a time; and nothing at all", async (c) => {
	const page = await c.signIn("view", { path: "messages", phone: true });

	await page.getByText("Sender", { exact: true }).click();
	await search(page, "news.test");
	await page.getByRole("button", { name: "Show more" }).click();
	await c.until(async () => await page.locator("article").count() > 20, "a second page");
	await c.audit(page, "messages on a phone");
	await search(page, "nobody@nowhere.test");
	await page.getByText("Nothing is known of “nobody@nowhere.test”").waitFor();
	await search(page, "<script>alert(1)</script>");
	await page.getByText("Nothing is known of “<script>").waitFor();
});
