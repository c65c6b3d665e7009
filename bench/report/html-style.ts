/** The page's style sheet: system fonts, both themes, columns that fold on a narrow screen, and paper. */
export const STYLE = `
:root {
  --page: #f7f7f5; --card: #ffffff; --text: #1c1d20; --soft: #5d6068; --rule: #e3e3df; --shade: #00000009;
  --c1: #2357c5; --c3: #84a7ee; --c2: #c4510b; --c4: #eea878; --good: #16743c; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131417; --card: #1c1e22; --text: #e9e9e6; --soft: #a2a5ad; --rule: #33363d; --shade: #ffffff0d;
    --c1: #7ea6ff; --c3: #4468b8; --c2: #ff9a5a; --c4: #a8602f; --good: #6fd394; --bad: #ff8a80;
  }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1240px; padding: 32px 24px 48px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
h1 { margin: 0 0 12px; font-size: 28px; letter-spacing: -0.01em }
h2 { margin: 0 0 14px; font-size: 18px; line-height: 1.35 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0 }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere }
code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
nav { display: flex; flex-wrap: wrap; gap: 8px; margin: 18px 0 0 }
nav a { padding: 3px 12px; border: 1px solid var(--rule); border-radius: 999px; background: var(--card); color: inherit;
  text-decoration: none; font-size: 14px }
nav a:hover, nav a:focus-visible { border-color: var(--c1) }
section { margin-top: 24px; padding: 22px 24px; border: 1px solid var(--rule); border-radius: 12px; background: var(--card) }
.table { overflow-x: auto }
table { min-width: min(620px, 100%); border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 6px 12px; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; font-weight: 400 }
th:first-child, td:first-child { padding-left: 0; text-align: left; white-space: normal }
th:last-child, td:last-child { padding-right: 0 }
thead th { color: var(--soft); font-size: 13px }
tbody tr:last-child > * { border-bottom: 0 }
.good { color: var(--good) }
.bad { color: var(--bad); font-weight: 600 }
.notes { margin: 12px 0 0; padding-left: 18px; color: var(--soft) }
.about { margin: 16px 0 0; color: var(--soft); font-size: 14px }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 20px 28px; margin-top: 14px }
figure { margin: 0 }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 16px; font-weight: 600; font-size: 14px }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-weight: 400; color: var(--soft); font-size: 13px }
.key { display: inline-flex; align-items: center; gap: 6px }
.key i { width: 16px; height: 3px; border-radius: 2px; background: currentColor }
svg { display: block; width: 100%; height: auto }
.mark, .name { fill: var(--soft); font-size: 11.5px; font-variant-numeric: tabular-nums }
.grid { stroke: var(--rule) }
.axis, .tick { stroke: var(--soft) }
.shade { fill: var(--shade) }
.line { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round }
.line-1 { color: var(--c1) } .line-2 { color: var(--c2) } .line-3 { color: var(--c3) } .line-4 { color: var(--c4) }
footer { margin-top: 20px; color: var(--soft); font-size: 13px }
@media (max-width: 640px) { body { padding: 20px 12px } section { padding: 16px } }
@media print { body { background: none } section { break-inside: avoid } }
`
