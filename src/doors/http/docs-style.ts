/** The style of the page of routes; as the report's: paper by day, water by night. */
export const DOCS_STYLE = `
:root{color-scheme:light dark;--paper:#f7f4ec;--card:#fffdf8;--ink:#22313a;--soft:#5b6b73;--line:#e0dacb;--code:#efeadd;--get:#1d6a86;--post:#23785a;--put:#8a5f00;--delete:#b3402c}
@media (prefers-color-scheme:dark){:root{--paper:#0d171d;--card:#13212a;--ink:#e4edf0;--soft:#a3b6be;--line:#233640;--code:#1a2c36;--get:#57bddb;--post:#5fcf9f;--put:#e5b452;--delete:#f0826d}}
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;scroll-behavior:smooth}
body{margin:0 auto;max-width:1180px;padding:40px 32px 72px;display:grid;grid-template-columns:260px minmax(0,1fr);gap:0 40px}
header{grid-column:1/-1;max-width:46em}
h1{font:600 34px/1.2 "Iowan Old Style",Palatino,"Book Antiqua",Georgia,serif;margin:0 0 .3em}
h1 small{font-size:.5em;color:var(--soft);font-weight:400}
h2{font:600 24px/1.3 "Iowan Old Style",Palatino,"Book Antiqua",Georgia,serif;margin:34px 0 4px;text-transform:capitalize}
h3{font-size:17px;margin:0 0 6px;font-weight:500}
h4{font-size:13px;margin:18px 0 4px;color:var(--soft);font-weight:600}
nav{position:sticky;top:16px;align-self:start;max-height:calc(100vh - 32px);overflow-y:auto;font-size:13.5px;padding-top:40px}
nav ul{list-style:none;margin:0;padding:0}
nav li{margin:5px 0}
nav a{color:inherit;text-decoration:none}
nav a:hover code,nav a:focus-visible code{text-decoration:underline}
nav code{background:none;padding:0}
a{color:var(--get)}
p{margin:.3em 0;max-width:52em}
article{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px 24px;margin:16px 0;scroll-margin-top:16px}
article:target{border-color:var(--get)}
article h3 code{font-size:15px;background:none;padding:0}
b.get,b.post,b.put,b.patch,b.delete{display:inline-block;min-width:3.4em;font:600 12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--get)}
b.post{color:var(--post)} b.put,b.patch{color:var(--put)} b.delete{color:var(--delete)}
.scope,.type{color:var(--soft);font-size:13px}
.type{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:8px;margin:8px 0}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{font-size:12px;font-weight:600;color:var(--soft);text-align:left;padding:6px 12px;border-bottom:1px solid var(--line)}
td{padding:6px 12px;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td:nth-child(2){color:var(--soft);max-width:22em}
tbody tr:last-child td{border-bottom:0}
i{color:var(--soft);font-size:12px}
code,pre{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
code{background:var(--code);border-radius:4px;padding:1px 5px}
td:last-child{min-width:9em}
td:first-child code{white-space:nowrap}
pre{background:var(--code);border-radius:8px;padding:12px 14px;overflow-x:auto;margin:6px 0 0}
summary{cursor:pointer;color:var(--soft);font-size:13px;margin-top:8px}
@media (max-width:820px){body{display:block;padding:24px 16px 48px} nav{position:static;max-height:none;padding-top:16px} article{padding:16px}}
@media print{nav{display:none} body{display:block}}
`;
