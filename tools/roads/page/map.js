"use strict";
// Draws the page's map. Points are kept in Mercator units, the whole world being 1 by 1; the view
// is the point in the middle of the canvas and how many CSS pixels one unit takes.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const map = document.getElementById("map");
  const canvas = map.querySelector("canvas");
  const front = canvas.getContext("2d");
  // Land and roads are drawn apart: where they are many, a moving map shows their last picture,
  // shifted and scaled, and draws them anew when it rests.
  const back = document.createElement("canvas").getContext("2d");
  const REST_MS = 150, FEW_POINTS = 15000, MOST_TOWNS = 60;
  const scaleBar = document.querySelector("#scale i");
  const scaleText = document.querySelector("#scale span");
  const EARTH_KM = 40075.017;
  const view = { x: 0.5, y: 0.5, scale: 256 };
  const limits = { least: 256, most: 256 * 2 ** 16 };
  let width = 0, height = 0, colours = {}, fitted = null;
  let backView = null, backPoints = 0, resting = 0;

  const mercatorX = lon => lon / 360 + 0.5;
  const mercatorY = lat => 0.5 - Math.asinh(Math.tan(lat * Math.PI / 180)) / (2 * Math.PI);
  const latitude = y => Math.atan(Math.sinh((0.5 - y) * 2 * Math.PI)) * 180 / Math.PI;
  const screenX = x => (x - view.x) * view.scale + width / 2;
  const screenY = y => (y - view.y) * view.scale + height / 2;
  const place = item => ({ ...item, x: mercatorX(item.lon), y: mercatorY(item.lat) });

  // Lines: first point and steps of each, see _pack in map.py.
  function unpack(packed) {
    const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
    const starts = new Int32Array(bytes(packed.starts));
    const sizes = new Uint32Array(bytes(packed.sizes));
    const steps = new Int16Array(bytes(packed.steps));
    const lines = [];
    let step = 0;
    sizes.forEach((size, number) => {
      const line = { xs: new Float64Array(size), ys: new Float64Array(size) };
      let lon = starts[2 * number], lat = starts[2 * number + 1];
      for (let at = 0; at < size; at++) {
        if (at > 0) { lon += steps[step++]; lat += steps[step++]; }
        line.xs[at] = mercatorX(lon * data.step);
        line.ys[at] = mercatorY(lat * data.step);
      }
      line.west = line.xs.reduce((a, b) => Math.min(a, b)); line.east = line.xs.reduce((a, b) => Math.max(a, b));
      line.north = line.ys.reduce((a, b) => Math.min(a, b)); line.south = line.ys.reduce((a, b) => Math.max(a, b));
      lines.push(line);
    });
    return lines;
  }
  const layers = Object.fromEntries(
    ["states", "roads", "freeways", "legs", "tolls"].map(name => [name, unpack(data[name])]));
  const links = data.links.map(([lon, lat, toLon, toLat]) => [place({ lon, lat }), place({ lon: toLon, lat: toLat })]);
  const towns = data.towns.map(place);
  const stops = data.stops.map(place).map(stop => {
    const mark = document.createElement("div"), number = document.createElement("i"), name = document.createElement("b");
    mark.className = "stop";
    number.textContent = stop.numbers.join(" · ");
    name.textContent = stop.name;
    mark.append(number, name);
    document.getElementById("stops").append(mark);
    return { ...stop, mark, number, name };
  });

  // One path of all lines in view; points that would fall on the same pixel are left out. Returns
  // how many points it has.
  function trace(pen, lines, closed = false) {
    const halfX = width / 2 / view.scale, halfY = height / 2 / view.scale;
    const west = view.x - halfX, east = view.x + halfX, north = view.y - halfY, south = view.y + halfY;
    let points = 0;
    pen.beginPath();
    for (const line of lines) {
      if (line.east < west || line.west > east || line.south < north || line.north > south) continue;
      const last = line.xs.length - 1;
      let x = screenX(line.xs[0]), y = screenY(line.ys[0]);
      pen.moveTo(x, y);
      for (let at = 1; at <= last; at++) {
        const nextX = screenX(line.xs[at]), nextY = screenY(line.ys[at]);
        if (at < last && Math.abs(nextX - x) + Math.abs(nextY - y) < 1) continue;
        pen.lineTo(x = nextX, y = nextY);
        points++;
      }
      if (closed) pen.closePath();
    }
    return points;
  }
  function stroke(pen, colour, thickness) {
    pen.strokeStyle = colour;
    pen.lineWidth = thickness;
    pen.stroke();
  }

  // Boxes already taken by labels, so that no two lie on each other.
  function labelRoom() {
    const taken = [];
    return (left, top, right, bottom, force = false) => {
      const clash = taken.some(box => left < box[2] && right > box[0] && top < box[3] && bottom > box[1]);
      if (!clash || force) taken.push([left, top, right, bottom]);
      return !clash;
    };
  }
  function writeText(text, x, y, colour, font, room) {
    front.font = font;
    const half = front.measureText(text).width / 2;
    if (x + half < 0 || x - half > width || y < 0 || y > height) return;
    if (!room(x - half - 3, y - 8, x + half + 3, y + 8)) return;
    front.strokeStyle = colours.halo;
    front.lineWidth = 3;
    front.strokeText(text, x, y);
    front.fillStyle = colour;
    front.fillText(text, x, y);
  }
  function placeStops(room) {
    const at = stops.map(stop => ({ stop, x: screenX(stop.x), y: screenY(stop.y) }));
    for (const item of at) {
      item.half = item.stop.number.offsetWidth / 2;
      room(item.x - item.half, item.y - 12, item.x + item.half, item.y + 12, true);
    }
    for (const { stop, x, y, half } of at) {
      stop.mark.style.transform = `translate(${x}px, ${y}px)`;
      const w = stop.name.offsetWidth, h = stop.name.offsetHeight;
      const side = half + 4;
      const corners = [[side, -h / 2], [-side - w, -h / 2], [-w / 2, -15 - h], [-w / 2, 15], [10, 12], [-10 - w, 12]];
      const fits = ([dx, dy]) => x + dx > 4 && x + dx + w < width - 4 && room(x + dx, y + dy, x + dx + w, y + dy + h);
      const corner = corners.find(fits) ?? corners[0];
      stop.name.style.left = `${corner[0]}px`;
      stop.name.style.top = `${corner[1]}px`;
    }
  }
  function writeNames(room) {
    front.textAlign = "center";
    front.textBaseline = "middle";
    front.lineJoin = "round";
    const named = new Set();
    layers.tolls.forEach((line, number) => {
      const name = data.tollNames[number], middle = line.xs.length >> 1;
      const x = screenX(line.xs[middle]), y = screenY(line.ys[middle]);
      const long = (Math.abs(line.east - line.west) + Math.abs(line.south - line.north)) * view.scale;
      if (named.has(name) || long < 12) return;
      named.add(name);
      writeText(name, x, y - 14, colours.toll, "600 12px system-ui, 'DejaVu Sans', sans-serif", room);
    });
    let left = MOST_TOWNS;
    for (const town of towns) {  // largest first
      const x = screenX(town.x), y = screenY(town.y);
      if (x < 0 || x > width || y < 0 || y > height) continue;
      writeText(town.name, x, y, colours.town, "11px system-ui, 'DejaVu Sans', sans-serif", room);
      if (--left === 0) break;
    }
  }
  function drawScale() {
    const kmPerPixel = EARTH_KM * Math.cos(latitude(view.y) * Math.PI / 180) / view.scale;
    const most = 120 * kmPerPixel, power = 10 ** Math.floor(Math.log10(most));
    const km = [5, 2, 1].map(digit => digit * power).find(length => length <= most);
    scaleBar.style.width = `${km / kmPerPixel}px`;
    scaleText.textContent = km >= 1 ? `${km.toLocaleString("en-US")} km` : `${Math.round(km * 1000)} m`;
  }

  // 0 for the whole country, 6 for a city; and the pixels that lines grow by.
  const closeness = () => Math.log2(view.scale / 4096);
  const growth = () => Math.min(3, Math.max(0, 0.3 * closeness()));

  function drawBack() {
    const ratio = canvas.width / width;
    back.canvas.width = canvas.width;
    back.canvas.height = canvas.height;
    back.setTransform(ratio, 0, 0, ratio, 0, 0);
    back.fillStyle = colours.sea;
    back.fillRect(0, 0, width, height);
    back.lineJoin = back.lineCap = "round";
    backPoints = trace(back, layers.states, true);
    back.fillStyle = colours.land;
    back.fill("evenodd");
    stroke(back, colours.border, 1);
    backPoints += trace(back, layers.roads);
    stroke(back, colours.road, 0.6 + 0.5 * growth());
    backPoints += trace(back, layers.freeways);
    stroke(back, colours.freeway, 1 + 0.8 * growth());
    backView = { ...view };
  }
  function showBack() {
    const current = () => backView && ["x", "y", "scale"].every(part => backView[part] === view[part]);
    clearTimeout(resting);
    if (!current() && (!backView || backPoints < FEW_POINTS)) drawBack();
    if (!current()) resting = setTimeout(() => { drawBack(); redraw(); }, REST_MS);
    map.setAttribute("aria-busy", String(!current()));
    const zoom = view.scale / backView.scale;
    front.fillStyle = colours.sea;
    front.fillRect(0, 0, width, height);
    front.drawImage(back.canvas, screenX(backView.x) - zoom * width / 2, screenY(backView.y) - zoom * height / 2,
      zoom * width, zoom * height);
  }

  function draw() {
    const ratio = canvas.width / width;
    front.setTransform(ratio, 0, 0, ratio, 0, 0);
    front.lineJoin = front.lineCap = "round";
    showBack();
    front.setLineDash([3, 5]);
    front.beginPath();
    for (const [from, to] of links) {
      front.moveTo(screenX(from.x), screenY(from.y));
      front.lineTo(screenX(to.x), screenY(to.y));
    }
    stroke(front, colours.route, 2);
    front.setLineDash([]);
    trace(front, layers.legs);
    stroke(front, colours.casing, 7.5 + growth());
    stroke(front, colours.route, 4.5 + growth());
    trace(front, layers.tolls);
    stroke(front, colours.toll, 4.5 + growth());

    const room = labelRoom();
    placeStops(room);
    writeNames(room);
    drawScale();
  }
  let waiting = false;
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  function zoomAt(factor, x = width / 2, y = height / 2) {
    const scale = Math.min(limits.most, Math.max(limits.least, view.scale * factor));
    view.x += (x - width / 2) * (1 / view.scale - 1 / scale);
    view.y += (y - height / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
    fitted = null;
    redraw();
  }
  function pan(dx, dy) {
    view.x -= dx / view.scale;
    view.y = Math.min(1, Math.max(0, view.y - dy / view.scale));
    fitted = null;
    redraw();
  }
  function fit(box) {
    const [west, south, east, north] = box;
    const x = [mercatorX(west), mercatorX(east)], y = [mercatorY(north), mercatorY(south)];
    const free = side => Math.max(80, side - Math.min(160, side / 3));
    const scale = Math.min(free(width) / (x[1] - x[0] || 1e-9), free(height) / (y[1] - y[0] || 1e-9));
    view.x = (x[0] + x[1]) / 2;
    view.y = (y[0] + y[1]) / 2;
    view.scale = Math.min(limits.most / 16, Math.max(limits.least, scale));
    fitted = box;
    redraw();
  }

  // Mouse and touch: one pointer moves, two zoom around their middle.
  const pointers = new Map();
  const local = event => {
    const frame = canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, local(event));
    canvas.classList.add("dragging");
  });
  canvas.addEventListener("pointermove", event => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = local(event);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    if (!other) return pan(now.x - before.x, now.y - before.y);
    const apart = point => Math.hypot(point.x - other.x, point.y - other.y);
    pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    zoomAt(apart(now) / Math.max(1, apart(before)), (now.x + other.x) / 2, (now.y + other.y) / 2);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, event => {
      pointers.delete(event.pointerId);
      if (!pointers.size) canvas.classList.remove("dragging");
    });
  }
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : 1);
    const { x, y } = local(event);
    zoomAt(2 ** (-Math.max(-300, Math.min(300, pixels)) / 250), x, y);
  }, { passive: false });
  canvas.addEventListener("dblclick", event => { const { x, y } = local(event); zoomAt(2, x, y); });

  const keys = {
    ArrowLeft: () => pan(80, 0), ArrowRight: () => pan(-80, 0), ArrowUp: () => pan(0, 80), ArrowDown: () => pan(0, -80),
    "+": () => zoomAt(1.5), "=": () => zoomAt(1.5), "-": () => zoomAt(1 / 1.5), "0": () => fit(data.box),
  };
  map.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  document.addEventListener("click", event => {
    const { zoom, box } = event.target.closest("button")?.dataset ?? {};
    if (zoom) zoomAt(Number(zoom));
    if (box) fit(box.split(" ").map(Number));
  });

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["sea", "land", "border", "road", "freeway", "route", "casing", "toll", "town", "halo"];
    colours = Object.fromEntries(names.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
    backView = null;
    redraw();
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
  new ResizeObserver(() => {
    ({ width, height } = map.getBoundingClientRect());
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    backView = null;
    if (fitted) fit(fitted); else redraw();
  }).observe(map);
  fitted = data.box;
  readColours();
})();
