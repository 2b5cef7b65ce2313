"use strict";
(() => {
// What a row is written as: see `Rows` beside this file.
const STATUS = ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED", "NOT SUBMITTED"];
const RUNNABLE = 2, RUNNING = 4, SUCCEEDED = 5, FAILED = 6, NONE = 7;
const ROW_HEIGHT = 26, ROWS_PRINTED = 500;
// An action names its jobs on a command line, which has an end.
const JOBS_AT_ONCE = 1000;

// ---- elements and words

const $ = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name === "on") Object.entries(value).forEach(([type, act]) => node.addEventListener(type, act));
    else if (name === "style") Object.entries(value).forEach(([key, text]) => node.style.setProperty(key, text));
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};
const button = (label, act, attributes = {}) => make("button", { type: "button", ...attributes, on: { click: act } }, label);
const number = new Intl.NumberFormat("en");
const count = (n, noun) => `${number.format(n)} ${noun}${n === 1 ? "" : "s"}`;
const span = (ms) => {
  if (ms == null) return "–";
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)}s`;
  if (s < 60) return `${Math.floor(s)}s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m}m${String(Math.floor(s % 60)).padStart(2, "0")}s`;
  const h = Math.floor(m / 60);
  if (h < 24) return `${h}h${String(m % 60).padStart(2, "0")}m`;
  return `${Math.floor(h / 24)}d${String(h % 24).padStart(2, "0")}h`;
};
const moment = (ms) => ms == null ? "–" : new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
const kind = (status) => status === SUCCEEDED ? "ok" : status === FAILED ? "bad" : status === 3 || status === RUNNING ? "run" : "wait";
const hours = (value) => value < 10 ? value.toFixed(2) : number.format(Math.round(value));
const median = (values) => {
  const known = values.filter((value) => value != null).sort((a, b) => a - b);
  return known.length ? known[Math.floor(known.length / 2)] : null;
};

// ---- the jobs, and what is told of all of them

const data = JSON.parse($("data").textContent);
let now, jobs = [], shown = [], first, end, counts, causes, bins;
const state = { status: new Set(), cause: null, text: "", sort: "order", down: false, at: -1 };

const read = (row, index) => ({
  index, name: row[0], status: row[1], cause: row[2], queue: data.queues[row[3]] ?? "", exit: row[4], why: row[5] ?? "",
  vcpus: row[6] ?? 1, size: row[10], log: row[12],
  open: row[1] < SUCCEEDED,
  tries: [
    ...(row[11] ?? []).map((t) => ({ created: t[0], started: t[1], stopped: t[2], cause: t[3], earlier: true })),
    ...(row[1] === NONE ? [] : [{ created: row[7], started: row[8], stopped: row[9], cause: row[2] }]),
  ],
  text: `${row[0]}\n${row[5] ?? ""}\n${data.queues[row[3]] ?? ""}\n${row[2] ?? ""}`.toLowerCase(),
});
const stopOf = (t, job) => t.stopped ?? (job.open ? now : null);

const measure = () => {
  now = data.generatedAt;
  first = Infinity; end = -Infinity;
  counts = STATUS.map(() => 0);
  causes = new Map();
  for (const job of jobs) {
    counts[job.status]++;
    const last = job.tries[job.tries.length - 1];
    job.waited = last?.started != null && last.created != null ? last.started - last.created : null;
    job.ran = last?.started != null ? (last.stopped ?? now) - last.started : null;
    job.waiting = job.open && job.status < RUNNING && last?.created != null ? now - last.created : job.waited;
    for (const t of job.tries) {
      const begun = t.created ?? t.started;
      if (begun != null) first = Math.min(first, begun);
      end = Math.max(end, t.stopped ?? (job.open ? now : begun ?? -Infinity));
      if (t.cause) causes.set(t.cause, (causes.get(t.cause) ?? 0) + 1);
    }
  }
  if (!(end > first)) { first = Number.isFinite(first) ? first : now - 1000; end = first + 1000; }
  bins = gather();
};

// ---- tiles

const tile = (value, label, tone = "", title = "") =>
  make("div", { class: `card tile ${tone}`, title }, make("b", {}, value), make("span", { class: "dim" }, label));
const tiles = () => {
  const open = jobs.filter((job) => job.open).length;
  let used = 0, lost = 0, again = 0;
  for (const job of jobs) for (const t of job.tries) {
    const spent = t.started == null ? 0 : ((t.stopped ?? now) - t.started) / 3_600_000 * job.vcpus;
    used += spent;
    if (t.earlier) { lost += spent; again++; }
  }
  $("tiles").replaceChildren(
    tile(number.format(jobs.length), "jobs"),
    tile(number.format(counts[SUCCEEDED]), "succeeded", "ok"),
    tile(number.format(counts[FAILED]), "failed", counts[FAILED] ? "bad" : ""),
    tile(number.format(open), "under way", open ? "run" : ""),
    ...(counts[NONE] ? [tile(number.format(counts[NONE]), "not submitted")] : []),
    tile(span(end - first), "first to last"),
    tile(span(median(jobs.map((job) => job.waited))), "median wait"),
    tile(span(median(jobs.map((job) => job.ran))), "median run"),
    tile(number.format(again), "tries again"),
    tile(hours(used), "vCPU hours", "", "from start to stop; an array counts as one job"),
    tile(hours(lost), "in lost tries", "", "vCPU hours of tries that were followed by another"));
  const { runs } = data;
  const told = runs.map((run) => `${run.runId} · ${run.state}${run.requestedBy ? ` · ${run.requestedBy}` : ""}`).join(", ");
  $("subtitle").textContent = `${told}${runs.length ? " · " : ""}as of ${moment(now)}`;
};

// ---- charts: bins, so that they cost the same for any number of jobs

const BINS = 160;
const gather = () => {
  const bin = (ms) => Math.min(BINS - 1, Math.max(0, Math.floor((ms - first) / (end - first) * BINS)));
  const steps = { waiting: new Float64Array(BINS + 1), running: new Float64Array(BINS + 1) };
  const ends = { ok: new Float64Array(BINS), bad: new Float64Array(BINS), retry: new Float64Array(BINS) };
  // A job that starts within a bin runs in it and no longer waits.
  const add = (into, from, to, least) => {
    if (from == null || to == null || to < from) return;
    into[bin(from)]++; into[Math.max(bin(from) + least, to >= end ? BINS : bin(to))]--;
  };
  for (const job of jobs) for (const t of job.tries) {
    const stop = stopOf(t, job);
    add(steps.waiting, t.created, t.started ?? stop, 0);
    add(steps.running, t.started, stop, 1);
    if (t.stopped != null) ends[t.earlier ? "retry" : job.status === SUCCEEDED ? "ok" : "bad"][bin(t.stopped)]++;
  }
  const summed = (values) => { const out = new Float64Array(BINS); let at = 0; for (let i = 0; i < BINS; i++) { at += values[i]; out[i] = at; } return out; };
  return { ...ends, waiting: summed(steps.waiting), running: summed(steps.running) };
};
const clock = (ms) => new Date(ms).toLocaleString(undefined, end - first > 86_400_000
  ? { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }
  : { hour: "2-digit", minute: "2-digit", second: end - first < 600_000 ? "2-digit" : undefined });
const chart = (id, series) => {
  const canvas = $(id), css = getComputedStyle(document.documentElement), ratio = devicePixelRatio || 1;
  const w = canvas.clientWidth, h = canvas.clientHeight, c = canvas.getContext("2d");
  canvas.width = w * ratio; canvas.height = h * ratio;
  c.scale(ratio, ratio); c.clearRect(0, 0, w, h);
  const total = new Float64Array(BINS);
  for (const [values] of series) values.forEach((value, i) => { total[i] += value; });
  const top = Math.max(1, ...total), left = 6 + 7 * number.format(Math.ceil(top)).length, bottom = h - 16;
  const x = (i) => left + (w - left) * i / BINS, y = (value) => bottom - (bottom - 8) * value / top;
  c.font = "11px system-ui, sans-serif"; c.fillStyle = css.getPropertyValue("--dim");
  c.strokeStyle = css.getPropertyValue("--line"); c.textAlign = "right";
  for (const value of top > 1 ? [0, top / 2, top] : [0, 1]) {
    if (value !== Math.round(value) && top < 4) continue;
    c.fillText(number.format(Math.round(value)), left - 5, y(value) + 4);
    c.beginPath(); c.moveTo(left, y(value) + .5); c.lineTo(w, y(value) + .5); c.stroke();
  }
  const base = new Float64Array(BINS);
  for (const [values, colour] of series) {
    c.fillStyle = css.getPropertyValue(colour);
    values.forEach((value, i) => {
      const at = y(base[i] + value);
      if (value) c.fillRect(x(i), at, Math.max(1, x(i + 1) - x(i) - .5), Math.max(1, y(base[i]) - at));
      base[i] += value;
    });
  }
  c.fillStyle = css.getPropertyValue("--dim");
  for (const [at, align] of [[0, "left"], [BINS, "right"]]) { c.textAlign = align; c.fillText(clock(first + (end - first) / BINS * at), x(at), h - 3); }
};
const charts = () => {
  const perBin = (end - first) / BINS, [unit, word] = perBin < 60_000 ? [60_000, "a minute"] : [3_600_000, "an hour"];
  const peak = Math.max(...bins.ok.map((value, i) => value + bins.bad[i] + bins.retry[i]));
  $("rate").textContent = peak ? `· up to ${number.format(Math.round(peak * unit / perBin))} ${word}` : "";
  chart("load", [[bins.running, "--run"], [bins.waiting, "--wait"]]);
  chart("ends", [[bins.ok, "--ok"], [bins.bad, "--bad"], [bins.retry, "--retry"]]);
};

// ---- filters

const toggles = () => {
  const most = Math.max(1, ...causes.values());
  const ofCause = ([cause, n]) => make("li", {}, make("button", {
    type: "button", "aria-pressed": String(state.cause === cause), style: { "--share": n / most },
    on: { click: () => { state.cause = state.cause === cause ? null : cause; toggles(); filter(); } },
  }, make("span", {}, cause), make("span", {}, number.format(n))));
  const listed = [...causes].sort((a, b) => b[1] - a[1]).map(ofCause);
  $("causes").replaceChildren(...(listed.length ? listed : [make("li", { class: "dim" }, "no try failed")]));
  const ofStatus = (name, status) => counts[status] || state.status.has(status) ? [button(`${name} ${number.format(counts[status])}`, () => {
    if (!state.status.delete(status)) state.status.add(status);
    toggles(); filter();
  }, { "aria-pressed": String(state.status.has(status)) }), " "] : [];
  $("chips").replaceChildren(...STATUS.flatMap(ofStatus));
};
const presets = [["slowest", "ran"], ["longest waiting", "waiting"], ["most tries", "tries"]];
for (const [label, sort] of presets) $("presets").append(button(label, () => { state.sort = sort; state.down = true; filter(); }), " ");
const KEYS = {
  order: (job) => job.index, name: (job) => job.name, status: (job) => job.status, cause: (job) => job.cause ?? "",
  tries: (job) => job.tries.length, waiting: (job) => job.waiting ?? -1, ran: (job) => job.ran ?? -1,
};
const choose = () => {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (job) => (!state.status.size || state.status.has(job.status))
    && (!state.cause || job.tries.some((t) => t.cause === state.cause)) && words.every((word) => job.text.includes(word));
  const key = KEYS[state.sort], sign = state.down ? -1 : 1;
  shown = jobs.filter(matches).sort((a, b) => { const x = key(a), y = key(b); return (x < y ? -1 : x > y ? 1 : a.index - b.index) * sign; });
  $("count").textContent = shown.length === jobs.length ? count(jobs.length, "job") : `${number.format(shown.length)} of ${count(jobs.length, "job")}`;
};
const filter = () => { choose(); state.at = -1; $("body").scrollTop = 0; heads(); render(); live?.offer(); };

// ---- the table: only the rows that are seen exist

const heads = () => {
  const head = (label, sort, num) => button(label + (state.sort === sort ? (state.down ? " ↓" : " ↑") : ""), () => {
    state.down = state.sort === sort ? !state.down : num ?? false;
    state.sort = sort;
    filter();
  }, { class: num ? "num" : "", "aria-label": `sort by ${label}` });
  const ticks = [.12, .5, .88].map((part) => make("span", { style: { left: `${part * 100}%` } }, clock(first + (end - first) * part)));
  $("head").replaceChildren(head("job", "name"), head("status", "status"), head("cause", "cause"), head("tries", "tries", true),
    head("waited", "waiting", true), head("ran", "ran", true), make("div", { class: "axis" }, ...ticks));
};
const left = (ms) => `${((ms - first) / (end - first) * 100).toFixed(3)}%`;
const width = (from, to) => `${Math.max(0, (to - from) / (end - first) * 100).toFixed(3)}%`;
const line = (job) => job.tries.flatMap((t) => {
  const stop = stopOf(t, job), marks = [];
  if (t.created != null && (t.started ?? stop) != null) marks.push(make("i", { class: "wait", style: { left: left(t.created), width: width(t.created, t.started ?? stop) } }));
  const colour = t.earlier ? "retry" : kind(job.status) === "wait" ? "run" : kind(job.status);
  if (t.started != null && stop != null) marks.push(make("i", { style: { left: left(t.started), width: width(t.started, stop), background: `var(--${colour})` } }));
  return marks;
});
const row = (job, i) => make("div", {
  class: "row", role: "row", "aria-selected": String(i === state.at), title: job.why, style: { top: `${i * ROW_HEIGHT}px` },
  on: { click: () => { state.at = i; render(); details(job); } },
}, make("div", {}, job.name), make("div", { class: `s ${kind(job.status)}` }, STATUS[job.status]),
make("div", { class: "dim" }, job.cause ?? (job.size ? `${number.format(job.size)} children` : job.why)),
make("div", { class: "num" }, String(job.tries.length)), make("div", { class: "num" }, span(job.waiting)),
make("div", { class: "num" }, span(job.ran)), make("div", { class: "line" }, ...line(job)));
const render = (all = false) => {
  const body = $("body"), space = $("space");
  // Before the rows are counted that are seen: the height of the list gives that of its frame.
  space.style.height = all ? "auto" : `${shown.length * ROW_HEIGHT}px`;
  const from = all ? 0 : Math.max(0, Math.floor(body.scrollTop / ROW_HEIGHT) - 8);
  const to = Math.min(shown.length, all ? ROWS_PRINTED : Math.ceil((body.scrollTop + body.clientHeight) / ROW_HEIGHT) + 8);
  const rows = [];
  for (let i = from; i < to; i++) rows.push(row(shown[i], i));
  space.replaceChildren(...(shown.length ? rows : [make("div", { class: "none" }, jobs.length ? "no job matches" : "no jobs")]));
};
const move = (to) => {
  if (!shown.length) return;
  state.at = Math.min(shown.length - 1, Math.max(0, to));
  const body = $("body"), top = state.at * ROW_HEIGHT;
  if (top < body.scrollTop) body.scrollTop = top;
  else if (top + ROW_HEIGHT > body.scrollTop + body.clientHeight) body.scrollTop = top + ROW_HEIGHT - body.clientHeight;
  render();
};

// ---- one job

const cells = (tag, values) => make("tr", {}, ...values.map((value) => make(tag, {}, value)));
const tries = (job) => job.tries.map((t, i) => cells("td", [
  String(i + 1), moment(t.created), moment(t.started), moment(t.stopped),
  span(t.started != null && t.created != null ? t.started - t.created : null),
  span(t.started != null && t.stopped != null ? t.stopped - t.started : null),
  t.cause ?? (t.stopped != null && job.status === SUCCEEDED ? "SUCCEEDED" : "–"),
]));
const details = (job) => {
  const commands = ["explain", "logs", job.open ? "terminate" : "rerun"].map((word) => `batchwright ${word} ${job.name} ${data.place}`);
  $("dialog").replaceChildren(
    make("h3", {}, job.name),
    make("div", {}, make("span", { class: `s ${kind(job.status)}` }, STATUS[job.status]), ` ${job.cause ?? ""} ${job.exit != null ? `exit code ${job.exit}` : ""}`),
    make("div", { class: "dim" }, `${job.queue ? `queue ${job.queue} · ` : ""}${count(job.vcpus, "vCPU")}${job.size ? ` · array of ${number.format(job.size)}` : ""}`),
    ...(job.why ? [make("pre", {}, job.why)] : []),
    make("table", {}, cells("th", ["try", "created", "started", "stopped", "waited", "ran", "ended"]), ...tries(job)),
    ...(job.log ? [make("div", { class: "dim" }, "the end of its log"), make("pre", {}, job.log)] : []),
    make("div", { id: "explanation" }),
    make("pre", {}, commands.join("\n")),
    make("div", { class: "bar" }, ...(live?.actions([job]) ?? []), button("close", () => $("dialog").close())));
  if (!$("dialog").open) $("dialog").showModal();
  live?.explain(job);
};

// ---- keys

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = document.activeElement, typing = at === $("search");
  const keys = {
    "/": () => typing || $("search").focus(),
    ArrowDown: () => move(state.at + 1), ArrowUp: () => move(state.at - 1),
    PageDown: () => typing || move(state.at + 20), PageUp: () => typing || move(state.at - 20),
    Home: () => typing || move(0), End: () => typing || move(shown.length - 1),
  };
  if (event.key === "Escape" && typing) $("body").focus();
  else if (event.key === "Enter" && state.at >= 0 && (typing || at === $("body") || at === document.body)) details(shown[state.at]);
  else if (keys[event.key] && keys[event.key]() !== true) event.preventDefault();
});
let due = 0;
$("search").addEventListener("input", (event) => {
  clearTimeout(due);
  due = setTimeout(() => { state.text = event.target.value; filter(); }, jobs.length > 5000 ? 150 : 0);
});
$("body").addEventListener("scroll", () => requestAnimationFrame(() => render()), { passive: true });
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  charts();
});
addEventListener("resize", () => { charts(); render(); });
addEventListener("beforeprint", () => render(true));
addEventListener("afterprint", () => render());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", charts);

// ---- the whole page, once or again

const refresh = () => {
  const selected = shown[state.at]?.name;
  document.title = `${data.title} – batchwright`;
  $("title").textContent = data.title;
  measure(); tiles(); charts(); toggles(); choose(); heads();
  if (selected != null) state.at = shown.findIndex((job) => job.name === selected);
  render();
};

// ---- live, where `console` serves the page: what has changed is asked for, and jobs can be stopped and run again

const follow = () => {
  const where = new Map();
  let token = sessionStorage.getItem("token"), epoch = null, version = 0, timer = 0, told = "";
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    token = given;
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  const ask = async (path, options = {}) => {
    const answer = await fetch(path, { ...options, headers: { authorization: `Bearer ${token}`, ...options.headers } });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const say = (text, bad = false) => { $("live").textContent = text; $("live").className = bad ? "s bad" : "dim"; };
  const take = (news) => {
    if (news.epoch !== epoch) { jobs = []; where.clear(); }
    ({ epoch, version } = news);
    const runs = JSON.stringify(news.runs), changed = news.jobs.length > 0 || runs !== told;
    Object.assign(data, { title: news.title, place: news.place, runs: news.runs, generatedAt: news.generatedAt, queues: news.queues });
    for (const fresh of news.jobs) {
      const at = where.get(fresh[0]) ?? jobs.length;
      where.set(fresh[0], at);
      jobs[at] = read(fresh, at);
    }
    if (changed || jobs.some((job) => job.open)) refresh();
    told = runs;
    list(news.actions);
    api.offer();
  };
  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    let pause = 2000;
    try {
      const news = await ask(`data?epoch=${epoch ?? ""}&after=${version}`);
      take(news);
      pause = Math.max(1000, news.nextLookMs);
      say(`live · looked at ${new Date(now).toLocaleTimeString()}`);
    } catch (error) {
      say(error instanceof TypeError ? "the console does not answer: is it still running?" : error.message, true);
    }
    timer = setTimeout(look, pause);
  };
  const list = (actions) => {
    const standing = (action) => action.exit == null ? ["run", "under way"] : action.exit === 0 ? ["ok", "done"] : ["bad", `exit code ${action.exit}`];
    $("actions").replaceChildren(...actions.map((action) => {
      const [tone, word] = standing(action);
      return make("details", { class: "card", ...(action.exit > 0 ? { open: "" } : {}) },
        make("summary", {}, make("span", { class: `s ${tone}` }, word), ` ${action.command}`), make("pre", {}, action.said || "it said nothing so far"));
    }));
  };
  const confirm = (act, chosen) => {
    const dialog = $("confirm"), names = chosen.map((job) => job.name);
    const go = async () => {
      dialog.close();
      $("dialog").close();
      try {
        await ask("act", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ act, jobs: names }) });
        look();
      } catch (error) { say(error.message, true); }
    };
    dialog.replaceChildren(make("h3", {}, `${act} ${names.length === 1 ? names[0] : count(names.length, "job")}?`),
      ...(names.length > 1 ? [make("pre", {}, names.slice(0, 20).join("\n") + (names.length > 20 ? `\n… and ${number.format(names.length - 20)} more` : ""))] : []),
      make("div", { class: "bar" }, button(act, go, { id: "go", class: act === "rerun" ? "" : "danger" }), button("leave it", () => dialog.close())));
    dialog.showModal();
  };
  const api = {
    // What can be done about some jobs.
    actions: (some) => {
      if (data.readOnly) return [];
      const open = some.filter((job) => job.open);
      // Of several, who wants them again wants those that FAILED.
      const ended = some.filter((job) => job.status === FAILED || (some.length === 1 && job.status === SUCCEEDED));
      const offer = (act, chosen) => chosen.length === 0 ? [] : [button(`${act}${some.length === 1 ? "" : ` ${number.format(chosen.length)}`}`, () => confirm(act, chosen),
        chosen.length > JOBS_AT_ONCE ? { disabled: "", title: `at most ${number.format(JOBS_AT_ONCE)} at once: filter, or use the program` } : {}), " "];
      return [...offer("cancel", open.filter((job) => job.status <= RUNNABLE)), ...offer("terminate", open), ...offer("rerun", ended)];
    },
    offer: () => $("offers").replaceChildren(...api.actions(shown)),
    explain: async (job) => {
      const place = $("explanation");
      place.replaceChildren(make("div", { class: "dim" }, "looking…"));
      try {
        const told = await ask(`explain?job=${encodeURIComponent(job.name)}`);
        if (place !== $("explanation")) return;
        const evidence = told.evidence.map((e) => cells("td", [e.of, e.says]));
        place.replaceChildren(make("p", {}, make("b", {}, told.situation), ` ${told.meaning}`),
          ...(evidence.length ? [make("table", {}, ...evidence)] : []),
          ...(told.logTail.length ? [make("div", { class: "dim" }, "the end of its log"), make("pre", {}, told.logTail.join("\n"))] : []),
          make("p", {}, make("b", {}, "What to do: "), told.remedy), make("p", {}, make("b", {}, "Again: "), told.again));
      } catch (error) { place.replaceChildren(make("div", { class: "s bad" }, error.message)); }
    },
    begin: () => {
      document.body.classList.add("live");
      document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
      say("looking…");
      look();
    },
  };
  return api;
};

const live = data.live ? follow() : null;
jobs = data.jobs.map(read);
// A link may hold what to search for, as in report.html#HOST_LOST.
if (!live) state.text = $("search").value = decodeURIComponent(location.hash.slice(1));
refresh();
live?.begin();
})();
