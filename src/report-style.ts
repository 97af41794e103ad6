/** The style of the report's page: paper and water by day, water and stars by night, black on white in print. */

const DAY = `
  --paper:#f7f4ec; --card:#fffdf8; --ink:#22313a; --soft:#5b6b73; --faint:#8b979c; --line:#e0dacb; --code:#efeadd;
  --water0:#7fb9c9; --water1:#1d6a86; --shore:#e6dfcd; --glint:#ffffff;
  --s0:#2d86a5; --s1:#3b9c95; --s2:#4b78b8; --s3:#5a9e6f;
  --good:#23785a; --bad:#b3402c; --warn:#a9740d; --human:#7b4aa8; --idle:#8b8578; --run:#1f7fa8;`;
const NIGHT = `
  --paper:#0d171d; --card:#13212a; --ink:#e4edf0; --soft:#a3b6be; --faint:#71868f; --line:#233640; --code:#1a2c36;
  --water0:#2c6f8a; --water1:#57bddb; --shore:#16272f; --glint:#ffffff;
  --s0:#4fb3d3; --s1:#4fc1b4; --s2:#7da4e8; --s3:#7fc795;
  --good:#5fcf9f; --bad:#f0826d; --warn:#e5b452; --human:#c39bec; --idle:#8f999c; --run:#5cc4ea;`;

const PAGE = `
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1320px;padding:40px 32px 56px}
h1,h2,.serif,.river .name,.river .mouth,.river .source{font-family:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,serif}
h1{font-size:clamp(26px,3.4vw,40px);line-height:1.15;margin:.1em 0 .5em;font-weight:600;letter-spacing:-.01em;max-width:30em;overflow-wrap:anywhere}
h2{font-size:22px;font-weight:600;margin:44px 0 12px}
h3{font-size:15px;margin:26px 0 8px;overflow-wrap:anywhere}
.over{margin:0;color:var(--soft);letter-spacing:.09em;text-transform:uppercase;font-size:12px;font-weight:600}
.over bdi{text-transform:none;letter-spacing:0}
.facts{display:flex;flex-wrap:wrap;gap:8px 26px;margin:0 0 20px;padding:0;list-style:none;align-items:baseline}
.facts li{color:var(--soft)} .facts b{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums}
.pill{display:inline-block;border-radius:99px;padding:2px 12px;font-weight:600;border:1.5px solid currentColor;white-space:nowrap}
figure{margin:0 0 8px;background:var(--card);border:1px solid var(--line);border-radius:14px;overflow:hidden}
.scroll{overflow-x:auto;padding:8px 8px 0}
.scroll:focus-visible{outline:2px solid var(--run);outline-offset:-2px}
figcaption{display:flex;flex-wrap:wrap;gap:4px 20px;padding:10px 20px 14px;color:var(--soft);font-size:13px;border-top:1px solid var(--line)}
figcaption span::before{content:"";display:inline-block;width:22px;height:5px;border-radius:3px;background:var(--k,var(--s0));margin-right:8px;vertical-align:middle}
.note{border-left:4px solid var(--run);background:var(--card);padding:10px 16px;border-radius:0 10px 10px 0;margin:0 0 20px}
.note.warn{border-color:var(--warn)} .note.bad{border-color:var(--bad)}
.wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:12px}
table{border-collapse:collapse;width:100%;font-size:14px}
th{font-size:12px;font-weight:600;color:var(--soft);text-align:left;padding:9px 14px;border-bottom:1px solid var(--line);white-space:nowrap}
td{padding:9px 14px;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
tbody tr:last-child>td{border-bottom:0}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tbody th{font-size:inherit;color:inherit;white-space:normal;vertical-align:top;min-width:7em;overflow-wrap:anywhere} tbody tr:last-child>th{border-bottom:0} td.br{min-width:12em} td.said{min-width:16em;max-width:44em;color:var(--soft)}
td.said p{margin:0 0 4px;color:var(--ink)} tr.old>*{opacity:.62}
.verdict{white-space:nowrap;font-weight:600;color:var(--k,var(--ink))}
code,pre{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
code{background:var(--code);border-radius:4px;padding:1px 5px;overflow-wrap:anywhere}
pre{background:var(--code);border-radius:8px;padding:12px 14px;margin:6px 0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:28em;overflow-y:auto}
details>summary{cursor:pointer;color:var(--soft)} details>summary:hover{color:var(--ink)}
ul.plain{list-style:none;margin:6px 0;padding:0} ul.plain li{margin:2px 0}
time{color:var(--faint);font-variant-numeric:tabular-nums}
footer{margin-top:48px;color:var(--faint);font-size:13px;border-top:1px solid var(--line);padding-top:14px}
.v-merged,.v-completed{--k:var(--good)} .v-failed,.v-timed_out,.v-refused{--k:var(--bad)} .v-conflict,.v-reworked{--k:var(--warn)}
.v-escalated,.v-awaiting_approval{--k:var(--human)} .v-cancelled,.v-planned{--k:var(--idle)} .v-running{--k:var(--run)}
.st-completed{color:var(--good)} .st-partial,.st-conflict{color:var(--warn)} .st-failed{color:var(--bad)} .st-cancelled{color:var(--idle)} .st-running{color:var(--run)}`;

const RIVER = `
.river{display:block;width:100%;min-width:820px;height:auto} .river.crowd{min-width:1100px}
.river text{fill:var(--soft);font-size:12px}
.river .bed-from{stop-color:var(--water0)} .river .bed-to{stop-color:var(--water1)}
.river .shore{fill:none;stroke:var(--shore);stroke-width:9;stroke-linejoin:round}
.river .glint{fill:none;stroke:var(--glint);stroke-width:1.1;stroke-linecap:round;opacity:.42;stroke-dasharray:34 22 4 0}
.river .glint.far{opacity:.26;stroke-dasharray:18 30 12 0}
.river .lane{--c:var(--s0)} .river .s1{--c:var(--s1)} .river .s2{--c:var(--s2)} .river .s3{--c:var(--s3)}
.river .v-failed,.river .v-timed_out,.river .v-refused,.river .v-conflict,.river .v-reworked,.river .v-escalated,.river .v-cancelled,.river .v-planned,.river .v-awaiting_approval,.river .v-running{--c:var(--k)}
.river .lane path{fill:none;stroke-linecap:round;stroke-linejoin:round}
.river .casing{stroke:var(--card)} .river .stream{stroke:var(--c)} .river .stream.back{opacity:.6} .crowd .back,.crowd .out{stroke-width:1.5px} .crowd .back{opacity:.5} .crowd .casing{stroke-width:4px}
.river .v-planned .stream,.river .v-awaiting_approval .stream{stroke-dasharray:2 8;opacity:.7} .river .current{stroke:var(--card);stroke-width:1.8;stroke-dasharray:3 17}
.river .v-cancelled .stream,.river .v-failed .stream,.river .v-timed_out .stream{opacity:.72}
.river .puddles{stroke:var(--c);stroke-dasharray:.1 11;opacity:.5}
.river .spring{fill:none;stroke:var(--soft);stroke-width:1.4;stroke-dasharray:1 5;stroke-linecap:round;opacity:.8} .crowd .spring{display:none}
.river .commit{fill:var(--card)}
.river .confluences circle{fill:var(--card);opacity:.92}
.river .mark circle{fill:var(--card);stroke:var(--c);stroke-width:1.8} .river .mark text{fill:var(--c);text-anchor:middle;font-weight:700}
.river .labels text{font-size:inherit;paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.river .name{font-style:italic;fill:var(--ink)} .river .labels .note{font-size:.8em;fill:var(--soft)}
.river .axis path{stroke:var(--line);stroke-dasharray:1 5;fill:none} .river .axis .break{stroke:var(--faint);stroke-dasharray:none}
.river .axis text{font-size:11px;fill:var(--faint);font-variant-numeric:tabular-nums}
.river .tasks path{stroke:var(--faint);stroke-dasharray:4 4} .river .tasks text{font-size:12px;fill:var(--soft);paint-order:stroke;stroke:var(--card);stroke-width:4px}
.river .moment circle{fill:var(--card);stroke:var(--good);stroke-width:1.6} .river .moment text{text-anchor:middle;font-size:10px;font-weight:700;fill:var(--good)}
.river .moment.bad circle{stroke:var(--bad)} .river .moment.bad text{fill:var(--bad)}
.river .source,.river .mouth{font-style:italic;font-size:17px;fill:var(--ink)} .river .mouth{font-size:15px}
.river .oid{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--faint)} .river .landed{font-weight:600;fill:var(--good)}
.river .lane:hover .stream{opacity:1;stroke:var(--ink)}
@media (prefers-reduced-motion:no-preference){.river .current,.river .live .glint{animation:flow 3s linear infinite}@keyframes flow{to{stroke-dashoffset:-60}}}`;

const PRINT = `
@media (max-width:640px){body{padding:24px 16px 40px}th,td{padding:8px 10px}}
@media print{
  @page{size:A4 landscape;margin:11mm}
  html{background:#fff;font-size:10.5px} body{max-width:none;padding:0} h1{font-size:24px} h2{font-size:16px;margin:18px 0 8px}
  figure,.wide,.note{border-color:#ccc;background:#fff;overflow:visible} .scroll,.wide{overflow:visible}
  figure{break-inside:avoid} .river,.river.crowd{min-width:0;width:100%;height:auto;max-height:128mm} .river.crowd{max-height:168mm}
  table{font-size:10px} th,td{padding:4px 8px} td.said{min-width:0} tr,.note{break-inside:avoid} h2{break-after:avoid} thead{display:table-header-group}
  pre{max-height:none;overflow:visible} code,pre{font-size:9px} details>summary{display:none}
  details::details-content{content-visibility:visible;block-size:auto}
  .river *{animation:none!important}
}`;

export const STYLE = [
  `:root{color-scheme:light dark;${DAY}}`,
  `@media (prefers-color-scheme:dark){:root{${NIGHT}}}`,
  PAGE,
  RIVER,
  PRINT,
  `@media print{:root{color-scheme:light;${DAY}--paper:#fff;--card:#fff}}`,
]
  .join("\n")
  .replace(/\n\s+/g, "\n");
