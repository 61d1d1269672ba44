/*
 * queue.mjs - what waits and why; retry, hold and delete, with how many it is.
 */
import { check, equal, walk } from "./frame.mjs";

const MANY = Array.from({ length: 60 }, (_, i) => `never-q${i}@second.test`);

async function waiting(c) {
	await c.mail("info@news.test", MANY);
	await c.until(async () => {
		const rows = (await c.cli("queue", "list", "--json", "--limit", "1000", "--domain", "second.test")).trim().split("\n");
		return rows.length === MANY.length && rows.every((r) => JSON.parse(r).attempts > 0);
	}, "all were tried");
}

walk("filter, hold with a reason, see it held, send, delete", async (c) => {
	await waiting(c);
	const page = await c.signIn("operate", { path: "queue" });

	await page.getByText(`${MANY.length} recipients match.`).waitFor();
	await page.getByText("Last reply: 450").or(page.getByText(/Last reply: 4/)).first().waitFor();
	await page.getByRole("button", { name: "Next" }).click();
	await page.getByText("51 to 60").waitFor();
	await page.getByLabel("Recipient’s domain").fill("second.test");
	await page.getByRole("button", { name: "Show", exact: true }).click();
	await c.audit(page, "queue");
	await c.shot(page, "queue");
	await page.getByRole("button", { name: "Hold… All that match" }).click();
	await page.getByText(`This is about ${MANY.length} recipients.`).waitFor();
	await page.locator("dialog button[type=submit]").click();
	check(await page.locator("dialog[open]").count() === 1, "a reason is required");
	await page.getByLabel("Why", { exact: true }).fill("リストの確認中");
	await c.audit(page, "the hold dialog");
	await page.locator("dialog button[type=submit]").click();
	await page.getByText(/Held by operator by console since .*: リストの確認中/).first().waitFor();
	equal((await c.cli("queue", "list", "--json", "--domain", "second.test", "--limit", "1000")).trim().split("\n")
		.filter((r) => JSON.parse(r).held?.why === "リストの確認中").length, MANY.length, "held");
	await page.getByLabel("Recipient", { exact: true }).fill(MANY[3]);
	await page.getByRole("button", { name: "Show", exact: true }).click();
	await page.getByText("1 recipient matches.").waitFor();
	await page.getByRole("button", { name: `Send now ${MANY[3]}` }).click();
	await page.locator("dialog button[type=submit]").click();
	await c.until(async () => JSON.parse(await c.cli("queue", "list", "--json", "--to", MANY[3])).held === null, "let go");
	await page.getByRole("button", { name: "Clear" }).click();
	await page.getByLabel("Recipient’s domain").fill("second.test");
	await page.getByRole("button", { name: "Show", exact: true }).click();
	await page.getByRole("button", { name: "Delete… All that match" }).click();
	await page.getByRole("button", { name: `Delete ${MANY.length}` }).waitFor();
	await c.shot(page, "queue-delete");
	await page.keyboard.press("Escape");
	equal(await page.locator("dialog[open]").count(), 0, "nothing is deleted when it is not meant");
	await page.getByRole("button", { name: "Delete… All that match" }).click();
	await page.getByRole("button", { name: `Delete ${MANY.length}` }).click();
	await c.until(async () => {
		/* The one that was let go was tried at once: had a session it in hand, it was not deleted. */
		const left = await c.cli("queue", "list", "--domain", "second.test");
		if (left.includes(MANY[3]))
			await c.cli("queue", "delete", "--to", MANY[3]).catch(() => null);
		return left.includes("nothing waits");
	}, "deleted");
});

walk("who only looks cannot change anything", async (c) => {
	await waiting(c);
	const page = await c.signIn("view", { path: "queue", language: "ja", phone: true });

	await page.getByText(`条件に合うメールは ${MANY.length} 件です。`).waitFor();
	equal(await page.getByRole("button", { name: /保留|削除|再送/ }).count(), 0, "buttons");
	await c.audit(page, "queue on a phone");
	await c.shot(page, "queue-phone-ja");
	await c.cli("queue", "delete", "--domain", "second.test");
});
