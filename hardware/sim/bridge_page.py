"""The simulated bridge's page: its lamps, live, on a dark page in amber. It loads nothing from elsewhere."""

from typing import Final

PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Simulated bridge</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
body{margin:0;background:#0b0806;color:#c98a3a;font:16px/1.5 system-ui,sans-serif;padding:2rem}
h1{font-size:1.2rem;font-weight:500;margin:0 0 1.5rem}
#lamps{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:1rem}
.lamp{background:#15100b;border-radius:.8rem;padding:1rem}
.bulb{height:6rem;border-radius:.6rem;background:#000;margin-bottom:.8rem}
.name{color:#e0a458}.gone{opacity:.45}
.figures,#log{color:#8f6a3a;font-size:.85rem;font-variant-numeric:tabular-nums}
#log{margin-top:2rem;white-space:pre-wrap;font-family:ui-monospace,monospace}
</style></head><body>
<h1>Simulated bridge</h1><div id="lamps"></div><div id="log" role="log"></div>
<script>
const lamps = document.getElementById("lamps"), log = document.getElementById("log");
let seen = 0, lines = [];
function card(id) {
  let box = document.getElementById("lamp" + id);
  if (box) return box;
  box = document.createElement("div");
  box.id = "lamp" + id;
  for (const part of ["bulb", "name", "figures"]) {
    const line = document.createElement("div");
    line.className = part;
    box.append(line);
  }
  lamps.append(box);
  return box;
}
function show(id, lamp) {
  const box = card(id);
  box.className = lamp.reachable ? "lamp" : "lamp gone";
  box.children[0].style.background = lamp.rgb;
  box.children[1].textContent = id + "  " + lamp.name;
  const kelvin = lamp.mired ? Math.round(1e6 / lamp.mired) + " K"
                            : "xy " + lamp.xy.map(v => v.toFixed(3)).join(" ");
  box.children[2].textContent = lamp.reachable
    ? lamp.percent.toFixed(1) + " %  L* " + lamp.lstar.toFixed(1) + "  " + kelvin : "no answer";
}
async function turn() {
  try {
    const state = await (await fetch("/sim/live")).json();
    for (const [id, lamp] of Object.entries(state.lights)) show(id, lamp);
    const news = await (await fetch("/sim/log?since=" + seen)).json();
    for (const entry of news) {
      seen = entry.number;
      if (entry.method === "GET") continue;
      const path = entry.path.replace(/^\\/api\\/[^/]+/, "");
      lines.unshift(entry.status + "  " + path + "  " + JSON.stringify(entry.body));
    }
    lines.length = Math.min(lines.length, 12);
    log.textContent = lines.join("\\n");
  } catch (_) { log.textContent = "the bridge does not answer"; }
  setTimeout(turn, 250);
}
turn();
</script></body></html>
"""
