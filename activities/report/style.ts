/** The report's style sheet. Light and dark by the reader's setting; prints on paper. */
export const style = `
:root{--ink:#1c1b1a;--soft:#6d6a66;--line:#dedad4;--paper:#fcfbf9;--accent:#2456a6;--good:#2e7d4f;--bad:#b3412e}
@media (prefers-color-scheme:dark){:root{--ink:#ece9e4;--soft:#9c9791;--line:#3a3835;--paper:#181716;--accent:#86b0f0;--good:#7cc79a;--bad:#e58d7c}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:980px;padding:48px 24px 80px;background:var(--paper);color:var(--ink);font:16px/1.55 Georgia,"Times New Roman",serif}
h1{font-size:30px;font-weight:400;margin:0 0 12px;overflow-wrap:anywhere}
h2{font-size:19px;font-weight:600;margin:52px 0 14px;padding-bottom:6px;border-bottom:1px solid var(--line)}
.kicker,.note,footer,figcaption,table,dl,.scores,.reasons,.verdict{font-family:system-ui,-apple-system,"Segoe UI",sans-serif}
.kicker{margin:0;color:var(--soft);font-size:13px;letter-spacing:.04em}
.verdict{display:inline-block;margin:0;font-weight:600}.verdict.yes{color:var(--good)}.verdict.no{color:var(--bad)}
.reasons,.note{color:var(--soft);font-size:14px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:7px 10px;text-align:right;vertical-align:top;border-bottom:1px solid var(--line);white-space:nowrap}
thead th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left;padding-left:0}
tbody th{font-weight:600}td small{display:block;color:var(--soft);font-size:11px}
.key{font-family:ui-monospace,monospace;font-size:12px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:24px}
.chart{margin:0}figcaption{font-size:13px;font-weight:600;margin-bottom:4px}figcaption span{color:var(--soft);font-weight:400}
svg{width:100%;height:auto;font:10px system-ui,sans-serif}svg text{fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:1}.raw{fill:none;stroke:var(--accent);opacity:.28}.mean{fill:none;stroke:var(--accent);stroke-width:2}
.dot{fill:var(--accent);opacity:.55}.diagonal{stroke:var(--soft);stroke-dasharray:3 4}
.sample{display:grid;grid-template-columns:232px 1fr;gap:22px;padding:18px 0;border-bottom:1px solid var(--line);break-inside:avoid}
.pair{display:flex;gap:8px}.pair img{width:112px;height:112px;object-fit:contain;border:1px solid var(--line);image-rendering:pixelated}
.instruction{margin:0 0 6px;font-style:italic}.answer{margin:0 0 8px;white-space:pre-wrap;overflow-wrap:anywhere}.scores{margin:0;font-size:13px;color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;font-size:14px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.findings{padding-left:18px}.warning{color:var(--bad)}.good{color:var(--good)}
footer{margin-top:56px;color:var(--soft);font-size:13px}
@media (max-width:620px){.sample{grid-template-columns:1fr}dl{grid-template-columns:1fr}dt{margin-top:8px}}
@media print{body{max-width:none;padding:0;background:#fff;color:#000}}
`;
