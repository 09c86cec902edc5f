// SPDX-License-Identifier: Apache-2.0
// The texts and the marks of charts that do not stand out enough from their ground (WCAG 2, level AA), each with its
// ratio.
const parse = (color) => {
  const numbers = color.match(/[\d.]+/g).map(Number);
  const scale = color.startsWith("color(") ? 255 : 1;
  return { rgb: numbers.slice(0, 3).map((n) => n * scale), alpha: numbers.length > 3 ? numbers[3] : 1 };
};
const over = (top, ground) => top.rgb.map((n, i) => n * top.alpha + ground[i] * (1 - top.alpha));
const groundOf = (element) => {
  if (!element) return [255, 255, 255];
  const own = parse(getComputedStyle(element).backgroundColor);
  return own.alpha === 1 ? own.rgb : over(own, groundOf(element.parentElement));
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((n) => n / 255).map((n) => (n <= 0.03928 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratioOf = (color, ground) => {
  const [light, dark] = [luminance(over(parse(color), ground)), luminance(ground)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};
const poor = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  const text = texts.currentNode.data.trim();
  if (!text || !element.checkVisibility() || element.closest("option, .unseen, .skip")) continue;
  const style = getComputedStyle(element);
  const ratio = ratioOf(element.closest("svg") ? style.fill : style.color, groundOf(element));
  const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${text.slice(0, 40)}`);
}
for (const mark of document.querySelectorAll("svg [class^=series-], .tally rect")) {
  if (!mark.checkVisibility()) continue;
  const style = getComputedStyle(mark);
  const ratio = ratioOf(style.fill === "none" ? style.stroke : style.fill, groundOf(mark));
  if (ratio < 3) poor.push(`${ratio.toFixed(2)} mark ${mark.getAttribute("class") || mark.parentElement.tagName}`);
}
return poor;
