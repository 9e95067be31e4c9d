// test/store/contract.ts
import { afterAll, beforeAll as beforeAll2, describe } from "@jest/globals";

// test/store/contract-audit.ts
import { beforeAll, expect, test } from "@jest/globals";

// src/domain/audit.ts
function cursorAfter(page, before) {
  let at = page.at(-1)?.at;
  if (at === void 0) return;
  let ofIt = page.filter((entry2) => entry2.at === at).length;
  return { at, given: ofIt + (before?.at === at ? before.given : 0) };
}

// src/domain/names.ts
var TOP = {
  regions: "region",
  projects: "project",
  services: "service",
  bundles: "bundle",
  instances: "instance",
  advisories: "advisory"
}, BELOW = {
  projects: { "service-accounts": "serviceAccount" },
  services: { versions: "version", resources: "resourceType", deployments: "deployment" }
};
var LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", ID_PATTERNS = {
  region: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  project: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  serviceAccount: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  service: `^(?=.{2,253}$)${LABEL}(?:\\.${LABEL})*$`,
  version: "^v[0-9]{1,9}(?:(?:alpha|beta)[0-9]{1,9}|(?:\\.[0-9]{1,9}){1,7})?$",
  resourceType: "^[a-zA-Z]{1,128}$",
  deployment: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  bundle: "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
  instance: "^[0-9a-f]{24}$",
  // An instance, or a region; `-` stands for the instances that name no region.
  override: "^(?:[0-9a-f]{24}|[a-z][a-z0-9-]{0,61}[a-z0-9]|-)$",
  advisory: "^[a-z0-9-]{1,64}(?:\\.[a-z0-9.-]{1,320})?$"
}, ID_REGEXPS = Object.fromEntries(Object.entries(ID_PATTERNS).map(([kind, p]) => [kind, new RegExp(p)])), NO_REGION = "-";
function parseName(name) {
  let parts = name.split("/"), top = own(TOP, parts[0] ?? ""), first = parts[1];
  if (top === void 0 || first === void 0 || !ID_REGEXPS[top].test(first)) return;
  if (parts.length === 2) return { kind: top, id: first };
  if (parts.at(-1) === "override") return parseOverride(parts);
  let kind = own(own(BELOW, parts[0] ?? "") ?? {}, parts[2] ?? ""), id = parts[3];
  if (!(parts.length !== 4 || kind === void 0 || id === void 0 || !ID_REGEXPS[kind].test(id)))
    return { kind, id, parent: first };
}
function parseOverride(parts) {
  let [top, first = "", below, region2 = ""] = parts;
  if (top === "instances") return parts.length === 3 ? { kind: "override", id: first } : void 0;
  if (!(!(top === "services" && parts.length === 5 && below === "regions") || !(region2 === NO_REGION || ID_REGEXPS.region.test(region2))))
    return { kind: "override", id: region2, parent: first };
}
function own(table, key) {
  return Object.hasOwn(table, key) ? table[key] : void 0;
}
function partsOf(name) {
  let parts = parseName(name);
  if (parts === void 0) throw new Error(`not a resource name: ${name}`);
  return parts;
}

// src/domain/item.ts
function makeItem(value, json = JSON.stringify(value)) {
  let { kind, id, parent } = partsOf(value.name);
  return { kind, name: value.name, id, parent: parent ?? id, revision: value.revision, value, json };
}
var changeName = (change) => change.op === "put" ? change.item.name : change.name;
var NO_LABELS = Object.freeze({});

// src/store/port.ts
var StoreUnavailable = class extends Error {
  outcomeUnknown;
  constructor(message, options = {}) {
    super(message, { cause: options.cause }), this.name = "StoreUnavailable", this.outcomeUnknown = options.outcomeUnknown ?? !1;
  }
};

// test/store/fixtures.ts
var everything = { entries: 1e6, bytes: 1e9 };
function region(id, revision, title = "", labels = {}) {
  let time = "2026-11-21T12:00:00.000Z";
  return makeItem({ name: `regions/${id}`, revision, createTime: time, updateTime: time, title, labels });
}
var put = (id, revision, title) => ({
  op: "put",
  item: region(id, revision, title)
}), remove = (id, was = {}) => ({
  op: "delete",
  kind: "region",
  name: `regions/${id}`,
  was
});
function entry(revision, changes, more = {}) {
  return { revision, at: Date.now(), author: "somebody", changes, ...more };
}
async function append(store, ...makers) {
  for (; ; ) {
    let { epoch, revision: base } = await store.head(), entries = makers.map((make, i) => make(base + 1 + i));
    if (await store.commit({ epoch, base, entries })) return entries;
  }
}
function replay(entries, before = []) {
  let state = new Map(before.map((item) => [item.name, item]));
  for (let change of entries.flatMap(({ changes }) => changes))
    change.op === "put" ? state.set(changeName(change), change.item) : state.delete(changeName(change));
  return byName([...state.values()]);
}
var byName = (items) => items.toSorted((a, b) => a.name < b.name ? -1 : +(a.name > b.name));
async function itemNamed(store, id) {
  let { items } = await store.load();
  return items.find(({ name }) => name === `regions/${id}`);
}
function isGapless(entries, from) {
  return entries.every(({ revision }, i) => revision === from + 1 + i);
}

// test/store/contract-audit.ts
var T = Date.UTC(2026, 0, 15), note = (more = {}) => ({
  at: T,
  category: "refusal",
  subject: "otto",
  action: "catalog.write",
  result: "forbidden",
  ...more
}), FULL = note({
  at: T + 7,
  category: "change",
  subject: "deployer",
  account: "projects/core/service-accounts/deployer",
  project: "core",
  target: "services/iam.test/versions/v1",
  service: "iam.test",
  before: 41,
  after: 9007199254740991,
  result: "updated",
  address: "::ffff:10.0.0.7",
  requestId: "r/1",
  detail: "One sentence."
});
function auditContract(db) {
  let read2 = (filter = {}, limit = 1e3, before) => db.store.readAudit(filter, { limit, ...before && { before } }), empty2 = async () => db.store.trimAudit(Number.MAX_SAFE_INTEGER / 16);
  beforeAll(empty2), test("SEC5 what is written reads back as it was, the newest first", async () => {
    await db.store.appendAudit([]), await db.store.appendAudit([note(), FULL]), await db.peer.appendAudit([note({ at: T + 3, subject: "eve" })]), expect(await read2()).toEqual([FULL, note({ at: T + 3, subject: "eve" }), note()]), await empty2(), expect(await read2()).toEqual([]);
  }), test("SEC5 a commit writes its audit entries with it, and one that is too late writes none", async () => {
    let { epoch, revision: base } = await db.store.head(), told = (subject) => ({ ...FULL, subject, after: base + 1 }), commit2 = (subject) => ({
      epoch,
      base,
      entries: [entry(base + 1, [put("audited", base + 1)])],
      audit: [told(subject), told(subject)]
    });
    expect(await db.store.commit({ ...commit2("early"), base: base - 1, entries: [entry(base, [])] })).toBe(!1);
    let [left, right] = await Promise.all([db.store.commit(commit2("left")), db.peer.commit(commit2("right"))]);
    expect([left, right].filter(Boolean)).toHaveLength(1), expect(await read2()).toEqual([told(left ? "left" : "right"), told(left ? "left" : "right")]), await empty2();
  }), test("SEC5 a commit that deletes writes them too, and one without any writes none", async () => {
    for (let audit of [[FULL], []]) {
      let { epoch, revision } = await db.store.head(), there = { epoch, base: revision, entries: [entry(revision + 1, [put("goner", revision + 1)])] }, gone = entry(revision + 2, [{ op: "delete", kind: "region", name: "regions/goner", was: {} }]);
      expect(await db.store.commit({ ...there, audit })).toBe(!0), expect(await db.store.commit({ epoch, base: revision + 1, entries: [gone], audit })).toBe(!0), expect(await read2()).toEqual([...audit, ...audit]), await empty2();
    }
  }), test("SEC5 what the database refuses leaves no audit entry behind", async () => {
    let { epoch, revision: base } = await db.store.head(), broken = put("broken", base + 1);
    if (broken.op === "put") {
      let change = { ...broken, item: { ...broken.item, json: "this is not JSON" } };
      await expect(
        db.store.commit({ epoch, base, entries: [entry(base + 1, [change])], audit: [FULL] })
      ).rejects.toThrow("json");
    }
    expect(await read2()).toEqual([]);
  }), test("SEC5 no text fails a batch", async () => {
    let texts = ['{a,"b",NULL}', "NULL", "", "žluť 🚦", "'; --"];
    await db.store.appendAudit([...texts, "\0 nul", "\uD800 lone"].map((detail) => note({ detail, subject: detail })));
    let found = await read2(), kept = [...texts, "� nul", "� lone"];
    expect(found.map(({ detail, subject }) => [detail, subject])).toEqual(kept.map((text) => [text, text])), expect(await read2({ subject: "\0 nul" })).toHaveLength(1), await empty2();
  }), test("SEC5 filters hold together, and compare texts whole", async () => {
    let others = [
      note({ subject: "eve", service: "shop.test", at: T + 1 }),
      note({ action: "audit.read", at: T + 2 }),
      note({ category: "login", action: "login", result: "ok", at: T + 3 })
    ];
    await db.store.appendAudit([FULL, ...others]);
    let all = [
      [{ subject: "deployer" }, [FULL]],
      [{ subject: "deploy" }, []],
      [{ subject: "deployer", result: "forbidden" }, []],
      [{ account: "projects/core/service-accounts/deployer", project: "core" }, [FULL]],
      [{ category: "login" }, [others[2]]],
      [{ action: "audit.read" }, [others[1]]],
      [{ target: "services/iam.test/versions/v1" }, [FULL]],
      [{ services: ["iam.test"] }, [FULL]],
      [{ services: ["shop.test", "iam.test", "it's {odd}"] }, [FULL, others[0]]],
      [{ services: [] }, []],
      [{ from: T + 2, to: T + 7 }, [others[2], others[1]]],
      [{ from: T + 7 }, [FULL]],
      [{ to: T + 2, result: "forbidden" }, [others[0]]]
    ];
    for (let [filter, expected] of all) expect([filter, await read2(filter)]).toEqual([filter, expected]);
    await empty2();
  }), test("SEC5 pages together are everything once, also where many entries are of one millisecond", async () => {
    let entries = Array.from(
      { length: 60 },
      (_, i) => note({ at: T + Math.floor(i / 17), requestId: `r${i}`, service: i % 3 === 0 ? "iam.test" : "shop.test" })
    );
    await db.store.appendAudit(entries);
    for (let filter of [{}, { services: ["iam.test"] }]) {
      let expected = (await read2(filter)).map(({ requestId }) => requestId), found = [], before;
      for (; ; ) {
        let page = await read2(filter, 7, before);
        if (found.push(...page.map(({ requestId }) => requestId)), before === void 0 && await db.peer.appendAudit([note({ at: T + 99, service: "iam.test" })]), before = cursorAfter(page, before), before === void 0) break;
      }
      expect(found).toEqual(expected), expect(new Set(found).size).toBe(found.length), await db.store.trimAudit(T);
    }
    expect((await read2()).filter(({ requestId }) => requestId !== void 0)).toHaveLength(60), await empty2();
  }), test("SEC5 what is too old is dropped, and nothing else, however much it is", async () => {
    await db.store.appendAudit(Array.from({ length: 2500 }, (_, i) => note({ at: T - 2500 + i }))), await db.store.appendAudit([note(), note({ at: T + 1 })]), expect(await db.store.trimAudit(T)).toBe(2500), expect(await db.store.trimAudit(T)).toBe(0), expect(await read2()).toEqual([note({ at: T + 1 }), note()]), await empty2();
  });
}

// test/store/contract-commits.ts
import { expect as expect2, test as test2 } from "@jest/globals";
var large = (r) => entry(
  r,
  Array.from({ length: 5e3 }, (_, i) => put(`bulk-${i}`, r, "x".repeat(400)))
);
function commitContract(db) {
  test2("REV1 a new store stands at revision 0 with an empty log", async () => {
    let { epoch, ...rest } = await db.store.head();
    expect2(rest).toEqual({ revision: 0, trimmed: 0 }), expect2(epoch).not.toBe(""), expect2(await db.store.load()).toEqual({ head: { epoch, revision: 0, trimmed: 0 }, items: [] }), expect2(await db.store.changesSince(0, everything)).toEqual([]);
  }), test2("REV1 a commit moves the head by the number of its entries, and they read back as they were", async () => {
    let { revision } = await db.store.head(), entries = await append(
      db.store,
      (r) => entry(r, [put("one", r, "first"), put("two", r)], { author: "alice", at: 1795000000123 }),
      (r) => entry(r, [{ op: "put", item: region("one", r, "second", { a: "b" }), was: {} }], { author: "bob" }),
      (r) => entry(r, [remove("two", { tier: "gold" })])
    );
    expect2((await db.peer.head()).revision).toBe(revision + 3), expect2(await db.peer.changesSince(revision, everything)).toEqual(entries);
  }), test2("REV1 of two commits on one base exactly one wins and the other writes nothing", async () => {
    for (let round = 0; round < 25; round++) {
      let { epoch, revision: base } = await db.store.head(), batches = ["left", "right"].map((author) => ({
        epoch,
        base,
        entries: [entry(base + 1, [put(`${author}-${round}`, base + 1)], { author })]
      })), [left, right] = await Promise.all(
        batches.map((batch, i) => (i === round % 2 ? db.store : db.peer).commit(batch))
      );
      expect2([left, right].filter(Boolean)).toHaveLength(1);
      let log = await db.store.changesSince(base, everything);
      expect2(log.map(({ author }) => author)).toEqual([left ? "left" : "right"]), expect2(await itemNamed(db.store, left ? `right-${round}` : `left-${round}`)).toBeUndefined();
    }
  }), test2("REV1 concurrent optimistic writers: every revision once, none missing, log order is commit order", async () => {
    let from = (await db.store.head()).revision, acknowledged = [], write = async (author, through) => {
      for (let n = 0; n < 40; n++) {
        let makers = Array.from({ length: 1 + n % 3 }, () => (r) => entry(r, [put("contended", r, author), put(`${author}-${n}`, r)], { author }));
        acknowledged.push(...await append(through, ...makers));
      }
    };
    await Promise.all([
      write("anne", db.store),
      write("bill", db.peer),
      write("cleo", db.store),
      write("dora", db.peer)
    ]);
    let log = await db.store.changesSince(from, everything);
    expect2(isGapless(log, from)).toBe(!0), expect2(log).toEqual(acknowledged.toSorted((a, b) => a.revision - b.revision)), expect2((await itemNamed(db.store, "contended"))?.revision).toBe(log.at(-1)?.revision);
  }), test2("REV2 a commit on a base that is not the head, or in another epoch, writes nothing", async () => {
    let before = await db.store.load(), { epoch, revision } = before.head, batch = (base, of = epoch) => ({
      epoch: of,
      base,
      entries: [entry(base + 1, [put("stray", base + 1)])]
    });
    expect2(await db.store.commit(batch(revision - 1))).toBe(!1), expect2(await db.store.commit(batch(revision + 1))).toBe(!1), expect2(await db.store.commit(batch(revision, "another"))).toBe(!1), expect2(await db.store.load()).toEqual(before), expect2(await db.store.changesSince(revision - 1, everything)).toHaveLength(1);
  }), test2('REV2 a batch that the database refuses leaves nothing behind, and the error is not "unavailable"', async () => {
    let before = await db.store.load(), { epoch, revision: base } = before.head, broken = { ...region("broken", base + 2), json: "this is not JSON" }, entries = [entry(base + 1, [put("whole", base + 1)]), entry(base + 2, [{ op: "put", item: broken }])], refused = await db.store.commit({ epoch, base, entries }).catch((error) => error);
    expect2(refused).toHaveProperty("message", expect2.stringContaining("json")), expect2(refused).not.toBeInstanceOf(StoreUnavailable), expect2(await db.store.load()).toEqual(before), await append(db.store, (r) => entry(r, [put("whole", r)]));
  }), test2("REV2 entries that do not continue the base are refused before anything is sent", async () => {
    let { epoch, revision: base } = await db.store.head();
    await expect2(db.store.commit({ epoch, base, entries: [entry(base + 2, [])] })).rejects.toThrow(RangeError), await expect2(db.store.commit({ epoch, base, entries: [] })).rejects.toThrow(RangeError);
  }), test2("REV2 a name that a batch touches several times ends in its last state", async () => {
    await append(
      db.store,
      (r) => entry(r, [put("thrice", r, "1"), put("gone", r), put("back", r)]),
      (r) => entry(r, [put("thrice", r, "2"), remove("gone"), remove("back"), put("brief", r)]),
      (r) => entry(r, [put("thrice", r, "3"), put("back", r, "again"), remove("brief"), remove("never-there")])
    ), expect2(await itemNamed(db.store, "thrice")).toMatchObject({ value: { title: "3" } }), expect2(await itemNamed(db.store, "back")).toMatchObject({ value: { title: "again" } }), expect2(await itemNamed(db.store, "gone")).toBeUndefined(), expect2(await itemNamed(db.store, "brief")).toBeUndefined();
  }), test2("REV2 what was deleted can be made again", async () => {
    for (let title of ["first", "second"])
      await append(db.store, (r) => entry(r, [put("phoenix", r, title)])), expect2(await itemNamed(db.store, "phoenix")).toMatchObject({ value: { title } }), await append(db.store, (r) => entry(r, [remove("phoenix")])), expect2(await itemNamed(db.store, "phoenix")).toBeUndefined();
  }), test2("REV2 text is kept to the letter, and no text fails the other commands of its batch", async () => {
    let titles = [
      `"quoted" 'single' \\ back\\\\slash`,
      '{a,"b",NULL}',
      `tab	 line
\r`,
      "žluť 漢字 🚦 \u2028",
      "\0 nul",
      "\uD800 lone"
    ], from = (await db.store.head()).revision, makers = titles.map((title, i) => (r) => entry(r, [put(`text-${i}`, r, title)], { author: title })), entries = await append(db.store, ...makers), log = await db.store.changesSince(from, everything);
    expect2(log.map(({ changes }) => changes)).toEqual(entries.map(({ changes }) => changes)), expect2(log.map(({ author }) => author)).toEqual([...titles.slice(0, 4), "� nul", "� lone"]);
    for (let [i, title] of titles.entries()) {
      let item = await itemNamed(db.store, `text-${i}`);
      expect2(item).toEqual(region(`text-${i}`, from + 1 + i, title));
    }
  }), test2("REV2 one revision of 5,000 changes is written and read in one piece", async () => {
    let [first] = await append(db.store, large), began = performance.now(), [second] = await append(db.store, large);
    expect2(performance.now() - began).toBeLessThan(5e3);
    let log = await db.store.changesSince((first?.revision ?? 0) - 1, everything);
    expect2(log).toEqual([first, second]);
    let { items } = await db.store.load();
    expect2(items.filter(({ name }) => name.startsWith("regions/bulk-"))).toHaveLength(5e3), await append(
      db.store,
      (r) => entry(
        r,
        Array.from({ length: 5e3 }, (_, i) => remove(`bulk-${i}`))
      )
    ), expect2((await db.store.load()).items.some(({ name }) => name.startsWith("regions/bulk-"))).toBe(!1);
  }), test2("REV2 a batch may hold thousands of entries", async () => {
    let from = (await db.store.head()).revision;
    await append(db.store, ...Array.from({ length: 3e3 }, () => (r) => entry(r, [put("counter", r)]))), expect2((await db.store.head()).revision).toBe(from + 3e3), expect2((await itemNamed(db.store, "counter"))?.revision).toBe(from + 3e3);
  }), test2("REV2 load() is the replay of the log, and keeps the encoding", async () => {
    let { head, items } = await db.store.load(), log = await db.store.changesSince(0, everything);
    expect2(isGapless(log, 0)).toBe(!0), expect2(log).toHaveLength(head.revision), expect2(byName(items)).toEqual(replay(log)), expect2(items.every(({ json, value }) => json === JSON.stringify(value))).toBe(!0);
  }), test2("REV2 load() is one snapshot while others commit", async () => {
    let start = await db.store.load(), stop = new AbortController(), writer = (async () => {
      for (let n = 0; !stop.signal.aborted; n++)
        await append(
          db.peer,
          (r) => entry(r, [put("snap-a", r), put("snap-b", r), n % 2 ? remove("snap-c") : put("snap-c", r)])
        );
    })();
    for (let round = 0; round < 15; round++) {
      let { head, items } = await db.store.load(), revisionOf = (id) => items.find(({ name }) => name === `regions/${id}`)?.revision;
      expect2(revisionOf("snap-a")).toBe(revisionOf("snap-b"));
      let upToHead = (await db.store.changesSince(start.head.revision, everything)).filter(({ revision }) => revision <= head.revision);
      expect2(byName(items)).toEqual(replay(upToHead, start.items));
    }
    stop.abort(), await writer;
  }, 6e4);
}

// test/store/contract-history.ts
import { expect as expect3, test as test3 } from "@jest/globals";
function historyContract(db) {
  test3("REV4 changesSince answers what is above a revision, within its limits, whole, at least one", async () => {
    let from = (await db.store.head()).revision;
    await append(
      db.store,
      ...Array.from({ length: 10 }, (_, i) => (r) => entry(r, [put(`limit-${i}`, r, "x".repeat(1e3))]))
    );
    let revisions = async (since, entries, bytes) => (await db.store.changesSince(since, { entries, bytes })).map(({ revision }) => revision - from);
    expect3(await revisions(from + 10, 100, 1e9)).toEqual([]), expect3(await revisions(from + 7, 100, 1e9)).toEqual([8, 9, 10]), expect3(await revisions(from, 4, 1e9)).toEqual([1, 2, 3, 4]), expect3(await revisions(from, 100, 3600)).toEqual([1, 2, 3]), expect3(await revisions(from + 2, 100, 1)).toEqual([3]), expect3(await revisions(from + 2, 0, 0)).toEqual([3]), expect3(await revisions(from + 8, 1 / 0, 1 / 0)).toEqual([9, 10]), expect3(await revisions(from + 1e3, 100, 1e9)).toEqual([]);
  }), test3("REV2 REV4 everything is there after it was closed and opened again", async () => {
    let before = { loaded: await db.store.load(), log: await db.store.changesSince(0, everything) };
    await db.close(), await db.open(), expect3(await db.store.load()).toEqual(before.loaded), expect3(await db.store.changesSince(0, everything)).toEqual(before.log);
  }), test3("REV4 a new epoch keeps the revision, and a commit decided in the old one writes nothing", async () => {
    let old = await db.store.head(), renewed = await db.peer.newEpoch();
    expect3(renewed).toEqual({ ...old, epoch: renewed.epoch }), expect3(renewed.epoch).not.toBe(old.epoch), expect3(await db.store.head()).toEqual(renewed);
    let entries = [entry(old.revision + 1, [put("late", old.revision + 1)])];
    expect3(await db.store.commit({ epoch: old.epoch, base: old.revision, entries })).toBe(!1), expect3(await db.store.commit({ epoch: renewed.epoch, base: old.revision, entries })).toBe(!0);
  }), test3("REV4 a commit that races with a new epoch is in the old one or is refused", async () => {
    for (let round = 0; round < 20; round++) {
      let { epoch, revision: base } = await db.store.head(), entries = [entry(base + 1, [put("racer", base + 1)])], [won, renewed] = await Promise.all([db.store.commit({ epoch, base, entries }), db.peer.newEpoch()]), after = await db.store.head();
      expect3(after.epoch).toBe(renewed.epoch), expect3(after.revision).toBe(won ? base + 1 : base);
    }
  }), test3("REV4 trimming by age drops the oldest entries, and the head tells", async () => {
    let from = (await db.store.head()).revision, time = Date.now() + 1e6;
    await append(db.store, ...[1, 2, 3, 4].map((n) => (r) => entry(r, [put("aged", r)], { at: time + n })));
    let before = await db.store.load();
    expect3(await db.store.trim({ before: time + 3, maxBytes: 1e9 })).toEqual({ ...before.head, trimmed: from + 2 }), expect3(await db.peer.head()).toEqual({ ...before.head, trimmed: from + 2 }), expect3(isGapless(await db.store.changesSince(0, everything), from + 2)).toBe(!0), expect3((await db.store.load()).items).toEqual(before.items), expect3((await db.store.trim({ before: time + 99, maxBytes: 1e9 })).trimmed).toBe(from + 3), expect3((await db.store.trim({ before: time + 99, maxBytes: 1e9 })).trimmed).toBe(from + 3);
  }), test3("REV4 trimming by age stops at the first entry that is young enough, whatever comes after it", async () => {
    let from = (await db.store.head()).revision, time = Date.now() + 2e6;
    await append(db.store, ...[1, 2, 4, 3, 5].map((n) => (r) => entry(r, [put("aged", r)], { at: time + n }))), expect3((await db.store.trim({ before: time + 4, maxBytes: 1 / 0 })).trimmed).toBe(from + 2);
  }), test3("REV4 trimming by size keeps the newest entries that fit, and always the newest", async () => {
    let [, , , last] = await append(
      db.store,
      ...Array.from({ length: 4 }, () => (r) => entry(r, [put("sized", r, "x".repeat(1e3))]))
    ), newest = last?.revision ?? 0, trimTo = async (maxBytes) => (await db.store.trim({ before: 0, maxBytes })).trimmed;
    expect3(await trimTo(2500)).toBe(newest - 2), expect3(await trimTo(2500)).toBe(newest - 2), expect3(await trimTo(0)).toBe(newest - 1), expect3((await db.store.changesSince(0, everything)).map(({ revision }) => revision)).toEqual([newest]), expect3((await db.peer.head()).trimmed).toBe(newest - 1);
  }), test3("REV4 while the log is trimmed and written, a reader always finds what the head promised", async () => {
    await append(db.store, ...Array.from({ length: 5e3 }, () => (r) => entry(r, [put("many", r)])));
    let done = new AbortController(), trimming = (async () => {
      for (let step2 = 4; step2 >= 0; step2--) await db.peer.trim({ before: 0, maxBytes: step2 * 2e5 });
      done.abort();
    })(), writing = (async () => {
      for (; !done.signal.aborted; ) await append(db.store, (r) => entry(r, [put("many", r)]));
    })(), reads = 0;
    for (; !done.signal.aborted || reads === 0; ) {
      let before = await db.store.head(), [first] = await db.store.changesSince(0, { entries: 1, bytes: 1 }), after = await db.store.head();
      expect3(first?.revision).toBeGreaterThan(before.trimmed), expect3(first?.revision).toBeLessThanOrEqual(after.trimmed + 1), reads++;
    }
    await Promise.all([trimming, writing]);
  }), test3("a closed store rejects with StoreUnavailable, and closing it twice is harmless", async () => {
    await db.close(), await expect3(db.store.head()).rejects.toThrow(StoreUnavailable), await expect3(db.store.load()).rejects.toThrow(StoreUnavailable), await expect3(db.store.commit({ epoch: "", base: 0, entries: [entry(1, [])] })).rejects.toMatchObject({
      name: "StoreUnavailable",
      outcomeUnknown: !1
    }), await db.close(), await db.open();
  });
}

// test/store/contract-registration-tokens.ts
import { expect as expect4, test as test4 } from "@jest/globals";
var AT = Date.UTC(2026, 6, 1, 12, 30, 15, 123), HOUR = 36e5, made = 0;
function token(service, more = {}) {
  return made += 1, {
    id: made.toString(16).padStart(24, "0"),
    service,
    hash: "a".repeat(64),
    createdBy: "ada",
    createdAt: AT,
    expiresAt: AT + HOUR,
    ...more
  };
}
function registrationTokenContract(db) {
  let insert2 = async (...tokens) => {
    for (let one of tokens) expect4(await db.store.insert(one, 100)).toBe(!0);
  };
  test4("SEC1 a registration token is found by its id as it was inserted, to the millisecond", async () => {
    let one = token("found.test", { title: "the “build” farm", createdBy: "aéb" }), other = token("found.test");
    await insert2(one, other), expect4(await db.peer.find([one.id])).toEqual([one]), expect4((await db.peer.find([other.id, "f".repeat(24), one.id])).toSorted((a, b) => a.id < b.id ? -1 : 1)).toEqual(
      [one, other]
    ), expect4(await db.store.find([])).toEqual([]);
  }), test4("a name that no database takes does not keep a token from being made", async () => {
    let one = token("named.test", { createdBy: "a\0b" });
    await db.store.insert(one, 100), expect4(await db.store.find([one.id])).toHaveLength(1);
  }), test4("registration tokens are listed by service, in order of their making, page by page", async () => {
    let [c, a, b] = [
      token("listed.test", { createdAt: AT + 2 }),
      token("listed.test", { createdAt: AT + 1 }),
      token("listed.test", { createdAt: AT + 1 })
    ];
    await insert2(c, a, b, token("other.test")), expect4(await db.store.list("listed.test", { limit: 2 })).toEqual([a, b]), expect4(await db.store.list("listed.test", { limit: 2, after: b })).toEqual([c]), expect4(await db.store.list("listed.test", { limit: 2, after: a })).toEqual([b, c]), expect4(await db.store.list("listed.test", { limit: 2, after: c })).toEqual([]), expect4(await db.store.list("none.test", { limit: 2 })).toEqual([]), expect4(await db.store.list("listed.test", { limit: 9, since: AT + 2 })).toEqual([c]), expect4(await db.store.insert(token("listed.test", { createdAt: AT + 3 }), 2, AT + 2)).toBe(!0), expect4(await db.store.insert(token("listed.test", { createdAt: AT + 3 }), 2, AT + 2)).toBe(!1);
  }), test4("SEC1 a registration token is revoked once, as one of its service only", async () => {
    let one = token("revoked.test");
    await insert2(one), expect4(await db.store.revoke("other.test", one.id, AT + 5)).toBeUndefined(), expect4(await db.store.revoke("revoked.test", "f".repeat(24), AT + 5)).toBeUndefined(), expect4(await db.peer.find([one.id])).toEqual([one]);
    let revoked = { ...one, revokedAt: AT + 5 };
    expect4(await db.store.revoke("revoked.test", one.id, AT + 5)).toEqual(revoked), expect4(await db.peer.revoke("revoked.test", one.id, AT + 9)).toEqual(revoked), expect4(await db.peer.find([one.id])).toEqual([revoked]);
  }), test4("no more tokens are live at once than the limit, whatever happens at once", async () => {
    let gone = [token("full.test", { revokedAt: AT }), token("full.test", { createdAt: AT - 9, expiresAt: AT })];
    await insert2(...gone);
    let tokens = Array.from({ length: 12 }, () => token("full.test")), taken = await Promise.all(tokens.map((one, i) => (i % 2 ? db.store : db.peer).insert(one, 5)));
    expect4(taken.filter(Boolean)).toHaveLength(5), expect4(await db.store.list("full.test", { limit: 100 })).toHaveLength(7), expect4(await db.store.insert(token("empty.test"), 5)).toBe(!0);
    let first = tokens[taken.indexOf(!0)];
    await db.store.revoke("full.test", first?.id ?? "", AT), expect4(await db.store.insert(token("full.test"), 5)).toBe(!0), expect4(await db.store.insert(token("full.test"), 5)).toBe(!1);
  }), test4("tokens that ended long ago are deleted, and no others", async () => {
    let kept = [token("kept.test"), token("kept.test", { revokedAt: AT + 2 })], ended = [
      token("kept.test", { createdAt: AT - HOUR, expiresAt: AT - 1 }),
      token("kept.test", { createdAt: AT - HOUR, revokedAt: AT - 1 })
    ];
    await db.store.deleteEnded(AT), await insert2(...ended, ...kept), expect4(await db.store.deleteEnded(AT - 1)).toBe(0), expect4(await db.store.deleteEnded(AT)).toBe(2), expect4(await db.peer.list("kept.test", { limit: 100 })).toEqual(kept);
  });
}

// test/store/contract-sessions.ts
import { expect as expect5, test as test5 } from "@jest/globals";
var T2 = Date.UTC(2026, 10, 22), row = (id, more = {}) => ({
  id,
  kind: "session",
  data: { identity: { subject: "ada" }, words: ["ü", '"', "\\"] },
  createdAt: T2,
  expiresAt: T2 + 1e3,
  ...more
});
function sessionContract(db) {
  test5("a session is read as it was written, by every node", async () => {
    expect5(await db.store.sessions.insert(row("one"))).toBe(!0), expect5(await db.store.sessions.insert(row("two", { kind: "sign-in" }))).toBe(!0);
    let found = await db.peer.sessions.read(["two", "one", "none"]);
    expect5(found.toSorted((a, b) => a.id < b.id ? -1 : 1)).toEqual([row("one"), row("two", { kind: "sign-in" })]), expect5(await db.store.sessions.read([])).toEqual([]);
  }), test5("an id is taken while its row is good, and free once that has expired", async () => {
    await db.store.sessions.insert(row("lock")), expect5(await db.peer.sessions.insert(row("lock", { data: "late", createdAt: T2 + 999 }))).toBe(!1), expect5(await db.store.sessions.read(["lock"])).toEqual([row("lock")]);
    let next = row("lock", { data: "next", createdAt: T2 + 1e3, expiresAt: T2 + 5e3 }), won = await Promise.all([db.store.sessions.insert(next), db.peer.sessions.insert(next)]);
    expect5(won.toSorted()).toEqual([!1, !0]), expect5(await db.store.sessions.read(["lock"])).toEqual([next]);
  }), test5("what it holds and when it ends are changed apart from each other, and nothing comes back to life", async () => {
    await db.store.sessions.insert(row("changing")), expect5(await db.store.sessions.update("changing", { expiresAt: T2 + 7e3 })).toBe(!0), expect5(await db.peer.sessions.update("changing", { data: { identity: "new" } })).toBe(!0), expect5(await db.store.sessions.read(["changing"])).toEqual([
      row("changing", { data: { identity: "new" }, expiresAt: T2 + 7e3 })
    ]), await db.store.sessions.take("changing"), expect5(await db.peer.sessions.update("changing", { expiresAt: T2 + 9e3 })).toBe(!1), expect5(await db.store.sessions.read(["changing"])).toEqual([]);
  }), test5("of those who take a row at once, one gets it", async () => {
    await db.store.sessions.insert(row("once", { kind: "sign-in" }));
    let taken = await Promise.all([db.store.sessions.take("once"), db.peer.sessions.take("once")]);
    expect5(taken.filter((it) => it !== void 0)).toEqual([row("once", { kind: "sign-in" })]), expect5(await db.store.sessions.take("once")).toBeUndefined();
  }), test5("what has expired is removed, and nothing else", async () => {
    await db.store.sessions.removeExpired(T2 + 1e6);
    for (let [id, expiresAt] of [
      ["a", 1],
      ["b", 2],
      ["c", 3]
    ])
      await db.store.sessions.insert(row(id, { expiresAt: T2 + expiresAt }));
    expect5(await db.peer.sessions.removeExpired(T2 + 2)).toBe(2), expect5((await db.store.sessions.read(["a", "b", "c"])).map(({ id }) => id)).toEqual(["c"]);
  }), test5("the sessions of a closed store are away", async () => {
    await db.close(), await expect5(db.store.sessions.read(["a"])).rejects.toThrow(StoreUnavailable), await expect5(db.store.sessions.take("a")).rejects.toThrow(StoreUnavailable), await db.open();
  });
}

// test/store/contract.ts
function storeContract(adapter, create) {
  describe(`store contract: ${adapter}`, () => {
    let subject, db = {
      // Until beforeAll has run.
      store: void 0,
      peer: void 0,
      open: async () => {
        db.store = await subject.open(), db.peer = subject.exclusive ? db.store : await subject.open();
      },
      close: async () => {
        db.peer !== db.store && await db.peer.close(), await db.store.close();
      }
    };
    beforeAll2(async () => {
      subject = await create(), await db.open();
    }, 12e4), afterAll(async () => {
      await db.close(), await subject.dispose();
    }), commitContract(db), historyContract(db), registrationTokenContract({
      get store() {
        return db.store.registrationTokens;
      },
      get peer() {
        return db.peer.registrationTokens;
      }
    }), auditContract(db), sessionContract(db);
  });
}

// src/store/database.ts
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";

// src/store/generated/client.ts
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import "@prisma/client/runtime/client";

// src/store/generated/internal/class.ts
import * as runtime from "@prisma/client/runtime/client";
var config = {
  previewFeatures: [],
  clientVersion: "7.10.0",
  engineVersion: "0edf323efd1d98336f3f0a68684b56f689b900d3",
  activeProvider: "postgresql",
  inlineSchema: `// The store: what is true now (resource), how it became so (change_log), and where the history stands (head); who did what
// (audit_entry); and the credentials that Signalbox itself gives out (session, registration_token), of which only hashes are kept.

generator client {
  provider = "prisma-client"
  output   = "../src/store/generated"
}

datasource db {
  provider = "postgresql"
}

/// One row. Locking it inside the transaction is what makes revision order commit order.
model Head {
  id         Int    @id @default(1)
  /// Which history this is; a database restored from a backup starts a new one.
  epoch      String
  /// The revision of the last commit.
  revision   BigInt
  /// The change log holds the revisions above this one.
  trimmed    BigInt @default(0)
  /// The database in which this history was begun; a mismatch means that the database is a copy.
  birthplace String

  @@map("head")
}

model Resource {
  /// The resource's path under /v1.
  name     String @id
  kind     String
  /// The revision that last changed it.
  revision BigInt
  // json, not jsonb: always read and written whole, never searched by SQL, so parsing it in the database buys nothing.
  value    Json   @db.Json

  @@map("resource")
}

model LogEntry {
  revision BigInt   @id
  at       DateTime @db.Timestamptz(3)
  author   String
  /// Size of the encoded changes: the log is trimmed by size as well as by age.
  bytes    Int
  changes  Json     @db.Json

  @@map("change_log")
}

/// Append-only; the oldest go by retention alone.
model AuditEntry {
  id             BigInt   @id @default(autoincrement())
  at             DateTime @db.Timestamptz(3)
  /// change, refusal, login or operation
  category       String
  subject        String
  /// The name of the service account, if the subject is one.
  account        String?
  project        String?
  action         String
  /// The name of a resource.
  target         String?
  /// The service that it is about: its owners may read the entry.
  service        String?
  revisionBefore BigInt?  @map("revision_before")
  revision       BigInt?
  result         String
  address        String?
  requestId      String?  @map("request_id")
  detail         String?

  @@index([at])
  @@index([service, id])
  @@map("audit_entry")
}

/// Sessions of browsers, and sign-ins that are under way.
model Session {
  /// SHA-256 of what the cookie says, in hex.
  id        String   @id
  kind      String
  data      Json     @db.Json
  createdAt DateTime @map("created_at") @db.Timestamptz(3)
  expiresAt DateTime @map("expires_at") @db.Timestamptz(3)

  @@index([expiresAt])
  @@map("session")
}

/// A registration token opens one service, to register and renew its instances.
model RegistrationToken {
  id        String    @id
  service   String
  title     String?
  /// SHA-256 of the secret part, in hex.
  hash      String
  createdBy String    @map("created_by")
  createdAt DateTime  @map("created_at") @db.Timestamptz(3)
  expiresAt DateTime  @map("expires_at") @db.Timestamptz(3)
  revokedAt DateTime? @map("revoked_at") @db.Timestamptz(3)

  @@index([service])
  @@map("registration_token")
}
`,
  runtimeDataModel: {
    models: {},
    enums: {},
    types: {}
  },
  parameterizationSchema: {
    strings: [],
    graph: ""
  }
};
config.runtimeDataModel = JSON.parse('{"models":{"Head":{"fields":[{"name":"id","kind":"scalar","type":"Int"},{"name":"epoch","kind":"scalar","type":"String"},{"name":"revision","kind":"scalar","type":"BigInt"},{"name":"trimmed","kind":"scalar","type":"BigInt"},{"name":"birthplace","kind":"scalar","type":"String"}],"dbName":"head","schema":null},"Resource":{"fields":[{"name":"name","kind":"scalar","type":"String"},{"name":"kind","kind":"scalar","type":"String"},{"name":"revision","kind":"scalar","type":"BigInt"},{"name":"value","kind":"scalar","type":"Json"}],"dbName":"resource","schema":null},"LogEntry":{"fields":[{"name":"revision","kind":"scalar","type":"BigInt"},{"name":"at","kind":"scalar","type":"DateTime"},{"name":"author","kind":"scalar","type":"String"},{"name":"bytes","kind":"scalar","type":"Int"},{"name":"changes","kind":"scalar","type":"Json"}],"dbName":"change_log","schema":null},"AuditEntry":{"fields":[{"name":"id","kind":"scalar","type":"BigInt"},{"name":"at","kind":"scalar","type":"DateTime"},{"name":"category","kind":"scalar","type":"String"},{"name":"subject","kind":"scalar","type":"String"},{"name":"account","kind":"scalar","type":"String"},{"name":"project","kind":"scalar","type":"String"},{"name":"action","kind":"scalar","type":"String"},{"name":"target","kind":"scalar","type":"String"},{"name":"service","kind":"scalar","type":"String"},{"name":"revisionBefore","kind":"scalar","type":"BigInt","dbName":"revision_before"},{"name":"revision","kind":"scalar","type":"BigInt"},{"name":"result","kind":"scalar","type":"String"},{"name":"address","kind":"scalar","type":"String"},{"name":"requestId","kind":"scalar","type":"String","dbName":"request_id"},{"name":"detail","kind":"scalar","type":"String"}],"dbName":"audit_entry","schema":null},"Session":{"fields":[{"name":"id","kind":"scalar","type":"String"},{"name":"kind","kind":"scalar","type":"String"},{"name":"data","kind":"scalar","type":"Json"},{"name":"createdAt","kind":"scalar","type":"DateTime","dbName":"created_at"},{"name":"expiresAt","kind":"scalar","type":"DateTime","dbName":"expires_at"}],"dbName":"session","schema":null},"RegistrationToken":{"fields":[{"name":"id","kind":"scalar","type":"String"},{"name":"service","kind":"scalar","type":"String"},{"name":"title","kind":"scalar","type":"String"},{"name":"hash","kind":"scalar","type":"String"},{"name":"createdBy","kind":"scalar","type":"String","dbName":"created_by"},{"name":"createdAt","kind":"scalar","type":"DateTime","dbName":"created_at"},{"name":"expiresAt","kind":"scalar","type":"DateTime","dbName":"expires_at"},{"name":"revokedAt","kind":"scalar","type":"DateTime","dbName":"revoked_at"}],"dbName":"registration_token","schema":null}},"enums":{},"types":{}}');
config.parameterizationSchema = {
  strings: JSON.parse('["where","Head.findUnique","Head.findUniqueOrThrow","orderBy","cursor","Head.findFirst","Head.findFirstOrThrow","Head.findMany","data","Head.createOne","Head.createMany","Head.createManyAndReturn","Head.updateOne","Head.updateMany","Head.updateManyAndReturn","create","update","Head.upsertOne","Head.deleteOne","Head.deleteMany","having","_count","_avg","_sum","_min","_max","Head.groupBy","Head.aggregate","Resource.findUnique","Resource.findUniqueOrThrow","Resource.findFirst","Resource.findFirstOrThrow","Resource.findMany","Resource.createOne","Resource.createMany","Resource.createManyAndReturn","Resource.updateOne","Resource.updateMany","Resource.updateManyAndReturn","Resource.upsertOne","Resource.deleteOne","Resource.deleteMany","Resource.groupBy","Resource.aggregate","LogEntry.findUnique","LogEntry.findUniqueOrThrow","LogEntry.findFirst","LogEntry.findFirstOrThrow","LogEntry.findMany","LogEntry.createOne","LogEntry.createMany","LogEntry.createManyAndReturn","LogEntry.updateOne","LogEntry.updateMany","LogEntry.updateManyAndReturn","LogEntry.upsertOne","LogEntry.deleteOne","LogEntry.deleteMany","LogEntry.groupBy","LogEntry.aggregate","AuditEntry.findUnique","AuditEntry.findUniqueOrThrow","AuditEntry.findFirst","AuditEntry.findFirstOrThrow","AuditEntry.findMany","AuditEntry.createOne","AuditEntry.createMany","AuditEntry.createManyAndReturn","AuditEntry.updateOne","AuditEntry.updateMany","AuditEntry.updateManyAndReturn","AuditEntry.upsertOne","AuditEntry.deleteOne","AuditEntry.deleteMany","AuditEntry.groupBy","AuditEntry.aggregate","Session.findUnique","Session.findUniqueOrThrow","Session.findFirst","Session.findFirstOrThrow","Session.findMany","Session.createOne","Session.createMany","Session.createManyAndReturn","Session.updateOne","Session.updateMany","Session.updateManyAndReturn","Session.upsertOne","Session.deleteOne","Session.deleteMany","Session.groupBy","Session.aggregate","RegistrationToken.findUnique","RegistrationToken.findUniqueOrThrow","RegistrationToken.findFirst","RegistrationToken.findFirstOrThrow","RegistrationToken.findMany","RegistrationToken.createOne","RegistrationToken.createMany","RegistrationToken.createManyAndReturn","RegistrationToken.updateOne","RegistrationToken.updateMany","RegistrationToken.updateManyAndReturn","RegistrationToken.upsertOne","RegistrationToken.deleteOne","RegistrationToken.deleteMany","RegistrationToken.groupBy","RegistrationToken.aggregate","AND","OR","NOT","id","service","title","hash","createdBy","createdAt","expiresAt","revokedAt","equals","in","notIn","lt","lte","gt","gte","not","contains","startsWith","endsWith","kind","string_contains","string_starts_with","string_ends_with","array_starts_with","array_ends_with","array_contains","at","category","subject","account","project","action","target","revisionBefore","revision","result","address","requestId","detail","author","bytes","changes","name","value","epoch","trimmed","birthplace","set","increment","decrement","multiply","divide"]'),
  graph: "5gE5YAhsAADEAQAwbQAABAAQbgAAxAEAMG8CAAAAAZEBBAC6AQAhmwEBAKcBACGcAQQAugEAIZ0BAQCnAQAhAQAAAAEAIAEAAAABACAIbAAAxAEAMG0AAAQAEG4AAMQBADBvAgDAAQAhkQEEALoBACGbAQEApwEAIZwBBAC6AQAhnQEBAKcBACEAAwAAAAQAIAMAAAUAMAQAAAEAIAMAAAAEACADAAAFADAEAAABACADAAAABAAgAwAABQAwBAAAAQAgBW8CAAAAAZEBBAAAAAGbAQEAAAABnAEEAAAAAZ0BAQAAAAEBCAAACQAgBW8CAAAAAZEBBAAAAAGbAQEAAAABnAEEAAAAAZ0BAQAAAAEBCAAACwAwAQgAAAsAMAVvAgDcAQAhkQEEANUBACGbAQEAyQEAIZwBBADVAQAhnQEBAMkBACECAAAAAQAgCAAADgAgBW8CANwBACGRAQQA1QEAIZsBAQDJAQAhnAEEANUBACGdAQEAyQEAIQIAAAAEACAIAAAQACACAAAABAAgCAAAEAAgAwAAAAEAIA8AAAkAIBAAAA4AIAEAAAABACABAAAABAAgBRUAAOIBACAWAADjAQAgFwAA5gEAIBgAAOUBACAZAADkAQAgCGwAAMMBADBtAAAXABBuAADDAQAwbwIAvQEAIZEBBACxAQAhmwEBAJgBACGcAQQAsQEAIZ0BAQCYAQAhAwAAAAQAIAMAABYAMBQAABcAIAMAAAAEACADAAAFADAEAAABACAHbAAAwgEAMG0AAB0AEG4AAMIBADCCAQEApwEAIZEBBAC6AQAhmQEBAAAAAZoBAACvAQAgAQAAABoAIAEAAAAaACAHbAAAwgEAMG0AAB0AEG4AAMIBADCCAQEApwEAIZEBBAC6AQAhmQEBAKcBACGaAQAArwEAIAADAAAAHQAgAwAAHgAwBAAAGgAgAwAAAB0AIAMAAB4AMAQAABoAIAMAAAAdACADAAAeADAEAAAaACAEggEBAAAAAZEBBAAAAAGZAQEAAAABmgGAAAAAAQEIAAAiACAEggEBAAAAAZEBBAAAAAGZAQEAAAABmgGAAAAAAQEIAAAkADABCAAAJAAwBIIBAQDJAQAhkQEEANUBACGZAQEAyQEAIZoBgAAAAAECAAAAGgAgCAAAJwAgBIIBAQDJAQAhkQEEANUBACGZAQEAyQEAIZoBgAAAAAECAAAAHQAgCAAAKQAgAgAAAB0AIAgAACkAIAMAAAAaACAPAAAiACAQAAAnACABAAAAGgAgAQAAAB0AIAUVAADdAQAgFgAA3gEAIBcAAOEBACAYAADgAQAgGQAA3wEAIAdsAADBAQAwbQAAMAAQbgAAwQEAMIIBAQCYAQAhkQEEALEBACGZAQEAmAEAIZoBAACsAQAgAwAAAB0AIAMAAC8AMBQAADAAIAMAAAAdACADAAAeADAEAAAaACAIbAAAvwEAMG0AADYAEG4AAL8BADCJAUAAqQEAIZEBBAAAAAGWAQEApwEAIZcBAgDAAQAhmAEAAK8BACABAAAAMwAgAQAAADMAIAhsAAC_AQAwbQAANgAQbgAAvwEAMIkBQACpAQAhkQEEALoBACGWAQEApwEAIZcBAgDAAQAhmAEAAK8BACAAAwAAADYAIAMAADcAMAQAADMAIAMAAAA2ACADAAA3ADAEAAAzACADAAAANgAgAwAANwAwBAAAMwAgBYkBQAAAAAGRAQQAAAABlgEBAAAAAZcBAgAAAAGYAYAAAAABAQgAADsAIAWJAUAAAAABkQEEAAAAAZYBAQAAAAGXAQIAAAABmAGAAAAAAQEIAAA9ADABCAAAPQAwBYkBQADLAQAhkQEEANUBACGWAQEAyQEAIZcBAgDcAQAhmAGAAAAAAQIAAAAzACAIAABAACAFiQFAAMsBACGRAQQA1QEAIZYBAQDJAQAhlwECANwBACGYAYAAAAABAgAAADYAIAgAAEIAIAIAAAA2ACAIAABCACADAAAAMwAgDwAAOwAgEAAAQAAgAQAAADMAIAEAAAA2ACAFFQAA1wEAIBYAANgBACAXAADbAQAgGAAA2gEAIBkAANkBACAIbAAAvAEAMG0AAEkAEG4AALwBADCJAUAAmgEAIZEBBACxAQAhlgEBAJgBACGXAQIAvQEAIZgBAACsAQAgAwAAADYAIAMAAEgAMBQAAEkAIAMAAAA2ACADAAA3ADAEAAAzACASbAAAuQEAMG0AAE8AEG4AALkBADBvBAAAAAFwAQCoAQAhiQFAAKkBACGKAQEApwEAIYsBAQCnAQAhjAEBAKgBACGNAQEAqAEAIY4BAQCnAQAhjwEBAKgBACGQAQQAuwEAIZEBBAC7AQAhkgEBAKcBACGTAQEAqAEAIZQBAQCoAQAhlQEBAKgBACEBAAAATAAgAQAAAEwAIBJsAAC5AQAwbQAATwAQbgAAuQEAMG8EALoBACFwAQCoAQAhiQFAAKkBACGKAQEApwEAIYsBAQCnAQAhjAEBAKgBACGNAQEAqAEAIY4BAQCnAQAhjwEBAKgBACGQAQQAuwEAIZEBBAC7AQAhkgEBAKcBACGTAQEAqAEAIZQBAQCoAQAhlQEBAKgBACEJcAAAxQEAIIwBAADFAQAgjQEAAMUBACCPAQAAxQEAIJABAADFAQAgkQEAAMUBACCTAQAAxQEAIJQBAADFAQAglQEAAMUBACADAAAATwAgAwAAUAAwBAAATAAgAwAAAE8AIAMAAFAAMAQAAEwAIAMAAABPACADAABQADAEAABMACAPbwQAAAABcAEAAAABiQFAAAAAAYoBAQAAAAGLAQEAAAABjAEBAAAAAY0BAQAAAAGOAQEAAAABjwEBAAAAAZABBAAAAAGRAQQAAAABkgEBAAAAAZMBAQAAAAGUAQEAAAABlQEBAAAAAQEIAABUACAPbwQAAAABcAEAAAABiQFAAAAAAYoBAQAAAAGLAQEAAAABjAEBAAAAAY0BAQAAAAGOAQEAAAABjwEBAAAAAZABBAAAAAGRAQQAAAABkgEBAAAAAZMBAQAAAAGUAQEAAAABlQEBAAAAAQEIAABWADABCAAAVgAwD28EANUBACFwAQDKAQAhiQFAAMsBACGKAQEAyQEAIYsBAQDJAQAhjAEBAMoBACGNAQEAygEAIY4BAQDJAQAhjwEBAMoBACGQAQQA1gEAIZEBBADWAQAhkgEBAMkBACGTAQEAygEAIZQBAQDKAQAhlQEBAMoBACECAAAATAAgCAAAWQAgD28EANUBACFwAQDKAQAhiQFAAMsBACGKAQEAyQEAIYsBAQDJAQAhjAEBAMoBACGNAQEAygEAIY4BAQDJAQAhjwEBAMoBACGQAQQA1gEAIZEBBADWAQAhkgEBAMkBACGTAQEAygEAIZQBAQDKAQAhlQEBAMoBACECAAAATwAgCAAAWwAgAgAAAE8AIAgAAFsAIAMAAABMACAPAABUACAQAABZACABAAAATAAgAQAAAE8AIA4VAADQAQAgFgAA0QEAIBcAANQBACAYAADTAQAgGQAA0gEAIHAAAMUBACCMAQAAxQEAII0BAADFAQAgjwEAAMUBACCQAQAAxQEAIJEBAADFAQAgkwEAAMUBACCUAQAAxQEAIJUBAADFAQAgEmwAALABADBtAABiABBuAACwAQAwbwQAsQEAIXABAJkBACGJAUAAmgEAIYoBAQCYAQAhiwEBAJgBACGMAQEAmQEAIY0BAQCZAQAhjgEBAJgBACGPAQEAmQEAIZABBACyAQAhkQEEALIBACGSAQEAmAEAIZMBAQCZAQAhlAEBAJkBACGVAQEAmQEAIQMAAABPACADAABhADAUAABiACADAAAATwAgAwAAUAAwBAAATAAgCAgAAK8BACBsAACuAQAwbQAAaAAQbgAArgEAMG8BAAAAAXRAAKkBACF1QACpAQAhggEBAKcBACEBAAAAZQAgAQAAAGUAIAgIAACvAQAgbAAArgEAMG0AAGgAEG4AAK4BADBvAQCnAQAhdEAAqQEAIXVAAKkBACGCAQEApwEAIQADAAAAaAAgAwAAaQAwBAAAZQAgAwAAAGgAIAMAAGkAMAQAAGUAIAMAAABoACADAABpADAEAABlACAFCIAAAAABbwEAAAABdEAAAAABdUAAAAABggEBAAAAAQEIAABtACAFCIAAAAABbwEAAAABdEAAAAABdUAAAAABggEBAAAAAQEIAABvADABCAAAbwAwBQiAAAAAAW8BAMkBACF0QADLAQAhdUAAywEAIYIBAQDJAQAhAgAAAGUAIAgAAHIAIAUIgAAAAAFvAQDJAQAhdEAAywEAIXVAAMsBACGCAQEAyQEAIQIAAABoACAIAAB0ACACAAAAaAAgCAAAdAAgAwAAAGUAIA8AAG0AIBAAAHIAIAEAAABlACABAAAAaAAgAxUAAM0BACAYAADPAQAgGQAAzgEAIAgIAACsAQAgbAAAqwEAMG0AAHsAEG4AAKsBADBvAQCYAQAhdEAAmgEAIXVAAJoBACGCAQEAmAEAIQMAAABoACADAAB6ADAUAAB7ACADAAAAaAAgAwAAaQAwBAAAZQAgC2wAAKYBADBtAACBAQAQbgAApgEAMG8BAAAAAXABAKcBACFxAQCoAQAhcgEApwEAIXMBAKcBACF0QACpAQAhdUAAqQEAIXZAAKoBACEBAAAAfgAgAQAAAH4AIAtsAACmAQAwbQAAgQEAEG4AAKYBADBvAQCnAQAhcAEApwEAIXEBAKgBACFyAQCnAQAhcwEApwEAIXRAAKkBACF1QACpAQAhdkAAqgEAIQJxAADFAQAgdgAAxQEAIAMAAACBAQAgAwAAggEAMAQAAH4AIAMAAACBAQAgAwAAggEAMAQAAH4AIAMAAACBAQAgAwAAggEAMAQAAH4AIAhvAQAAAAFwAQAAAAFxAQAAAAFyAQAAAAFzAQAAAAF0QAAAAAF1QAAAAAF2QAAAAAEBCAAAhgEAIAhvAQAAAAFwAQAAAAFxAQAAAAFyAQAAAAFzAQAAAAF0QAAAAAF1QAAAAAF2QAAAAAEBCAAAiAEAMAEIAACIAQAwCG8BAMkBACFwAQDJAQAhcQEAygEAIXIBAMkBACFzAQDJAQAhdEAAywEAIXVAAMsBACF2QADMAQAhAgAAAH4AIAgAAIsBACAIbwEAyQEAIXABAMkBACFxAQDKAQAhcgEAyQEAIXMBAMkBACF0QADLAQAhdUAAywEAIXZAAMwBACECAAAAgQEAIAgAAI0BACACAAAAgQEAIAgAAI0BACADAAAAfgAgDwAAhgEAIBAAAIsBACABAAAAfgAgAQAAAIEBACAFFQAAxgEAIBgAAMgBACAZAADHAQAgcQAAxQEAIHYAAMUBACALbAAAlwEAMG0AAJQBABBuAACXAQAwbwEAmAEAIXABAJgBACFxAQCZAQAhcgEAmAEAIXMBAJgBACF0QACaAQAhdUAAmgEAIXZAAJsBACEDAAAAgQEAIAMAAJMBADAUAACUAQAgAwAAAIEBACADAACCAQAwBAAAfgAgC2wAAJcBADBtAACUAQAQbgAAlwEAMG8BAJgBACFwAQCYAQAhcQEAmQEAIXIBAJgBACFzAQCYAQAhdEAAmgEAIXVAAJoBACF2QACbAQAhDhUAAKABACAYAAClAQAgGQAApQEAIHcBAAAAAXgBAAAABHkBAAAABHoBAAAAAXsBAAAAAXwBAAAAAX0BAAAAAX4BAKQBACF_AQAAAAGAAQEAAAABgQEBAAAAAQ4VAACdAQAgGAAAowEAIBkAAKMBACB3AQAAAAF4AQAAAAV5AQAAAAV6AQAAAAF7AQAAAAF8AQAAAAF9AQAAAAF-AQCiAQAhfwEAAAABgAEBAAAAAYEBAQAAAAELFQAAoAEAIBgAAKEBACAZAAChAQAgd0AAAAABeEAAAAAEeUAAAAAEekAAAAABe0AAAAABfEAAAAABfUAAAAABfkAAnwEAIQsVAACdAQAgGAAAngEAIBkAAJ4BACB3QAAAAAF4QAAAAAV5QAAAAAV6QAAAAAF7QAAAAAF8QAAAAAF9QAAAAAF-QACcAQAhCxUAAJ0BACAYAACeAQAgGQAAngEAIHdAAAAAAXhAAAAABXlAAAAABXpAAAAAAXtAAAAAAXxAAAAAAX1AAAAAAX5AAJwBACEIdwIAAAABeAIAAAAFeQIAAAAFegIAAAABewIAAAABfAIAAAABfQIAAAABfgIAnQEAIQh3QAAAAAF4QAAAAAV5QAAAAAV6QAAAAAF7QAAAAAF8QAAAAAF9QAAAAAF-QACeAQAhCxUAAKABACAYAAChAQAgGQAAoQEAIHdAAAAAAXhAAAAABHlAAAAABHpAAAAAAXtAAAAAAXxAAAAAAX1AAAAAAX5AAJ8BACEIdwIAAAABeAIAAAAEeQIAAAAEegIAAAABewIAAAABfAIAAAABfQIAAAABfgIAoAEAIQh3QAAAAAF4QAAAAAR5QAAAAAR6QAAAAAF7QAAAAAF8QAAAAAF9QAAAAAF-QAChAQAhDhUAAJ0BACAYAACjAQAgGQAAowEAIHcBAAAAAXgBAAAABXkBAAAABXoBAAAAAXsBAAAAAXwBAAAAAX0BAAAAAX4BAKIBACF_AQAAAAGAAQEAAAABgQEBAAAAAQt3AQAAAAF4AQAAAAV5AQAAAAV6AQAAAAF7AQAAAAF8AQAAAAF9AQAAAAF-AQCjAQAhfwEAAAABgAEBAAAAAYEBAQAAAAEOFQAAoAEAIBgAAKUBACAZAAClAQAgdwEAAAABeAEAAAAEeQEAAAAEegEAAAABewEAAAABfAEAAAABfQEAAAABfgEApAEAIX8BAAAAAYABAQAAAAGBAQEAAAABC3cBAAAAAXgBAAAABHkBAAAABHoBAAAAAXsBAAAAAXwBAAAAAX0BAAAAAX4BAKUBACF_AQAAAAGAAQEAAAABgQEBAAAAAQtsAACmAQAwbQAAgQEAEG4AAKYBADBvAQCnAQAhcAEApwEAIXEBAKgBACFyAQCnAQAhcwEApwEAIXRAAKkBACF1QACpAQAhdkAAqgEAIQt3AQAAAAF4AQAAAAR5AQAAAAR6AQAAAAF7AQAAAAF8AQAAAAF9AQAAAAF-AQClAQAhfwEAAAABgAEBAAAAAYEBAQAAAAELdwEAAAABeAEAAAAFeQEAAAAFegEAAAABewEAAAABfAEAAAABfQEAAAABfgEAowEAIX8BAAAAAYABAQAAAAGBAQEAAAABCHdAAAAAAXhAAAAABHlAAAAABHpAAAAAAXtAAAAAAXxAAAAAAX1AAAAAAX5AAKEBACEId0AAAAABeEAAAAAFeUAAAAAFekAAAAABe0AAAAABfEAAAAABfUAAAAABfkAAngEAIQgIAACsAQAgbAAAqwEAMG0AAHsAEG4AAKsBADBvAQCYAQAhdEAAmgEAIXVAAJoBACGCAQEAmAEAIQ8VAACgAQAgGAAArQEAIBkAAK0BACB3gAAAAAF6gAAAAAF7gAAAAAF8gAAAAAF9gAAAAAF-gAAAAAGDAQEAAAABhAEBAAAAAYUBAQAAAAGGAYAAAAABhwGAAAAAAYgBgAAAAAEMd4AAAAABeoAAAAABe4AAAAABfIAAAAABfYAAAAABfoAAAAABgwEBAAAAAYQBAQAAAAGFAQEAAAABhgGAAAAAAYcBgAAAAAGIAYAAAAABCAgAAK8BACBsAACuAQAwbQAAaAAQbgAArgEAMG8BAKcBACF0QACpAQAhdUAAqQEAIYIBAQCnAQAhDHeAAAAAAXqAAAAAAXuAAAAAAXyAAAAAAX2AAAAAAX6AAAAAAYMBAQAAAAGEAQEAAAABhQEBAAAAAYYBgAAAAAGHAYAAAAABiAGAAAAAARJsAACwAQAwbQAAYgAQbgAAsAEAMG8EALEBACFwAQCZAQAhiQFAAJoBACGKAQEAmAEAIYsBAQCYAQAhjAEBAJkBACGNAQEAmQEAIY4BAQCYAQAhjwEBAJkBACGQAQQAsgEAIZEBBACyAQAhkgEBAJgBACGTAQEAmQEAIZQBAQCZAQAhlQEBAJkBACENFQAAoAEAIBYAALcBACAXAAC4AQAgGAAAuAEAIBkAALgBACB3BAAAAAF4BAAAAAR5BAAAAAR6BAAAAAF7BAAAAAF8BAAAAAF9BAAAAAF-BAC2AQAhDRUAAJ0BACAWAAC0AQAgFwAAtQEAIBgAALUBACAZAAC1AQAgdwQAAAABeAQAAAAFeQQAAAAFegQAAAABewQAAAABfAQAAAABfQQAAAABfgQAswEAIQ0VAACdAQAgFgAAtAEAIBcAALUBACAYAAC1AQAgGQAAtQEAIHcEAAAAAXgEAAAABXkEAAAABXoEAAAAAXsEAAAAAXwEAAAAAX0EAAAAAX4EALMBACEIdwgAAAABeAgAAAAFeQgAAAAFeggAAAABewgAAAABfAgAAAABfQgAAAABfggAtAEAIQh3BAAAAAF4BAAAAAV5BAAAAAV6BAAAAAF7BAAAAAF8BAAAAAF9BAAAAAF-BAC1AQAhDRUAAKABACAWAAC3AQAgFwAAuAEAIBgAALgBACAZAAC4AQAgdwQAAAABeAQAAAAEeQQAAAAEegQAAAABewQAAAABfAQAAAABfQQAAAABfgQAtgEAIQh3CAAAAAF4CAAAAAR5CAAAAAR6CAAAAAF7CAAAAAF8CAAAAAF9CAAAAAF-CAC3AQAhCHcEAAAAAXgEAAAABHkEAAAABHoEAAAAAXsEAAAAAXwEAAAAAX0EAAAAAX4EALgBACESbAAAuQEAMG0AAE8AEG4AALkBADBvBAC6AQAhcAEAqAEAIYkBQACpAQAhigEBAKcBACGLAQEApwEAIYwBAQCoAQAhjQEBAKgBACGOAQEApwEAIY8BAQCoAQAhkAEEALsBACGRAQQAuwEAIZIBAQCnAQAhkwEBAKgBACGUAQEAqAEAIZUBAQCoAQAhCHcEAAAAAXgEAAAABHkEAAAABHoEAAAAAXsEAAAAAXwEAAAAAX0EAAAAAX4EALgBACEIdwQAAAABeAQAAAAFeQQAAAAFegQAAAABewQAAAABfAQAAAABfQQAAAABfgQAtQEAIQhsAAC8AQAwbQAASQAQbgAAvAEAMIkBQACaAQAhkQEEALEBACGWAQEAmAEAIZcBAgC9AQAhmAEAAKwBACANFQAAoAEAIBYAALcBACAXAACgAQAgGAAAoAEAIBkAAKABACB3AgAAAAF4AgAAAAR5AgAAAAR6AgAAAAF7AgAAAAF8AgAAAAF9AgAAAAF-AgC-AQAhDRUAAKABACAWAAC3AQAgFwAAoAEAIBgAAKABACAZAACgAQAgdwIAAAABeAIAAAAEeQIAAAAEegIAAAABewIAAAABfAIAAAABfQIAAAABfgIAvgEAIQhsAAC_AQAwbQAANgAQbgAAvwEAMIkBQACpAQAhkQEEALoBACGWAQEApwEAIZcBAgDAAQAhmAEAAK8BACAIdwIAAAABeAIAAAAEeQIAAAAEegIAAAABewIAAAABfAIAAAABfQIAAAABfgIAoAEAIQdsAADBAQAwbQAAMAAQbgAAwQEAMIIBAQCYAQAhkQEEALEBACGZAQEAmAEAIZoBAACsAQAgB2wAAMIBADBtAAAdABBuAADCAQAwggEBAKcBACGRAQQAugEAIZkBAQCnAQAhmgEAAK8BACAIbAAAwwEAMG0AABcAEG4AAMMBADBvAgC9AQAhkQEEALEBACGbAQEAmAEAIZwBBACxAQAhnQEBAJgBACEIbAAAxAEAMG0AAAQAEG4AAMQBADBvAgDAAQAhkQEEALoBACGbAQEApwEAIZwBBAC6AQAhnQEBAKcBACEAAAAAAZ4BAQAAAAEBngEBAAAAAQGeAUAAAAABAZ4BQAAAAAEAAAAAAAAAAAWeAQQAAAABnwEEAAAAAaABBAAAAAGhAQQAAAABogEEAAAAAQWeAQQAAAABnwEEAAAAAaABBAAAAAGhAQQAAAABogEEAAAAAQAAAAAABZ4BAgAAAAGfAQIAAAABoAECAAAAAaEBAgAAAAGiAQIAAAABAAAAAAAAAAAAAAAAAAAFFQAGFgAHFwAIGAAJGQAKAAAAAAAFFQAGFgAHFwAIGAAJGQAKAAAABRUAEBYAERcAEhgAExkAFAAAAAAABRUAEBYAERcAEhgAExkAFAAAAAUVABoWABsXABwYAB0ZAB4AAAAAAAUVABoWABsXABwYAB0ZAB4AAAAFFQAkFgAlFwAmGAAnGQAoAAAAAAAFFQAkFgAlFwAmGAAnGQAoAAAAAxUALhgALxkAMAAAAAMVAC4YAC8ZADAAAAADFQA2GAA3GQA4AAAAAxUANhgANxkAOAECAQIDAQUGAQYHAQcIAQkKAQoMAgsNAwwPAQ0RAg4SBBETARIUARMVAhoYBRsZCxwbDB0cDB4fDB8gDCAhDCEjDCIlAiMmDSQoDCUqAiYrDicsDCgtDCkuAioxDysyFSw0Fi01Fi44Fi85FjA6FjE8FjI-AjM_FzRBFjVDAjZEGDdFFjhGFjlHAjpKGTtLHzxNID1OID5RID9SIEBTIEFVIEJXAkNYIURaIEVcAkZdIkdeIEhfIElgAkpjI0tkKUxmKk1nKk5qKk9rKlBsKlFuKlJwAlNxK1RzKlV1AlZ2LFd3Klh4Kll5Alp8LVt9MVx_Ml2AATJegwEyX4QBMmCFATJhhwEyYokBAmOKATNkjAEyZY4BAmaPATRnkAEyaJEBMmmSAQJqlQE1a5YBOQ"
};
async function decodeBase64AsWasm(wasmBase64) {
  let { Buffer: Buffer2 } = await import("node:buffer"), wasmArray = Buffer2.from(wasmBase64, "base64");
  return new WebAssembly.Module(wasmArray);
}
config.compilerWasm = {
  getRuntime: async () => await import("@prisma/client/runtime/query_compiler_fast_bg.postgresql.mjs"),
  getQueryCompilerWasmModule: async () => {
    let { wasm } = await import("@prisma/client/runtime/query_compiler_fast_bg.postgresql.wasm-base64.mjs");
    return await decodeBase64AsWasm(wasm);
  },
  importName: "./query_compiler_fast_bg.js"
};
function getPrismaClientClass() {
  return runtime.getPrismaClient(config);
}

// src/store/generated/internal/prismaNamespace.ts
import * as runtime2 from "@prisma/client/runtime/client";
var getExtensionContext = runtime2.Extensions.getExtensionContext;
var NullTypes2 = {
  DbNull: runtime2.NullTypes.DbNull,
  JsonNull: runtime2.NullTypes.JsonNull,
  AnyNull: runtime2.NullTypes.AnyNull
};
var TransactionIsolationLevel = runtime2.makeStrictEnum({
  ReadUncommitted: "ReadUncommitted",
  ReadCommitted: "ReadCommitted",
  RepeatableRead: "RepeatableRead",
  Serializable: "Serializable"
});
var defineExtension = runtime2.Extensions.defineExtension;

// src/store/generated/client.ts
globalThis.__dirname = path.dirname(fileURLToPath(import.meta.url));
var PrismaClient = getPrismaClientClass();

// src/store/database.ts
var silent = { info: () => {
}, warn: () => {
} };
async function openDatabase(pool) {
  try {
    let { rows } = await pool.query("SELECT current_schema() AS schema"), adapter = new PrismaPg(pool, { schema: rows[0]?.schema ?? "public" });
    return { pool, prisma: new PrismaClient({ adapter, errorFormat: "minimal" }) };
  } catch (error) {
    throw await pool.end(), error;
  }
}
async function closeDatabase({ pool, prisma }) {
  await prisma.$disconnect(), await pool.end();
}
function createPool(config2, onError) {
  let pool = new pg.Pool({ application_name: "signalbox", ...config2 });
  return pool.on("error", onError), pool.on("connect", (client) => client.on("error", () => {
  })), pool;
}
async function withClient(pool, use) {
  let client = await pool.connect(), failed = !0;
  try {
    let result = await use(client);
    return failed = !1, result;
  } finally {
    client.release(failed);
  }
}
function wholeNumber(value) {
  return BigInt(Math.trunc(Math.min(value, Number.MAX_SAFE_INTEGER)));
}
function storable(text) {
  return text.includes("\0") ? text.replaceAll("\0", "�") : text;
}

// src/store/epoch.ts
import { randomUUID as randomUUID2 } from "node:crypto";

// src/store/migrate.ts
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { dirname as dirname2, join as join2 } from "node:path";
import { fileURLToPath as fileURLToPath2 } from "node:url";
async function migrate(pool, dir, log) {
  let migrations = await readMigrations(dir), client = await pool.connect(), applied = [];
  try {
    for (; ; ) {
      let name = await applyNext(client, migrations);
      if (name === void 0) break;
      log?.info(`applied migration ${name}`), applied.push(name);
    }
    let unknown = await recordedButAbsent(client, migrations);
    unknown.length > 0 && log?.warn(`the database has migrations that this version of Signalbox does not know: ${unknown.join(", ")}`);
  } finally {
    client.release();
  }
  return applied;
}
var MigrationError = class extends Error {
  name = "MigrationError";
};
function migrationsDir() {
  let dir = dirname2(fileURLToPath2(import.meta.url));
  for (; !existsSync(join2(dir, "package.json")); ) {
    let parent = dirname2(dir);
    if (parent === dir)
      throw new MigrationError("no package.json above the running program: cannot find its migrations");
    dir = parent;
  }
  return join2(dir, "prisma", "migrations");
}
async function readMigrations(dir) {
  let names = (await readdir(dir, { withFileTypes: !0 })).filter((entry2) => entry2.isDirectory()).map((entry2) => entry2.name);
  return names.sort(), Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(join2(dir, name, "migration.sql"), "utf8") }))
  );
}
var LOCK = "SELECT pg_advisory_xact_lock(72707369)", LOCK_WAIT = "60s";
async function applyNext(client, migrations) {
  await client.query("BEGIN");
  try {
    await lock(client);
    let history = await readHistory(client);
    refuseIfUnsound(history, migrations);
    let done = new Set(history.map((row2) => row2.migration_name)), next = migrations.find((migration) => !done.has(migration.name));
    return next && await apply(client, next), await client.query("COMMIT"), next?.name;
  } catch (error) {
    throw await client.query("ROLLBACK").catch(() => {
    }), error;
  }
}
async function lock(client) {
  await client.query(`SET LOCAL lock_timeout = '${LOCK_WAIT}'`);
  try {
    await client.query(LOCK);
  } catch (error) {
    throw codeOf(error) !== "55P03" ? error : new MigrationError(`another process has been migrating this database for more than ${LOCK_WAIT}`, {
      cause: error
    });
  }
}
async function apply(client, { name, sql }) {
  await client.query(CREATE_HISTORY);
  let id = randomUUID();
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, applied_steps_count)
     VALUES ($1, $2, $3, clock_timestamp(), 1)`,
    [id, checksum(sql), name]
  );
  try {
    await client.query(sql);
  } catch (error) {
    throw new MigrationError(`migration ${name} failed and was rolled back: ${messageOf(error)}`, { cause: error });
  }
  await client.query("UPDATE _prisma_migrations SET finished_at = clock_timestamp() WHERE id = $1", [id]);
}
async function readHistory(client) {
  return (await client.query(
    "SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present"
  )).rows[0]?.present ? (await client.query(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`
  )).rows : [];
}
async function recordedButAbsent(client, migrations) {
  let known = new Set(migrations.map((migration) => migration.name));
  return (await readHistory(client)).map((row2) => row2.migration_name).filter((name) => !known.has(name));
}
function refuseIfUnsound(history, migrations) {
  let byName2 = new Map(migrations.map((migration) => [migration.name, migration]));
  for (let row2 of history) {
    if (!row2.finished)
      throw new MigrationError(
        `migration ${row2.migration_name} is recorded as started but not finished: bring the database to a known state, then mark it with \`prisma migrate resolve --applied\` or \`--rolled-back\``
      );
    let migration = byName2.get(row2.migration_name);
    if (migration && !matches(migration.sql, row2.checksum))
      throw new MigrationError(
        `migration ${row2.migration_name} was edited after it was applied to this database: restore the file, and put the change into a new migration`
      );
  }
}
function checksum(sql) {
  return createHash("sha256").update(sql).digest("hex");
}
function matches(sql, recorded) {
  let unix = sql.replaceAll(`\r
`, `
`);
  return [sql, unix, unix.replaceAll(`
`, `\r
`)].some((text) => checksum(text) === recorded);
}
function codeOf(error) {
  return typeof error == "object" && error !== null && "code" in error ? error.code : void 0;
}
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
var CREATE_HISTORY = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)`;

// src/store/failure.ts
async function guarded(what, run) {
  try {
    return await run();
  } catch (error) {
    throw storeError(what, error);
  }
}
function storeError(what, error, outcomeUnknown = !1) {
  return error instanceof StoreUnavailable || !isAway(error) ? error : new StoreUnavailable(`${what}: ${messageOf2(error)}`, { cause: error, outcomeUnknown });
}
function wasRolledBack(error) {
  return answerOf(error)?.severity === "ERROR";
}
function sqlStateOf(error) {
  return answerOf(error)?.code;
}
function messageOf2(error) {
  let { message, code, errors } = fieldsOf(error);
  return typeof message == "string" && message !== "" ? message : Array.isArray(errors) && errors.length > 0 ? messageOf2(errors[0]) : typeof code == "string" ? code : String(error);
}
var AWAY = new RegExp(
  [
    "^08",
    // connection exception
    "^25006$",
    // read-only: a standby, or a primary that was demoted
    "^28",
    // the role may not connect any more
    "^3D000$",
    // the database is gone: dropped, to be restored
    "^40001$|^40P01$|^55P03$",
    // serialization failure, deadlock, lock not available
    "^42P01$",
    // our tables existed when the store was opened: somebody is restoring the database
    "^53",
    // out of connections, memory, disk
    "^55000$",
    // recovery is in progress
    "^57",
    // shutting down, starting up, cancelled, statement timeout
    "^58"
    // input/output errors
  ].join("|")
), AWAY_KINDS = /* @__PURE__ */ new Set([
  "DatabaseNotReachable",
  "ConnectionClosed",
  "SocketTimeout",
  "TlsConnectionError"
]), FILE_CALLS = /* @__PURE__ */ new Set(["open", "stat", "scandir"]), BUGS = /* @__PURE__ */ new Set(["TypeError", "RangeError", "ReferenceError", "SyntaxError", "AssertionError"]);
function isAway(error) {
  let answer = answerOf(error);
  if (answer) return AWAY.test(answer.code);
  if (error instanceof MigrationError) return error.cause !== void 0 && isAway(error.cause);
  let { name, syscall } = fieldsOf(error);
  return typeof name == "string" && name.startsWith("Prisma") ? AWAY_KINDS.has(driverCause(error).kind) : !BUGS.has(name) && !FILE_CALLS.has(syscall);
}
function answerOf(error) {
  let { code, severity } = fieldsOf(error);
  if (typeof code == "string" && typeof severity == "string") return { code, severity };
  let cause = driverCause(error), original = cause.originalCode;
  return typeof original == "string" ? { code: original, severity: cause.severity } : void 0;
}
function driverCause(error) {
  return fieldsOf(fieldsOf(fieldsOf(fieldsOf(error).meta).driverAdapterError).cause);
}
function fieldsOf(value) {
  return typeof value == "object" && value !== null ? value : {};
}

// src/store/epoch.ts
var PARTS = [
  "(SELECT system_identifier::text FROM pg_control_system())",
  // Not pg_control_checkpoint(): after a promotion it tells the old timeline until the next checkpoint.
  "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)",
  "(SELECT oid::text FROM pg_database WHERE datname = current_database())"
];
async function birthplaceExpression({ pool }) {
  let parts = [];
  for (let part of PARTS) parts.push(await isAllowed(pool, part) ? part : "'?'");
  return `concat_ws('/', ${parts.join(", ")})`;
}
var REFUSALS = /* @__PURE__ */ new Set(["42501", "42883", "0A000"]);
async function isAllowed(pool, expression) {
  try {
    return await pool.query(`SELECT ${expression}`), !0;
  } catch (error) {
    if (REFUSALS.has(sqlStateOf(error))) return !1;
    throw error;
  }
}
async function ensureHead(db, birthplace) {
  await db.pool.query(
    `INSERT INTO head (id, epoch, revision, trimmed, birthplace) SELECT 1, $1, 0, 0, ${birthplace}
      WHERE NOT EXISTS (SELECT FROM change_log) AND NOT EXISTS (SELECT FROM resource)
     ON CONFLICT DO NOTHING`,
    [randomUUID2()]
  );
}
async function renewEpochIfMoved(client, birthplace, log) {
  let { rows } = await client.query(
    `SELECT birthplace AS was, ${birthplace} AS is FROM head WHERE id = 1`
  ), [head] = rows;
  if (!head || head.was === head.is) return;
  (await client.query(
    `UPDATE head SET epoch = $1, birthplace = ${birthplace} WHERE id = 1 AND birthplace = $2`,
    [randomUUID2(), head.was]
  )).rowCount === 1 && log.warn(
    `the database was restored, copied or failed over (its history began in ${head.was}, this is ${head.is}): a new epoch begins, and every watcher starts over`
  );
}
async function newEpoch({ prisma }) {
  await prisma.head.updateMany({ where: { id: 1 }, data: { epoch: randomUUID2() } });
}

// src/store/array.ts
var textArray = (texts) => strings(25, texts), jsonArray = (texts) => strings(114, texts);
function int4Array(numbers) {
  let buffer = allocate(23, numbers.length, numbers.length * 8), at = 20;
  for (let number of numbers)
    buffer.writeInt32BE(4, at), buffer.writeInt32BE(number, at + 4), at += 8;
  return buffer;
}
var int8Array = (numbers) => words(20, numbers);
function timestampArray(times) {
  return words(
    1184,
    times.map((time) => Math.trunc(time - 9466848e5) * 1e3)
  );
}
function strings(type, texts) {
  let size = 0, bytes = 0, last;
  for (let text of texts)
    text !== last && (bytes = text === void 0 ? 0 : Buffer.byteLength(text)), last = text, size += 4 + bytes;
  let buffer = allocate(type, texts.length, size), at = 20, from = 0, to = 0;
  last = void 0;
  for (let text of texts)
    text === void 0 ? at = writeNull(buffer, at) : text === last ? (buffer.copyWithin(at, from, to), at += to - from) : (from = at, at = to = at + 4 + buffer.write(text, at + 4), buffer.writeInt32BE(to - from - 4, from), last = text);
  return buffer;
}
function words(type, numbers) {
  let buffer = allocate(type, numbers.length, numbers.length * 12), at = 20;
  for (let number of numbers) {
    if (number === void 0) {
      at = writeNull(buffer, at);
      continue;
    }
    let high = Math.floor(number / 4294967296);
    buffer.writeInt32BE(8, at), buffer.writeInt32BE(high, at + 4), buffer.writeUInt32BE(number - high * 4294967296, at + 8), at += 12;
  }
  return buffer.subarray(0, at);
}
function writeNull(buffer, at) {
  return buffer.writeInt32BE(-1, at), buffer.writeInt32BE(1, 4), at + 4;
}
function allocate(type, length, size) {
  let buffer = Buffer.allocUnsafe(20 + size);
  return buffer.writeInt32BE(1, 0), buffer.writeInt32BE(0, 4), buffer.writeInt32BE(type, 8), buffer.writeInt32BE(length, 12), buffer.writeInt32BE(1, 16), buffer;
}

// src/store/audit.ts
var COLUMNS = {
  at: "timestamptz",
  category: "text",
  subject: "text",
  account: "text",
  project: "text",
  action: "text",
  target: "text",
  service: "text",
  revision_before: "bigint",
  revision: "bigint",
  result: "text",
  address: "text",
  request_id: "text",
  detail: "text"
}, NAMES = Object.keys(COLUMNS).join(", "), insertAudit = (first) => `INSERT INTO audit_entry (${NAMES})
  SELECT ${Object.values(COLUMNS).map((type, i) => `unnest($${first + i}::${type}[])`).join(", ")}`;
function auditValues(entries) {
  let texts = (field) => textArray(entries.map(({ [field]: text }) => text === void 0 ? void 0 : storable(text)));
  return [
    timestampArray(entries.map((entry2) => entry2.at)),
    texts("category"),
    texts("subject"),
    texts("account"),
    texts("project"),
    texts("action"),
    texts("target"),
    texts("service"),
    int8Array(entries.map((entry2) => entry2.before)),
    int8Array(entries.map((entry2) => entry2.after)),
    texts("result"),
    texts("address"),
    texts("requestId"),
    texts("detail")
  ];
}
var APPEND = insertAudit(1);
async function appendAudit({ pool }, entries) {
  entries.length !== 0 && await withClient(pool, (client) => client.query({ text: APPEND, values: auditValues(entries) }));
}
async function readAudit({ pool }, filter, page) {
  let query = auditQuery(filter, page), { rows } = await withClient(pool, (client) => client.query(query));
  return rows.map(entryOf);
}
function auditQuery(filter, { before, limit }) {
  let { category, subject, account, project, action, target, result, services, from, to } = filter, values = [], conditions = [], where = (condition, value) => {
    value !== void 0 && (values.push(value), conditions.push(condition(`$${values.length}`)));
  };
  for (let [column, text2] of Object.entries({ category, subject, account, project, action, target, result }))
    where((p) => `${column} = ${p}`, text2 === void 0 ? void 0 : storable(text2));
  where((p) => `service = ANY (${p}::text[])`, services === void 0 ? void 0 : textArray(services.map(storable))), where((p) => `at >= ${p}`, from === void 0 ? void 0 : new Date(from)), where((p) => `at < ${p}`, to === void 0 ? void 0 : new Date(to)), where((p) => `at <= ${p}`, before && new Date(before.at));
  let filtered = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`, ofLast = before === void 0 ? "" : ` OFFSET ${Math.trunc(before.given)}`;
  return { text: `SELECT ${NAMES} FROM audit_entry ${filtered} ORDER BY at DESC, id LIMIT ${Math.trunc(limit)}${ofLast}`, values };
}
function entryOf(row2) {
  let { at, category, subject, action, result } = row2;
  return {
    at: at.getTime(),
    category,
    subject,
    ...row2.account !== null && { account: row2.account },
    ...row2.project !== null && { project: row2.project },
    action,
    ...row2.target !== null && { target: row2.target },
    ...row2.service !== null && { service: row2.service },
    ...row2.revision_before !== null && { before: Number(row2.revision_before) },
    ...row2.revision !== null && { after: Number(row2.revision) },
    result,
    ...row2.address !== null && { address: row2.address },
    ...row2.request_id !== null && { requestId: row2.request_id },
    ...row2.detail !== null && { detail: row2.detail }
  };
}
var STEP = 1e3;
async function trimAudit({ prisma }, before) {
  let gone = 0;
  for (; ; ) {
    let count = await prisma.$executeRaw`
      DELETE FROM audit_entry
       WHERE id IN (SELECT id FROM audit_entry WHERE at < ${new Date(before)} ORDER BY at LIMIT ${STEP})`;
    if (gone += count, count < STEP) return gone;
  }
}

// src/domain/codec.ts
function encodeChanges(changes) {
  return `[${changes.map((change) => {
    let head = change.op === "delete" ? `"delete","name":${JSON.stringify(change.name)}` : `"put","value":${change.item.json}`, was = change.was === void 0 ? "" : `,"was":${JSON.stringify(change.was)}`, facets = change.facets === void 0 ? "" : `,"facets":${JSON.stringify(change.facets)}`;
    return `{"op":${head}${was}${facets}${encodeAudience(change)}}`;
  }).join(",")}]`;
}
var AUDIENCES = /* @__PURE__ */ new WeakMap();
function audienceJson(audience) {
  let json = AUDIENCES.get(audience);
  return json === void 0 && AUDIENCES.set(audience, json = JSON.stringify(audience)), json;
}
function encodeAudience(change) {
  let audience = change.audience === void 0 ? "" : `,"audience":${audienceJson(change.audience)}`;
  return change.op === "delete" || change.audienceBefore === void 0 ? audience : `${audience},"audienceBefore":${JSON.stringify(change.audienceBefore)}`;
}
function decodeChanges(stored) {
  return stored.map((change) => {
    let { facets, audience, audienceBefore } = change, seen = { ...facets !== void 0 && { facets }, ...audience !== void 0 && { audience } };
    return change.op === "delete" ? { op: "delete", kind: partsOf(change.name).kind, name: change.name, was: change.was, ...seen } : {
      op: "put",
      item: makeItem(change.value),
      ...change.was !== void 0 && { was: change.was },
      ...seen,
      ...audienceBefore !== void 0 && { audienceBefore }
    };
  });
}

// src/store/commit.ts
var PUT = `
WITH moved AS (
  UPDATE head SET revision = $3 WHERE id = 1 AND epoch = $1 AND revision = $2 RETURNING 1
), put AS (
  INSERT INTO resource (name, kind, revision, value)
  SELECT r.name, r.kind, r.revision, r.value
    FROM moved, unnest($4::text[], $5::text[], $6::bigint[], $7::json[]) AS r (name, kind, revision, value)
  ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, value = excluded.value
)`, remove2 = (first) => `, removed AS (
  DELETE FROM resource USING moved WHERE name = ANY ($${first}::text[])
)`, AUDIT = `, audited AS (
  ${insertAudit(12)} FROM moved
)`, APPEND2 = `
INSERT INTO change_log (revision, at, author, bytes, changes)
SELECT $2::bigint + e.place, e.at, e.author, e.bytes, e.changes
  FROM moved, unnest($8::timestamptz[], $9::text[], $10::int[], $11::json[])
              WITH ORDINALITY AS e (at, author, bytes, changes, place)`;
async function commit(db, batch) {
  let query = encode(batch), sent = !1;
  try {
    return (await withClient(db.pool, (client) => (sent = !0, client.query(query)))).rowCount === batch.entries.length;
  } catch (error) {
    throw storeError("commit", error, sent && !wasRolledBack(error));
  }
}
function encode({ epoch, base, entries, audit = [] }) {
  if (entries.length === 0) throw new RangeError("a batch holds at least one entry");
  let { items, gone } = lastStates(entries.flatMap((entry2) => entry2.changes)), changes = entries.map((entry2) => encodeChanges(entry2.changes));
  entries.forEach((entry2, i) => {
    if (entry2.revision !== base + 1 + i) throw new RangeError(`revision ${entry2.revision} at place ${i} above ${base}`);
  });
  let values = [
    epoch,
    base,
    base + entries.length,
    textArray(items.map((item) => item.name)),
    textArray(items.map((item) => item.kind)),
    int8Array(items.map((item) => item.revision)),
    jsonArray(items.map((item) => item.json)),
    timestampArray(entries.map((entry2) => entry2.at)),
    textArray(entries.map((entry2) => storable(entry2.author))),
    int4Array(changes.map((text2) => Buffer.byteLength(text2))),
    jsonArray(changes)
  ], audited = audit.length > 0 ? AUDIT : "";
  return audit.length > 0 && values.push(...auditValues(audit)), gone.length === 0 ? { text: PUT + audited + APPEND2, values, name: audited === "" ? "commit" : "commit audited" } : { text: PUT + audited + remove2(values.length + 1) + APPEND2, values: [...values, textArray(gone)] };
}
function lastStates(changes) {
  let last = /* @__PURE__ */ new Map();
  for (let change of changes) last.set(changeName(change), change);
  let items = [], gone = [];
  for (let [name, change] of last)
    change.op === "put" ? items.push(change.item) : gone.push(name);
  return { items, gone };
}

// src/store/log.ts
async function changesSince({ prisma }, revision, limit) {
  return (await prisma.$queryRaw`
    SELECT revision, at, author, changes::text AS changes
      FROM (SELECT *, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto,
                   row_number() OVER (ORDER BY revision) AS place
              FROM (SELECT * FROM change_log
                     WHERE revision > ${wholeNumber(revision)}
                     ORDER BY revision LIMIT ${wholeNumber(Math.max(1, limit.entries))}) AS above) AS measured
     WHERE place = 1 OR upto <= ${wholeNumber(limit.bytes)}
     ORDER BY revision`).map((row2) => ({
    revision: Number(row2.revision),
    at: row2.at.getTime(),
    author: row2.author,
    changes: decodeChanges(JSON.parse(row2.changes))
  }));
}

// src/store/head.ts
async function readHead({ prisma }) {
  let row2 = await prisma.head.findUnique({ where: { id: 1 } });
  return row2 ? headOf(row2) : noHead();
}
function headOf({ epoch, revision, trimmed }) {
  return { epoch, revision: Number(revision), trimmed: Number(trimmed) };
}
function noHead() {
  throw new StoreUnavailable("the database holds no head: is it being restored?");
}

// src/store/load.ts
var PAGE = 1e3;
async function load({ pool }) {
  return withClient(pool, async (client) => {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    let found = await client.query("SELECT epoch, revision, trimmed FROM head WHERE id = 1"), head = found.rows[0] ? headOf(found.rows[0]) : noHead(), items = await readItems(client);
    return await client.query("COMMIT"), { head, items };
  });
}
async function readItems(client) {
  await client.query("DECLARE resources NO SCROLL CURSOR FOR SELECT value::text FROM resource");
  let items = [];
  for (; ; ) {
    let page = await client.query({ text: `FETCH ${PAGE} FROM resources`, rowMode: "array" });
    for (let [json] of page.rows) items.push(makeItem(JSON.parse(json), json));
    if (page.rows.length < PAGE) return items;
  }
}

// src/store/registration-tokens.ts
var COLUMNS2 = "id, service, title, hash, created_by, created_at, expires_at, revoked_at", LOCK2 = 1534223719;
function registrationTokens(db) {
  let query = async (text, values) => (await db.pool.query(text, [...values])).rows.map(tokenOf);
  return {
    insert: (token2, limit, since = 0) => guarded("insert a registration token", () => insert(db, token2, limit, since)),
    find: (ids) => guarded(
      "find registration tokens",
      () => query(`SELECT ${COLUMNS2} FROM registration_token WHERE id = ANY ($1::text[])`, [ids])
    ),
    list: (service, { limit, since = 0, after }) => guarded(
      "list registration tokens",
      () => query(
        `SELECT ${COLUMNS2} FROM registration_token
            WHERE service = $1 AND (created_at, id) > ($2::timestamptz, $3::text) AND created_at >= $5::timestamptz
            ORDER BY created_at, id LIMIT $4`,
        [service, new Date(after?.createdAt ?? 0), after?.id ?? "", limit, new Date(since)]
      )
    ),
    revoke: (service, id, at) => guarded("revoke a registration token", async () => {
      let [token2] = await query(
        `UPDATE registration_token SET revoked_at = coalesce(revoked_at, $3)
            WHERE id = $2 AND service = $1 RETURNING ${COLUMNS2}`,
        [service, id, new Date(at)]
      );
      return token2;
    }),
    deleteEnded: (before) => guarded("delete registration tokens", async () => (await db.pool.query("DELETE FROM registration_token WHERE least(expires_at, revoked_at) < $1", [new Date(before)])).rowCount ?? 0)
  };
}
function insert({ pool }, token2, limit, since) {
  let { id, service, title, hash, createdBy, createdAt, expiresAt, revokedAt } = token2, created = new Date(createdAt), revoked = revokedAt === void 0 ? null : new Date(revokedAt);
  return withClient(pool, async (client) => {
    await client.query("BEGIN"), await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [LOCK2, service]);
    let { rows } = await client.query(
      `SELECT count(*) AS live FROM registration_token
        WHERE service = $1 AND revoked_at IS NULL AND expires_at > $2 AND created_at >= $3`,
      [service, created, new Date(since)]
    ), fits = Number(rows[0]?.live) < limit;
    return fits && await client.query(`INSERT INTO registration_token (${COLUMNS2}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, [
      id,
      service,
      title ?? null,
      hash,
      storable(createdBy),
      created,
      new Date(expiresAt),
      revoked
    ]), await client.query("COMMIT"), fits;
  });
}
function tokenOf(row2) {
  let { id, service, title, hash, created_by: createdBy, created_at, expires_at, revoked_at } = row2;
  return {
    id,
    service,
    ...title !== null && { title },
    hash,
    createdBy,
    createdAt: created_at.getTime(),
    expiresAt: expires_at.getTime(),
    ...revoked_at !== null && { revokedAt: revoked_at.getTime() }
  };
}

// src/store/sessions.ts
var read = ({ id, kind, data, createdAt, expiresAt }) => ({
  id,
  kind,
  data,
  createdAt: createdAt.getTime(),
  expiresAt: expiresAt.getTime()
});
function sessionRows({ prisma }) {
  return {
    insert: ({ id, kind, data, createdAt, expiresAt }) => guarded("write a session", async () => await prisma.$executeRaw`
          INSERT INTO session (id, kind, data, created_at, expires_at)
          VALUES (${id}, ${kind}, ${JSON.stringify(data)}::json, ${new Date(createdAt)}, ${new Date(expiresAt)})
          ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, data = excluded.data,
                 created_at = excluded.created_at, expires_at = excluded.expires_at
           WHERE session.expires_at <= excluded.created_at` > 0),
    read: (ids) => guarded("read a session", async () => (await prisma.session.findMany({ where: { id: { in: [...ids] } } })).map(read)),
    update: (id, { data, expiresAt }) => guarded("write a session", async () => {
      let { count } = await prisma.session.updateMany({
        where: { id },
        data: {
          ...data !== void 0 && { data },
          ...expiresAt !== void 0 && { expiresAt: new Date(expiresAt) }
        }
      });
      return count > 0;
    }),
    take: (id) => guarded("end a session", async () => {
      let [row2] = await prisma.$queryRaw`
          DELETE FROM session WHERE id = ${id}
          RETURNING id, kind, data, created_at AS "createdAt", expires_at AS "expiresAt"`;
      return row2 && read(row2);
    }),
    removeExpired: (before) => guarded("remove old sessions", async () => {
      let { count } = await prisma.session.deleteMany({ where: { expiresAt: { lte: new Date(before) } } });
      return count;
    })
  };
}

// src/store/trim.ts
var STEP_ENTRIES = 1e3, STEP_BYTES = 16 * 1024 * 1024;
async function trim(db, policy) {
  let last = await lastToGo(db, policy);
  if (last !== void 0)
    for (; ; ) {
      let trimmed = await step(db, last);
      if (trimmed === void 0 || trimmed >= last) return;
    }
}
async function lastToGo({ prisma }, { before, maxBytes }) {
  return (await prisma.$queryRaw`
    SELECT least(newest - 1, greatest(
             coalesce((SELECT revision FROM change_log WHERE at >= ${new Date(before)} ORDER BY revision LIMIT 1) - 1, newest),
             (SELECT revision
                FROM (SELECT revision, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto
                        FROM change_log) AS measured
               WHERE excess > 0 AND upto >= excess ORDER BY revision LIMIT 1))) AS last
      FROM (SELECT max(revision) AS newest, sum(bytes) - ${wholeNumber(maxBytes)} AS excess FROM change_log) AS log`)[0]?.last ?? void 0;
}
async function step({ prisma }, last) {
  return (await prisma.$queryRaw`
    WITH bound AS (
      SELECT max(revision) AS revision
        FROM (SELECT revision, sum(bytes) OVER (ORDER BY revision ROWS UNBOUNDED PRECEDING) AS upto,
                     row_number() OVER (ORDER BY revision) AS place
                FROM (SELECT revision, bytes FROM change_log
                       WHERE revision <= ${last} ORDER BY revision LIMIT ${STEP_ENTRIES}) AS oldest) AS measured
       WHERE place = 1 OR upto <= ${STEP_BYTES}
    ), gone AS (
      DELETE FROM change_log WHERE revision <= (SELECT revision FROM bound) RETURNING revision
    )
    UPDATE head SET trimmed = (SELECT revision FROM bound)
     WHERE id = 1 AND trimmed < (SELECT revision FROM bound) AND (SELECT count(*) FROM gone) >= 0
    RETURNING trimmed`)[0]?.trimmed;
}

// src/store/store.ts
function createStore(db) {
  let closed;
  return {
    head: () => guarded("read the head", () => readHead(db)),
    load: () => guarded("load the catalog", () => load(db)),
    changesSince: (revision, limit) => guarded("read the change log", () => changesSince(db, revision, limit)),
    commit: (batch) => commit(db, batch),
    trim: (policy) => guarded("trim the change log", async () => (await trim(db, policy), readHead(db))),
    appendAudit: (entries) => guarded("write the audit", () => appendAudit(db, entries)),
    readAudit: (filter, page) => guarded("read the audit", () => readAudit(db, filter, page)),
    trimAudit: (before) => guarded("trim the audit", () => trimAudit(db, before)),
    newEpoch: () => guarded("begin a new epoch", async () => (await newEpoch(db), readHead(db))),
    registrationTokens: registrationTokens(db),
    sessions: sessionRows(db),
    close: () => closed ??= closeDatabase(db)
  };
}

// src/store/postgres.ts
var CONNECT_MS = 3e3, GRACE_MS = 1e3, POOL_SIZE = 5;
async function openPostgres(options) {
  let { url, log = silent, statementTimeoutMs = 1e4 } = options, onError = options.onError ?? ((error) => log.warn(`an idle database connection broke: ${error.message}`)), connection = {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: !0,
    keepAliveInitialDelayMillis: 5e3
  };
  return guarded("open the database", async () => {
    await migrateAlone(connection, log, onError);
    let birthplace, pool = createPool(
      {
        ...connection,
        statement_timeout: statementTimeoutMs,
        idle_in_transaction_session_timeout: statementTimeoutMs,
        query_timeout: statementTimeoutMs + GRACE_MS,
        max: POOL_SIZE,
        min: 1,
        // Not only when the store is opened: behind one address, a standby can take over from a primary at any time.
        // oxlint-disable-next-line typescript/no-misused-promises -- pg-pool waits for it; its types do not say so.
        onConnect: async (client) => {
          await client.query("SET TIME ZONE 'UTC'"), birthplace !== void 0 && await renewEpochIfMoved(client, birthplace, log);
        }
      },
      onError
    ), db = await openDatabase(pool);
    try {
      let expression = await birthplaceExpression(db);
      await ensureHead(db, expression), await renewEpochIfMoved(pool, expression, log), await warnIfNotDurable(pool, log), birthplace = expression;
    } catch (error) {
      throw await closeDatabase(db), error;
    }
    return createStore(db);
  });
}
async function migrateAlone(connection, log, onError) {
  let pool = createPool({ ...connection, max: 1 }, onError);
  try {
    await migrate(pool, migrationsDir(), log);
  } finally {
    await pool.end();
  }
}
async function warnIfNotDurable(pool, log) {
  let { rows } = await pool.query(
    "SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'"
  );
  for (let { name } of rows)
    log.warn(`the server runs with ${name} = off: acknowledged writes can be lost in a crash`);
}
export {
  openPostgres,
  storeContract
};
