/** The report's style sheet: light or dark by the reader's setting, for narrow screens and for paper. */
export const style = `
:root{--ink:#201f1d;--soft:#6b6762;--line:#e2ded7;--faint:#f3f0ea;--paper:#fdfcfa;--base:#8a857d;--sft:#b9791f;--grpo:#1f5fa8;--good:#2c7a4b;--bad:#b23c28;--serif:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,serif;--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
@media (prefers-color-scheme:dark){:root{--ink:#eae6df;--soft:#a09a91;--line:#37342f;--faint:#211f1c;--paper:#171614;--base:#8f8a82;--sft:#dca14f;--grpo:#7db2ee;--good:#7ac796;--bad:#ea8a75}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1060px;padding:56px 32px 72px;background:var(--paper);color:var(--ink);font:15px/1.55 var(--sans)}
h1{margin:0 0 14px;font:400 34px/1.2 var(--serif);overflow-wrap:anywhere}
h2{margin:64px 0 18px;padding-bottom:8px;border-bottom:1px solid var(--ink);font:400 22px/1.3 var(--serif)}
h3{margin:32px 0 6px;font:600 14px/1.4 var(--sans)}
.kicker{display:flex;justify-content:space-between;flex-wrap:wrap;gap:0 20px;margin:0 0 28px;padding-bottom:8px;border-bottom:1px solid var(--line);font-size:13px;font-weight:600}
.kicker span{color:var(--soft);font-weight:400}
.verdict{margin:0;font-size:16px;font-weight:600}.verdict.yes{color:var(--good)}.verdict.no{color:var(--bad)}
.reasons{margin:4px 0 0;padding:0;list-style:none;color:var(--soft);font-size:14px}
.figures{display:grid;grid-template-columns:repeat(4,1fr);gap:0;margin:30px 0 0}
.figures div{padding:2px 20px;border-left:1px solid var(--line)}.figures div:first-child{padding-left:0;border:0}
.figures dt{color:var(--soft);font-size:13px}.figures dd{margin:2px 0 0;font:400 30px/1.2 var(--serif);font-variant-numeric:lining-nums tabular-nums}
.figures small{display:block;margin-top:4px;color:var(--soft);font:12px/1.4 var(--sans)}
.lead{margin:0 0 10px;max-width:44em;font:400 19px/1.45 var(--serif)}
.claims,.findings{margin:0 0 6px;padding:0;list-style:none;font-variant-numeric:tabular-nums}
.claims li,.findings li{padding-left:16px;position:relative}
.claims li::before,.findings li::before{content:"";position:absolute;left:0;top:.6em;width:7px;height:7px;border-radius:50%;background:var(--base)}
.claims .better::before,.findings .good::before{background:var(--good)}.claims .worse::before,.findings .warning::before{background:var(--bad)}
.note{margin:10px 0 0;max-width:62em;color:var(--soft);font-size:13px}
.none{margin:0;color:var(--soft);font-size:14px;font-style:italic}
.scroll{margin-top:22px;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:lining-nums tabular-nums}
th,td{padding:8px 9px;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;white-space:nowrap}
thead th{padding-top:0;color:var(--soft);font-size:12.5px;font-weight:500;vertical-align:bottom}
th:first-child,td:first-child{padding-left:0;text-align:left}th:last-child,td:last-child{padding-right:0}
tbody th{font-weight:500}td small{display:block;color:var(--soft);font-size:11px;line-height:1.4}.left{text-align:left}
.metrics td:not(:first-child){min-width:6.5em}.metrics .grpo th,.metrics .grpo td{font-weight:600}.metrics .grpo small{font-weight:400}.metrics .constant th,.metrics .constant td{color:var(--soft)}
.key{font:12px/1.7 var(--mono)}.state{font-size:.9em}.state.other{color:var(--bad)}
.nights td.why{min-width:24em;white-space:normal}.nights td.why small{margin-top:2px}.scroll>.chart{min-width:640px}
.span{stroke-width:2;opacity:.55}.span.yes{stroke:var(--good)}.span.no{stroke:var(--base)}.mark{stroke-width:2;fill:var(--paper)}.mark.yes{fill:var(--good);stroke:var(--good)}.mark.no{stroke:var(--base)}.champion{fill:none;stroke:var(--grpo);stroke-width:1.5}
a{color:var(--grpo);text-underline-offset:2px}a:focus-visible,summary:focus-visible,.scroll:focus-visible,input:focus-visible{outline:2px solid var(--grpo);outline-offset:2px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(270px,1fr));gap:30px 36px;margin-top:22px}
.charts.two{grid-template-columns:repeat(auto-fill,minmax(340px,1fr));margin-top:34px}
.chart{margin:0;min-width:0}.chart figcaption{margin-bottom:8px;font-size:13.5px;font-weight:600}.chart figcaption span{display:block;color:var(--soft);font-size:12px;font-weight:400}
svg{display:block;width:100%;height:auto;overflow:visible;font:11px var(--sans);font-variant-numeric:tabular-nums}
svg .axis{fill:var(--soft)}svg .name,svg .value{fill:var(--ink);font-size:12px}svg text.resume{fill:var(--soft);font-size:10px}
.grid{stroke:var(--line)}.raw{fill:none;stroke:var(--grpo);stroke-width:1;opacity:.3}.mean{fill:none;stroke:var(--grpo);stroke-width:2;stroke-linejoin:round}
.end.grpo{fill:var(--grpo)}.end.sft{fill:var(--sft)}.raw.sft,.mean.sft{stroke:var(--sft)}line.resume{stroke:var(--bad);stroke-dasharray:2 3}.diagonal{stroke:var(--soft);stroke-dasharray:3 4}
.dot{opacity:.5}.dot.base,.point.base,.point.constant{fill:var(--base)}.dot.sft,.point.sft{fill:var(--sft)}.dot.grpo,.point.grpo{fill:var(--grpo)}
.range{stroke-width:2;opacity:.65}.range.base,.range.constant{stroke:var(--base)}.range.sft{stroke:var(--sft)}.range.grpo{stroke:var(--grpo)}
.sample{display:grid;grid-template-columns:344px minmax(0,1fr);gap:28px;padding:24px 0;border-bottom:1px solid var(--line);break-inside:avoid}
.strip{display:flex;gap:28px;overflow-x:auto;scroll-snap-type:x mandatory;padding-bottom:10px}.strip .sample{flex:0 0 100%;scroll-snap-align:start;border:0}.strip:focus-visible{outline:2px solid var(--grpo);outline-offset:4px}
.errors ol{display:flex;flex-wrap:wrap;gap:4px 8px;margin:14px 0 0;padding:0;list-style:none;font-variant-numeric:tabular-nums}.errors a{display:block;padding:4px 9px;background:var(--faint);border-radius:3px;font-size:13px;text-decoration:none}.errors a:hover{text-decoration:underline}
.ways{display:flex;flex-wrap:wrap;gap:4px 20px;margin:26px 0 0;font-size:13.5px}.parts th{font-weight:500}.parts td[colspan]{white-space:normal;color:var(--soft)}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:10px;align-self:start}.picture{margin:0;min-width:0}
.picture img{display:block;width:100%;height:auto;background:var(--faint)}.picture img.crisp{image-rendering:pixelated}
.picture figcaption{margin-top:4px;color:var(--soft);font-size:12px}.picture .none{padding:14px;background:var(--faint);font-size:12px;overflow-wrap:anywhere}
.instruction{margin:0 0 4px;font:italic 400 17px/1.4 var(--serif);overflow-wrap:anywhere}
.scores{margin:0 0 12px;color:var(--soft);font-size:13px;font-variant-numeric:tabular-nums}.scores b{margin-left:14px;color:var(--ink);font-size:15px}.scores b:first-child{margin-left:0}.scores span{margin-left:14px;white-space:nowrap}
.answer{font:15px/1.6 var(--serif);white-space:pre-wrap;overflow-wrap:anywhere}
.id{margin:10px 0 0;color:var(--soft);font:11px var(--mono)}
.facts{display:grid;grid-template-columns:minmax(9em,max-content) minmax(0,1fr);gap:5px 24px;margin:0;font-size:14px}
.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
details{margin-top:22px;font-size:14px}summary{cursor:pointer;color:var(--soft)}pre{margin:12px 0 0;padding:16px;overflow-x:auto;background:var(--faint);font:12px/1.5 var(--mono)}
footer{margin-top:56px;color:var(--soft);font-size:12.5px}
@media (max-width:820px){.sample{grid-template-columns:1fr;gap:16px}.pair{max-width:420px}}
@media (max-width:620px){body{padding:28px 18px 48px}h1{font-size:26px}h2{margin-top:46px}.figures{grid-template-columns:1fr 1fr;gap:20px 0}.figures div:nth-child(odd){padding-left:0;border:0}.figures dd{font-size:26px}.charts.two{grid-template-columns:1fr}.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:8px}.scores span{display:block;margin-left:0}}
@media print{@page{margin:16mm}:root{--ink:#000;--soft:#555;--line:#ccc;--faint:#f5f5f5;--paper:#fff;--base:#777;--sft:#a3660f;--grpo:#17508f;--good:#1f6a3d;--bad:#a12f1d}body{max-width:none;padding:0;font-size:10pt}h2{margin-top:28pt;break-after:avoid}.chart,tr,.figures{break-inside:avoid}.scroll{overflow:visible}table{font-size:8pt}thead th{font-size:7.5pt}td small{font-size:6.5pt}.key{font-size:6.5pt}th,td{padding:4pt 3pt}.metrics td:not(:first-child){min-width:0}.note,.facts{font-size:8.5pt}.charts{grid-template-columns:1fr 1fr 1fr;gap:14pt 12pt}.charts.two{grid-template-columns:1fr 1fr}.sample{grid-template-columns:210px minmax(0,1fr)}.strip{display:block;overflow:visible}details,.errors,.ways{display:none}}
`;
