// Charts, drawn from the tables beside them: what a chart shows is what its table says.
// D3 computes scales, stacks and areas; what is drawn is SVG that the style sheet colours, so it follows light and dark.
"use strict";

const NARROW = "\u202f";
const SVG = "http://www.w3.org/2000/svg";
const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const LONG = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const KINDS = { stack, treemap, line, scatter };

function begin(figure) {
  const plot = figure.querySelector(".plot");
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  let drawn = 0;
  const draw = () => {
    const width = Math.round(plot.clientWidth);
    if (!width || width === drawn) return;
    drawn = width;
    const chart = KINDS[figure.dataset.chart](figure, width, tip);
    plot.replaceChildren(...(chart ? [chart, tip] : []));
  };
  draw();
  const details = figure.querySelector("details");
  details.open = "shown" in details.dataset;
  new ResizeObserver(draw).observe(plot);
  for (const button of figure.querySelectorAll("[data-save]")) {
    button.hidden = false;
    button.setAttribute("aria-label", `${button.textContent} of the chart: ${figure.dataset.title}`);
    button.addEventListener("click", () => save(figure, button.dataset.save));
  }
}

// -- what is in the table

function cells(figure) {
  const table = figure.querySelector("table");
  const heads = [...table.tHead.rows[0].cells];
  return { heads, rows: [...table.tBodies[0].rows] };
}

const number = (cell) => (cell.dataset.value === "" ? null : Number(cell.dataset.value));
const isShare = (cell) => cell.textContent.trim().endsWith("%");

function series(figure) {
  const { heads, rows } = cells(figure);
  return {
    days: rows.map((row) => row.cells[0].dataset.value),
    names: heads.slice(1).map((head) => head.dataset.label || head.textContent.trim()),
    rest: heads.slice(1).map((head) => "rest" in head.dataset),
    values: rows.map((row) => [...row.cells].slice(1).map(number)),
    texts: rows.map((row) => [...row.cells].slice(1).map((cell) => cell.textContent.trim())),
    share: rows.length > 0 && rows.some((row) => isShare(row.cells[1])),
  };
}

// -- drawing

function el(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function frame(figure, width, height, role = "img") {
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, height, role });
  svg.setAttribute("aria-label", `${figure.dataset.title}. The table below has its numbers.`);
  return svg;
}

function short(value) {
  for (const [size, unit] of [[1e15, "P"], [1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]]) {
    if (value >= size) return `${+(value / size).toPrecision(3)}${NARROW}${unit}`;
  }
  return String(+value.toPrecision(3));
}

const percent = (value) => `${+(100 * value).toPrecision(3)}${NARROW}%`;
const at = (day) => new Date(`${day}T00:00:00Z`);

function ruled(svg, y, left, width, format) {
  for (const tick of y.ticks(4)) {
    svg.append(el("line", { class: "axis", x1: left, x2: width, y1: y(tick), y2: y(tick) }));
    svg.append(el("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, format(tick)));
  }
}

function dated(svg, days, x, y, width) {
  const room = Math.max(2, Math.floor(width / 90));
  const step = Math.max(1, Math.ceil(days.length / room));
  for (let place = 0; place < days.length; place += step) {
    const anchor = days.length === 1 ? "middle" : place === 0 ? "start" : "middle";
    svg.append(el("text", { x: x(place, anchor), y, "text-anchor": anchor }, SHORT.format(at(days[place]))));
  }
}

// Names and their colours, below a chart; returns the height that they take.
function legend(svg, names, classes, left, top, width) {
  let x = left;
  let y = top;
  names.forEach((name, place) => {
    const room = 22 + measured(name) + 18;
    if (x > left && x + room > width) {
      x = left;
      y += 20;
    }
    svg.append(el("rect", { class: classes[place], x, y: y - 9, width: 10, height: 10, rx: 2.5 }));
    svg.append(el("text", { class: "label", x: x + 16, y }, name));
    x += room;
  });
  return y - top + 20;
}

const canvas = document.createElement("canvas").getContext("2d");
function measured(text, font = `12px ${getComputedStyle(document.body).fontFamily}`) {
  canvas.font = font;
  return canvas.measureText(text).width;
}

// The longest beginning of a text that fits.
function fitting(text, room, font) {
  if (measured(text, font) <= room) return text;
  let end = text.length;
  while (end > 1 && measured(`${text.slice(0, end)}…`, font) > room) end -= 1;
  return end > 2 ? `${text.slice(0, end).trimEnd()}…` : "";
}

// A text in lines that fit, at most so many; what has no room is left out.
function wrapped(text, room, most, font) {
  const lines = [];
  for (const word of text.split(" ")) {
    const joined = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && (lines.length === most || measured(joined, font) <= room)) lines[lines.length - 1] = joined;
    else lines.push(word);
  }
  const cut = lines.map((part) => fitting(part, room, font));
  // A name without its first word is another name.
  return cut.slice(0, cut.includes("") ? cut.indexOf("") : cut.length);
}

// -- kinds of charts

function stack(figure, width, tip) {
  const data = series(figure);
  if (!data.days.length) return null;
  const height = width < 600 ? 240 : 320;
  const left = 52;
  const svg = frame(figure, width, height);
  const classes = data.rest.map((rest, place) => (rest ? "rest" : `s${place}`));
  const most = Math.max(1, ...data.values.map((row) => row.reduce((sum, value) => sum + value, 0)));
  const y = d3.scaleLinear([0, most], [height - 24, 8]).nice(4);
  const x = d3.scaleBand(data.days.map((_, place) => place), [left, width]).padding(0.18);
  ruled(svg, y, left, width, short);
  const layers = d3.stack().keys(data.names.map((_, place) => place)).value((row, key) => row[key])(data.values);
  layers.forEach((layer, place) => {
    const group = el("g", { class: classes[place] });
    layer.forEach(([low, high], day) => {
      if (high > low) {
        const size = Math.max(0.5, y(low) - y(high) - (y(low) - y(high) > 3 ? 0.75 : 0));
        group.append(el("rect", { x: x(day), width: x.bandwidth(), y: y(high), height: size }));
      }
    });
    svg.append(group);
  });
  dated(svg, data.days, (place) => x(place) + x.bandwidth() / 2, height - 4, width - left);
  const room = legend(svg, data.names, classes, left, height + 24, width);
  resize(svg, width, height + room + 14);
  pointed(svg, tip, width, (mouse) => {
    const day = Math.floor((mouse - left - (x.step() - x.bandwidth()) / 2) / x.step());
    if (day < 0 || day >= data.days.length) return null;
    const rows = data.names.map((name, place) => [name, data.texts[day][place], classes[place], data.values[day][place]]);
    const sum = rows.reduce((total, row) => total + row[3], 0);
    return {
      x: x(day) + x.bandwidth() / 2,
      title: `${LONG.format(at(data.days[day]))}: ${short(sum)}`,
      rows: rows.filter((row) => row[3] > 0),
      top: 8,
      bottom: height - 24,
    };
  });
  return svg;
}

function line(figure, width, tip) {
  const data = series(figure);
  if (!data.days.length) return null;
  const height = width < 600 ? 200 : 240;
  const left = 52;
  // Requests and tokens have no scale in common; shares of both have.
  const shown = data.share ? data.names.length : 1;
  const svg = frame(figure, width, height);
  const most = Math.max(...data.values.map((row) => Math.max(0, ...row.slice(0, shown).map((value) => value || 0))));
  const y = d3.scaleLinear([0, most || 1], [height - 24, 8]).nice(4);
  const x = d3.scaleLinear([0, Math.max(1, data.days.length - 1)], [left + 4, width - 6]);
  ruled(svg, y, left, width, data.share ? percent : short);
  for (let place = 0; place < shown; place += 1) {
    const known = (row) => row[place] !== null;
    const curve = d3.line().defined(known).x((_, day) => x(day)).y((row) => y(row[place]));
    if (shown === 1) {
      const area = d3.area().defined(known).x((_, day) => x(day)).y0(y(0)).y1((row) => y(row[place]));
      svg.append(el("path", { class: `under s${place}`, d: area(data.values) || "" }));
    }
    svg.append(el("path", { class: `line s${place}`, d: curve(data.values) || "" }));
    data.values.forEach((row, day) => {
      const alone = known(row) && !(data.values[day - 1] && known(data.values[day - 1])) && !(data.values[day + 1] && known(data.values[day + 1]));
      if (alone) svg.append(el("circle", { class: `s${place}`, cx: x(day), cy: y(row[place]), r: 3 }));
    });
  }
  dated(svg, data.days, (place) => x(place), height - 4, width - left);
  if (shown > 1) resize(svg, width, height + 14 + legend(svg, data.names.slice(0, shown), ["s0", "s1"], left, height + 24, width));
  pointed(svg, tip, width, (mouse) => {
    const day = Math.max(0, Math.min(data.days.length - 1, Math.round(x.invert(mouse))));
    return {
      x: x(day),
      title: LONG.format(at(data.days[day])),
      rows: data.names.map((name, place) => [name, data.texts[day][place], place < shown ? `s${place}` : ""]),
      top: 8,
      bottom: height - 24,
    };
  });
  return svg;
}

function treemap(figure, width, tip) {
  const { heads, rows } = cells(figure);
  const column = heads.findIndex((head) => "area" in head.dataset);
  const tiles = rows.map((row) => ({
    name: row.cells[0].textContent.trim(),
    link: row.cells[0].querySelector("a").getAttribute("href"),
    category: row.cells[1].textContent.trim(),
    group: row.dataset.group,
    value: number(row.cells[column]),
    text: row.cells[column].textContent.trim(),
    both: [2, 3].map((place) => [heads[place].textContent.trim(), row.cells[place].textContent.trim()]),
  }));
  const height = width < 600 ? Math.round(width * 1.5) : Math.round(Math.min(520, width * 0.46));
  const groups = new Map();
  for (const tile of tiles) groups.set(tile.group, [...(groups.get(tile.group) || []), tile]);
  const root = d3.hierarchy({ children: [...groups.values()].map((children) => ({ children })) }).sum((tile) => tile.value || 0);
  root.sort((one, other) => other.value - one.value);
  d3.treemap().size([width, height]).paddingInner(2).round(true).tile(d3.treemapSquarify.ratio(1.3))(root);
  const svg = frame(figure, width, height, "group");
  // Over the tiles: a name that was cut to fit is for the eye, the tile itself has the whole one.
  const labels = el("g", { "aria-hidden": "true", class: "names" });
  const family = getComputedStyle(document.body).fontFamily;
  for (const leaf of root.leaves()) {
    const tile = leaf.data;
    const [w, h] = [leaf.x1 - leaf.x0, leaf.y1 - leaf.y0];
    if (w < 1 || h < 1) continue;
    const size = w > 190 && h > 90 ? 17 : w > 110 && h > 50 ? 14 : 12;
    const link = el("a", { class: "tile", href: tile.link, "aria-label": `${tile.name}, ${tile.category}: ${tile.text}` });
    link.append(el("rect", { class: tile.group, x: leaf.x0, y: leaf.y0, width: w, height: h, rx: 3 }));
    const inset = size > 14 ? 14 : 9;
    const step = size + 4;
    const lines = wrapped(tile.name, w - 2 * inset + 4, Math.floor((h - inset) / step) - 1 || 1, `600 ${size}px ${family}`);
    const top = leaf.y0 + inset + size - 3;
    if (h >= size + 10) {
      lines.forEach((part, place) => {
        const text = { x: leaf.x0 + inset, y: top + place * step, "font-weight": 600, "font-size": `${size}px` };
        labels.append(el("text", text, part));
      });
    }
    if (lines.length && w > 46 && h >= inset + (lines.length + 1) * step) {
      const text = { x: leaf.x0 + inset, y: top + lines.length * step + 1, "font-size": `${size - 1}px` };
      labels.append(el("text", { class: "share", ...text }, tile.text));
    }
    const told = { title: tile.name, rows: [["Category", tile.category, tile.group], ...tile.both.map(([head, value]) => [head, value, ""])] };
    const show = () => tell(tip, told, Math.min(leaf.x0 + w / 2, width - 20), leaf.y0 + Math.min(h, 60), width);
    link.addEventListener("pointerenter", show);
    link.addEventListener("focus", show);
    for (const end of ["pointerleave", "blur"]) link.addEventListener(end, () => (tip.hidden = true));
    svg.append(link);
  }
  svg.append(labels);
  return svg;
}

function scatter(figure, width, tip) {
  const { heads, rows } = cells(figure);
  const column = heads.findIndex((head) => "y" in head.dataset);
  const points = rows
    .filter((row) => Number(row.dataset.x) > 0 && number(row.cells[column]) !== null)
    .map((row) => ({
      name: row.dataset.name,
      x: Number(row.dataset.x),
      y: number(row.cells[column]),
      rows: [...row.cells].slice(column).map((cell, place) => [heads[column + place].textContent.trim(), cell.textContent.trim(), ""]),
    }));
  if (!points.length) return null;
  const height = width < 600 ? 300 : 400;
  const left = 44;
  const svg = frame(figure, width, height);
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  const x = d3.scaleLog([low / 1.3, high * 1.3], [left + 8, width - 8]);
  const pad = (Math.max(...ys) - Math.min(...ys) || 1) * 0.08;
  const y = d3.scaleLinear([Math.min(...ys) - pad, Math.max(...ys) + pad], [height - 40, 10]).nice(5);
  ruled(svg, y, left, width, (tick) => String(+tick.toPrecision(4)));
  const ticks = priced(low / 1.3, high * 1.3, Math.max(3, Math.floor(width / 110)));
  for (const tick of ticks) {
    svg.append(el("text", { x: x(tick), y: height - 22, "text-anchor": "middle" }, `$${+tick.toPrecision(3)}`));
  }
  svg.append(el("text", { class: "label", x: width, y: height - 3, "text-anchor": "end" }, "USD a million tokens →"));
  const taken = [];
  for (const point of [...points].sort((one, other) => other.y - one.y)) {
    const [cx, cy] = [x(point.x), y(point.y)];
    const dot = el("circle", { class: "point", cx, cy, r: 6 });
    const told = { title: point.name, rows: point.rows };
    dot.addEventListener("pointerenter", () => tell(tip, told, cx, cy + 8, width));
    dot.addEventListener("pointerleave", () => (tip.hidden = true));
    svg.append(dot);
    const room = measured(point.name);
    const right = cx + 10 + room < width;
    const box = { x0: right ? cx + 9 : cx - 10 - room, x1: right ? cx + 10 + room : cx - 9, y0: cy - 8, y1: cy + 8 };
    const clear = taken.every((other) => box.x0 > other.x1 || box.x1 < other.x0 || box.y0 > other.y1 || box.y1 < other.y0);
    const beside = points.every((other) => other === point || x(other.x) < box.x0 - 6 || x(other.x) > box.x1 + 6 || Math.abs(y(other.y) - cy) > 13);
    if (clear && beside && box.x0 > left) {
      taken.push(box);
      svg.append(el("text", { class: "label", x: right ? cx + 10 : cx - 10, y: cy + 4, "text-anchor": right ? "start" : "end" }, point.name));
    }
  }
  return svg;
}

// Round prices within bounds: 1, 2 and 5 of each power of ten, or fewer where there is no room.
function priced(low, high, most) {
  for (const heads of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const head of heads) {
        const tick = head * 10 ** power;
        if (tick >= low && tick <= high) found.push(tick);
      }
    }
    if (found.length && found.length <= most) return found;
  }
  return [low * 1.3];
}

// -- what is under the pointer

function resize(svg, width, height) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
}

function pointed(svg, tip, width, find) {
  const mark = el("line", { class: "mark", visibility: "hidden" });
  svg.append(mark);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const found = find(((event.clientX - box.left) / box.width) * width);
    tip.hidden = !found;
    mark.setAttribute("visibility", found ? "visible" : "hidden");
    if (!found) return;
    for (const [name, value] of Object.entries({ x1: found.x, x2: found.x, y1: found.top, y2: found.bottom })) mark.setAttribute(name, value);
    tell(tip, found, found.x, found.top, width);
  });
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
    mark.setAttribute("visibility", "hidden");
  });
}

function tell(tip, told, x, y, width) {
  const title = document.createElement("b");
  title.textContent = told.title;
  const rows = told.rows.map(([name, value, colour]) => {
    const row = document.createElement("div");
    const label = document.createElement("span");
    if (colour) label.append(el("svg", { viewBox: "0 0 9 9", "aria-hidden": "true" }, el("rect", { class: colour, width: 9, height: 9, rx: 2 })));
    label.append(name);
    const shown = document.createElement("span");
    shown.textContent = value;
    row.append(label, shown);
    return row;
  });
  tip.replaceChildren(title, ...rows);
  tip.hidden = false;
  const room = tip.offsetWidth;
  const left = x + 14 + room > width ? Math.max(0, x - 14 - room) : x + 14;
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(y)}px)`;
}

// -- taking a chart away

const PAINTS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight"];

// Returns the chart as a file of its own: with its colours, title and the line by which it is cited.
function whole(figure) {
  const shown = figure.querySelector(".plot svg");
  const [, , width, height] = shown.getAttribute("viewBox").split(" ").map(Number);
  const copy = shown.cloneNode(true);
  const painted = [...shown.querySelectorAll("*")];
  [...copy.querySelectorAll("*")].forEach((node, place) => {
    const style = getComputedStyle(painted[place]);
    for (const name of PAINTS) node.setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "href", "aria-label"]) node.removeAttribute(name);
  });
  copy.querySelector("[visibility=hidden]")?.remove();
  const body = getComputedStyle(document.body);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const group = el("g", { transform: "translate(24 60)" }, ...copy.childNodes);
  const full = { width: width + 48, height: height + 108 };
  return {
    ...full,
    svg: el(
      "svg",
      { xmlns: SVG, viewBox: `0 0 ${full.width} ${full.height}`, ...full, "font-family": body.fontFamily },
      el("title", {}, figure.dataset.title),
      el("rect", { ...full, fill: colour("--paper") }),
      el("text", { x: 24, y: 36, "font-size": 18, "font-weight": 650, fill: colour("--ink") }, figure.dataset.title),
      group,
      el("text", { x: 24, y: full.height - 18, "font-size": 11, fill: colour("--soft") }, figure.dataset.cite),
    ),
  };
}

async function save(figure, form) {
  const { svg, width, height } = whole(figure);
  const text = new XMLSerializer().serializeToString(svg);
  const plain = new Blob([text], { type: "image/svg+xml" });
  const name = `${figure.id}-${document.title.split(" · ")[0].toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  download(form === "svg" ? plain : await pixels(text, width, height), `${name}.${form}`);
}

async function pixels(text, width, height) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [2 * width, 2 * height];
  sheet.getContext("2d").drawImage(image, 0, 0, sheet.width, sheet.height);
  return new Promise((done) => sheet.toBlob(done, "image/png"));
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

for (const figure of document.querySelectorAll("[data-chart]")) {
  if (KINDS[figure.dataset.chart]) begin(figure);
}
