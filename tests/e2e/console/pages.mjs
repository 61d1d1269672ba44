/*
 * pages.mjs - every page of the navigation: it shows, in both languages, without a fault that axe finds.
 */
import { check, walk } from "./frame.mjs";

walk("every page shows and has no serious fault", async (c) => {
	for (const language of ["en", "ja"]) {
		const page = await c.signIn("admin", { language });
		const links = await page.locator("nav#nav a").evaluateAll((all) => all.map((a) => a.dataset.path));

		check(links.length >= 7, `pages: ${links}`);
		for (const path of links) {
			await c.go(page, path);
			check(await page.locator("main .state.error").count() === 0, `${path} shows an error`);
			await c.audit(page, `${path} ${language}`);
			await c.shot(page, `page-${path}-${language}`);
		}
	}
});

walk("a page that is not there says so, and the others still work", async (c) => {
	const page = await c.signIn("view", { language: "en" });

	await page.evaluate(() => { location.hash = "#/nowhere"; });
	await page.getByText("There is no page “nowhere”.").waitFor();
	await page.getByRole("link", { name: "Overview" }).click();
	await c.shown(page);
});
