// The page's files: what the C table embeds is what the page needs, and nothing breaks the strict
// Content-Security-Policy (default-src 'self') under which it is served.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../Sources/CWebAssets/", import.meta.url);
const files = readdirSync(new URL("page/", folder)).filter((name) => name !== "package.json");
const read = (name) => readFileSync(new URL(`page/${name}`, folder), "utf8");

test("the table holds every file of the folder", () => {
  const table = readFileSync(new URL("assets.c", folder), "utf8");
  assert.deepEqual([...table.matchAll(/#embed "page\/(.*)"/g)].map((match) => match[1]).sort(), files.sort());
  assert.deepEqual([...table.matchAll(/^ {4}\{"(.*?)",/gm)].map((match) => match[1]).sort(), files.sort());
});

test("everything that is referred to exists", () => {
  for (const page of files.filter((name) => name.endsWith(".html"))) {
    for (const match of read(page).matchAll(/<(?:link|script)[^>]*(?:href|src)="(.*?)"/g)) assert.ok(files.includes(match[1]), match[1]);
  }
  for (const name of files.filter((name) => name.endsWith(".js"))) {
    for (const match of read(name).matchAll(/from\s+"\.\/(.*?)"/g)) assert.ok(files.includes(match[1]), `${name}: ${match[1]}`);
  }
});

test("no inline script, no inline style, no other host, no HTML from text", () => {
  for (const html of files.filter((name) => name.endsWith(".html")).map(read)) {
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|javascript:/i);
    assert.doesNotMatch(html.replace(/<script type="module" src="[\w.]+"><\/script>/, ""), /<script/i);
  }
  for (const name of files) {
    assert.doesNotMatch(read(name).replaceAll("http://www.w3.org/2000/svg", ""), /https?:\/\/[a-z]/, name);
    assert.doesNotMatch(read(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|@import/, name);
  }
});
