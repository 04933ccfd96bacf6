// Text whose contrast with what is painted below it is less than WCAG 2.2 AA asks for (1.4.3):
// 4.5, or 3 where it is large. Returns {checked, poor}. The window must be as tall as the page.
(() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const colour = (text) => {
    if (!known.has(text)) {
      ink.clearRect(0, 0, 1, 1);
      ink.fillStyle = text;
      ink.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = ink.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = (top, below) => [0, 1, 2].map((k) => top[3] * top[k] + (1 - top[3]) * below[k]);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const painted = (element) => {
    const style = getComputedStyle(element);
    if (element.namespaceURI !== "http://www.w3.org/2000/svg" || element.tagName === "svg") {
      return colour(style.backgroundColor);
    }
    if (element.tagName === "text" || !/^(rgb|color)/.test(style.fill)) return [0, 0, 0, 0];
    const [r, g, b, a] = colour(style.fill);
    return [r, g, b, a * style.fillOpacity * style.opacity];
  };
  const poor = [];
  let checked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || ["STYLE", "TITLE"].includes(element.tagName)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getClientRects()[0];
    if (!box || !box.width || !box.height) continue;
    const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const at = stack.indexOf(element);
    if (at < 0) continue;
    const svg = element.closest("svg") !== null;
    const below = [];
    for (const other of stack.slice(svg ? at + 1 : at)) {
      const paint = painted(other);
      if (paint[3] > 0) below.push(paint);
      if (paint[3] === 1) break;
    }
    const ground = below.reduceRight((base, paint) => over(paint, base), [255, 255, 255]);
    const style = getComputedStyle(element);
    const text = over(colour(svg ? style.fill : style.color), ground);
    const [dark, light] = [luminance(text), luminance(ground)].sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize) * (svg ? element.getScreenCTM().a : 1);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    checked += 1;
    if (ratio < (large ? 3 : 4.5)) {
      poor.push(`${node.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
  }
  return { checked, poor };
})()
