// Elements are made with text nodes and attributes only: whatever a program wrote is shown, never obeyed.

/** An element. `props`: attributes; `class`, `text`, `on…` handlers and `data-…` as one would write them. */
function el(tag, props = {}, ...children) {
  const node = tag === "svg" || SVG_TAGS.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG_TAGS = new Set(["g", "path", "rect", "text", "line", "circle", "title", "defs", "marker"]);

const byId = (id) => document.getElementById(id);

/** Puts `children` in the place of what `node` holds. */
function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

/** Says something in the corner, for a moment, and to a screen reader. */
function say(text) {
  const node = byId("said");
  node.textContent = text;
  node.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => node.classList.remove("shown"), 1600);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page from disk may not have the clipboard; the old way works there.
    const area = el("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("copied");
}

/** A command and the button that copies it. */
function commandLine(command) {
  return el("div", { class: "command" },
    el("code", { text: command }),
    el("button", { class: "copy", title: "copy the command (c)", onclick: () => copy(command), text: "copy" }));
}

/** The tooltip of the diagrams. */
function hint(text, x, y) {
  const node = byId("hint");
  if (!text) {
    node.hidden = true;
    return;
  }
  node.textContent = text;
  node.hidden = false;
  const { width, height } = node.getBoundingClientRect();
  node.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  node.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 10) : y + 18}px`;
}

/** A function that has `draw` done before the next frame, once, however often it is called until then. */
function oncePerFrame(draw) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      draw();
    });
  };
}
