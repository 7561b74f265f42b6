// Draws /live.json every two seconds. Nothing is asked for but that, and nothing is stored. Values become text and
// attributes, never markup; positions are attributes of SVG, since the page's policy admits no style written inline.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const POINTS = 150; // five minutes
  const FEW_SITES = 12; // more are folded away: on a phone each is a card
  const OUTCOMES = [
    ["untouched", "untouched: nobody opted out"],
    ["enforced", "enforced"],
    ["nothing_to_do", "opted out, nothing denied was there"],
    ["contained", "contained: could not be rewritten"],
    ["blocked", "not sent"],
    ["passed_unenforced", "passed as it came: served with trackers"],
    ["observed", "observe mode: served with trackers"],
  ];
  const SVG = "http://www.w3.org/2000/svg";
  const id = (name) => document.getElementById(name);
  const whole = new Intl.NumberFormat("en");
  const sum = (rows) => rows.reduce((total, row) => total + row[row.length - 1], 0);

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function drawn(name, attributes) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  /** Counts by the words that `key` makes of a row, the largest first. */
  function grouped(rows, key) {
    const counts = new Map();
    for (const row of rows) counts.set(key(row), (counts.get(key(row)) || 0) + row[row.length - 1]);
    return [...counts].filter(([, count]) => count > 0).sort((one, other) => other[1] - one[1]);
  }

  /** Draws counts as bars: a table, so that it is read aloud as one. A name after a line break is set small. */
  function bars(where, pairs, none, most = 20) {
    const place = id(where);
    if (!pairs.length) return place.replaceChildren(element("p", { class: "none" }, none));
    const longest = Math.max(...pairs.map(([, count]) => count));
    const rows = pairs.slice(0, most).map(([name, count]) => {
      const [first, second] = name.split("\n");
      const bar = drawn("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
      bar.append(drawn("rect", { x: 0, y: 0, height: 10, width: (100 * count) / longest }));
      const head = element("th", { scope: "row" }, first);
      if (second) head.append(" ", element("small", {}, second));
      return element("tr", {}, head, element("td", {}, bar), element("td", {}, whole.format(count)));
    });
    place.replaceChildren(element("table", {}, element("tbody", {}, ...rows)));
    if (pairs.length > most) place.append(element("p", { class: "none" }, `and ${pairs.length - most} more: see the metrics`));
  }

  /** The part of observations between each bound and the one before. */
  function between(buckets) {
    let before = 0;
    return buckets.map(([bound, upTo]) => {
      const count = upTo - before;
      before = upTo;
      return [bound, count];
    });
  }

  function time(seconds) {
    return seconds < 1 ? `${+(seconds * 1000).toPrecision(2)} ms` : `${+seconds.toPrecision(2)} s`;
  }

  /** The bound under which a share of the observations lies, in words. */
  function quantile(buckets, share) {
    const all = buckets.length ? buckets[buckets.length - 1][1] : 0;
    if (!all) return "–";
    const index = buckets.findIndex(([, upTo]) => upTo >= share * all);
    const [bound] = buckets[index];
    return bound === "+Inf" ? `> ${time(Number(buckets[index - 1][0]))}` : `< ${time(Number(bound))}`;
  }

  function histogram(where, buckets) {
    let under = "";
    const pairs = between(buckets).map(([bound, count]) => {
      const words = bound === "+Inf" ? `${under} and more` : `up to ${time(Number(bound))}`;
      under = bound === "+Inf" ? under : time(Number(bound));
      return [words, count];
    });
    const used = pairs.map(([, count]) => count > 0);
    const shown = pairs.slice(Math.max(0, used.indexOf(true)), used.lastIndexOf(true) + 1);
    bars(where, shown, "No exchange yet.");
  }

  const history = []; // {at, rates} a point
  let last = null;

  function remember(now) {
    const totals = Object.fromEntries(OUTCOMES.map(([name]) => [name, 0]));
    for (const [, , decision, count] of now.counts.requests) totals[decision] += count;
    if (last && now.at > last.at) {
      const rates = {};
      for (const [name] of OUTCOMES) rates[name] = Math.max(0, totals[name] - last.totals[name]) / (now.at - last.at);
      history.push({ at: now.at, rates });
      if (history.length > POINTS) history.shift();
    }
    last = { at: now.at, totals };
    return totals;
  }

  function area(totals) {
    const [width, height] = [600, 180];
    const peak = Math.max(1, ...history.map(({ rates }) => OUTCOMES.reduce((all, [name]) => all + rates[name], 0)));
    const step = width / (Math.max(30, history.length) - 1);
    const left = width - step * (history.length - 1);
    const floor = history.map(() => 0);
    const layers = OUTCOMES.map(([name]) => {
      const points = [];
      const back = [];
      history.forEach(({ rates }, index) => {
        const x = (left + index * step).toFixed(1);
        back.unshift(`${x},${(height - (height * floor[index]) / peak).toFixed(1)}`);
        floor[index] += rates[name];
        points.push(`${x},${(height - (height * floor[index]) / peak).toFixed(1)}`);
      });
      return drawn("polygon", { class: name, points: [...points, ...back].join(" ") });
    });
    const chart = id("outcomes");
    chart.replaceChildren(...(history.length > 1 ? layers : []));
    const lately = history.length ? history[history.length - 1].rates : {};
    id("peak").textContent = peak.toFixed(1);
    id("outcome-key").replaceChildren(
      ...OUTCOMES.filter(([name]) => totals[name] > 0).map(([name, words]) => {
        const patch = drawn("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
        patch.append(drawn("rect", { width: 10, height: 10, class: name }));
        return element("li", {}, patch, `${words}: ${(lately[name] || 0).toFixed(1)} a second, ${whole.format(totals[name])} in all`);
      }),
    );
  }

  function ago(now, then) {
    const seconds = Math.max(0, now - then);
    if (seconds < 90) return `${Math.round(seconds)} s ago`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
    return seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
  }

  function figures(now, totals) {
    const requests = sum(now.counts.requests);
    const optOuts = sum(now.counts.requests.filter(([, signal]) => signal !== "none" && signal !== "always"));
    const leaks = sum(now.counts.leaks);
    const seen = Math.max(0, ...now.gauges.last_opt_out_timestamp_seconds.map((row) => row[1]));
    const failing = totals.contained + totals.blocked + totals.passed_unenforced;
    const served = totals.observed + totals.passed_unenforced + sum(now.counts.signals_not_honoured);
    const failed = sum(now.counts.upstream_errors);
    const shown = [
      ["Requests", whole.format(requests)],
      ["Opted out", whole.format(optOuts), "", requests ? `${((100 * optOuts) / requests).toFixed(1)} %` : ""],
      ["Last opt-out", seen ? ago(now.at, seen) : "none yet"],
      ["Taken out", whole.format(sum(now.counts.removals))],
      ["Served with trackers", whole.format(served), served ? "bad" : "good"],
      ["Leaks in browsers", whole.format(leaks), leaks ? "bad" : "good"],
      ["Pages not rewritten", whole.format(failing), failing ? "bad" : "good"],
      ["Failed by the site", whole.format(failed), failed ? "bad" : "good"],
      ["Unknown third parties", whole.format(sum(now.gauges.unknown_hosts))],
      ["In the gate, 99 of 100", quantile(now.histograms.rewrite_duration_seconds, 0.99)],
    ];
    id("figures").replaceChildren(
      ...shown.map(([name, value, how, beside]) => {
        const told = element("dd", how ? { [`data-${how}`]: "" } : {}, value);
        if (beside) told.append(" ", element("small", {}, beside));
        return element("div", {}, element("dt", {}, name), told);
      }),
    );
  }

  /** Fills a table; on a narrow screen each cell shows its column's name. */
  function fill(where, rows, none) {
    const table = id(where);
    const columns = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const cells = (row) => row.map((text, index) => element("td", { "data-column": columns[index] }, text));
    const made = rows.map((row) => element("tr", {}, ...cells(row)));
    const empty = element("tr", {}, element("td", { colspan: columns.length }, none));
    table.tBodies[0].replaceChildren(...(made.length ? made : [empty]));
  }

  let isUnfolded = false;
  function configuration(now) {
    const { hash, sites, policies } = now.configuration;
    const [[good] = [1]] = now.gauges.config_last_reload_successful;
    const [[loaded] = [0]] = now.gauges.config_last_reload_success_timestamp_seconds;
    const facts = [
      ["Hash", hash],
      ["Loaded", loaded ? ago(now.at, loaded) : "–"],
      ["Last reload", good ? "good" : "refused: an older configuration stays in force; see the log"],
      ["Version", now.version],
    ];
    id("config").replaceChildren(
      ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
    );
    id("sites-told").textContent = `Sites: ${sites.length}`;
    if (!isUnfolded) id("all-sites").open = sites.length <= FEW_SITES; // once; then whoever looks decides
    isUnfolded = true;
    fill("sites", sites.map((site) => [site.hosts.join(", "), site.upstream, site.mode, site.policy]), "None.");
    const words = (list) => list.join(", ") || "–";
    fill(
      "policies",
      policies.map((each) => [each.name, words(each.honor), words(each.denied), words(each.always), each.unknown]),
      "None.",
    );
  }

  function listed(words, most = 6) {
    const more = words.length > most ? ` and ${words.length - most} more` : "";
    return words.slice(0, most).join(", ") + more || "–";
  }

  function draw(now) {
    const totals = remember(now);
    const named = (row) => `${row[0]}\n${row[1].replaceAll("_", " ")}`;
    figures(now, totals);
    area(totals);
    bars("vendors", grouped(now.counts.removals, named), "Nothing yet.");
    bars("purposes", grouped(now.counts.removals, (row) => row[1].replaceAll("_", " ")), "Nothing yet.");
    bars("kinds", grouped(now.counts.removals_by_kind, (row) => row[0].replaceAll("_", " ")), "Nothing yet.");
    bars("leaks", grouped(now.counts.leaks, named), "None.");
    bars("blocked", grouped(now.counts.blocked_in_browser, named), "Nothing yet.");
    histogram("gate-time", now.histograms.rewrite_duration_seconds);
    histogram("site-time", now.histograms.upstream_duration_seconds);
    fill(
      "recent",
      now.recent.map((each) => [
        each.at.replace("T", " ").replace("Z", ""),
        each.site,
        each.signal,
        each.outcome.replaceAll("_", " "),
        listed(Object.entries(each.removed).map(([vendor, count]) => `${vendor} ${count}`)),
        `${each.ms} ms`,
      ]),
      "Nobody has opted out since the start.",
    );
    configuration(now);
  }

  let paused = false;
  function say(words, bad) {
    const state = id("state");
    if (state.textContent !== words) state.textContent = words; // said once, not every two seconds
    state.toggleAttribute("data-bad", bad);
  }

  async function look() {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch("/live.json", { cache: "no-store" });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      draw(await answer.json());
      say("Live", false);
    } catch (error) {
      say(`The gate does not answer (${error.message}); these are the last figures.`, true);
    }
  }

  async function keepLooking() {
    await look();
    setTimeout(keepLooking, EVERY_MS);
  }

  id("pause").addEventListener("click", () => {
    paused = !paused;
    id("pause").setAttribute("aria-pressed", String(paused));
    say(paused ? "Paused" : "Reading …", false);
    if (!paused) look();
  });
  for (const each of document.querySelectorAll("[data-drawn]")) each.hidden = false;
  keepLooking();
})();
