/** The report's looks: one column of cards, light and dark by the reader's setting, plain on paper. */
export const REPORT_STYLE = `
:root{color-scheme:light dark;--page:#f4f6f8;--card:#fff;--ink:#1b2430;--soft:#5b6775;--line:#dfe4ea;--well:#f4f6f8;
--good:#1a7f5a;--calm:#2f6fb0;--due:#b26a00;--bad:#c2352b;--quiet:#8793a1;--shadow:0 1px 2px rgb(20 30 45/.06)}
@media screen and (prefers-color-scheme:dark){:root{--page:#0f141b;--card:#171d26;--ink:#e6ebf1;--soft:#9aa7b6;--line:#2a3442;--well:#10161e;
--good:#4fc08d;--calm:#6aa9e9;--due:#e0a243;--bad:#f0766c;--quiet:#6d7988;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1680px;margin:0 auto;padding:28px clamp(14px,3vw,40px) 48px}
h1{font-size:26px;line-height:1.2;margin:0;letter-spacing:-.01em}
h2{font-size:13px;font-weight:600;color:var(--soft);text-transform:uppercase;letter-spacing:.06em;margin:34px 0 10px}
h3{font-size:12px;font-weight:600;color:var(--soft);margin:0 0 6px}
.head{display:flex;flex-wrap:wrap;align-items:center;gap:8px 12px}
.soft,.sub{color:var(--soft)}.sub{margin:6px 0 0}
.pill{display:inline-block;border-radius:99px;padding:1px 10px;font-size:12px;font-weight:600;border:1px solid currentColor}
.chip{display:inline-block;border-radius:5px;padding:1px 8px;font-size:12px;background:var(--card);border:1px solid var(--line);color:var(--soft)}
.good{color:var(--good)}.calm{color:var(--calm)}.due{color:var(--due)}.bad{color:var(--bad)}.quiet{color:var(--quiet)}
.card{background:var(--card);border:1px solid var(--line);border-radius:9px;box-shadow:var(--shadow);padding:16px 18px}
.metrics{display:flex;flex-wrap:wrap;gap:10px;margin-top:16px}
.metric{flex:0 1 auto;min-width:132px;padding:10px 16px}
.metric b{display:block;font-size:21px;line-height:1.25;font-weight:600}
.metric span{color:var(--soft);font-size:12px}
.note{border-left:3px solid var(--due);margin-top:10px;padding:10px 16px}.note.failure{border-left-color:var(--bad)}
.note p{margin:2px 0}
.graph{overflow-x:auto}.graph svg{display:block;max-width:none}
.trials{margin-top:14px;overflow-x:auto}.trials p{margin:10px 0 0}
.charts{display:flex;flex-wrap:wrap;gap:14px;align-items:stretch}
figure{margin:0;min-width:0;display:flex;flex-direction:column}
figure .view{position:relative;flex:1;display:flex;justify-content:center;align-items:flex-start}
figure img{max-width:100%;height:auto;border-radius:5px}
figure .live>svg{max-width:100%;height:auto;display:block;overflow:visible}
figcaption{display:flex;gap:12px;justify-content:space-between;color:var(--soft);font-size:12px;margin-top:8px;border-top:1px solid var(--line);padding-top:8px}
a{color:var(--calm)}
.cross-hair{position:absolute;width:0;border-left:1px dashed var(--quiet);pointer-events:none}
#tip{position:fixed;left:0;top:0;z-index:9;pointer-events:none;background:var(--card);color:var(--ink);border:1px solid var(--line);
border-radius:6px;box-shadow:0 4px 16px rgb(0 0 0/.18);padding:6px 10px;font-size:12px;max-width:340px}
#tip div{display:flex;gap:14px;justify-content:space-between}#tip span{color:var(--soft)}#tip b{font-weight:600}
.stages{padding:0;overflow:hidden}
details+details{border-top:1px solid var(--line)}
summary{display:grid;grid-template-columns:minmax(110px,1.1fr) minmax(96px,.8fr) minmax(80px,.6fr) 84px minmax(90px,1.4fr) minmax(0,3fr);gap:12px;align-items:center;padding:9px 18px;cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary:hover{background:var(--well)}
summary b{font-weight:600}summary b::before{content:"";display:inline-block;margin-right:9px;border:4px solid transparent;border-left:5px solid var(--quiet);border-right:0;transition:transform .12s}
details[open] summary b::before{transform:rotate(90deg)}
summary .time{text-align:right}
summary .reason{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.track{height:6px;border-radius:3px;background:var(--well)}.track i{display:block;height:100%;border-radius:3px;background:currentColor;min-width:2px}
.inside{display:grid;grid-template-columns:repeat(auto-fit,minmax(330px,1fr));gap:18px 32px;padding:6px 18px 20px 32px}
.inside>*{min-width:0}
.wide{grid-column:1/-1}
table{border-collapse:collapse;width:100%;font-size:13px}
td,th{padding:3px 14px 3px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{font-weight:400;color:var(--soft);width:1%;white-space:nowrap;padding-right:22px}
tr:last-child>*{border-bottom:0}
code,pre{font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{margin:6px 0 0;padding:10px 12px;background:var(--well);border-radius:6px;overflow-x:auto;white-space:pre-wrap}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:0 14px}
.pair section{display:flex;flex-direction:column}.pair .card{flex:1}
footer{margin-top:34px;color:var(--soft);font-size:12px}
@media screen and (max-width:760px){figure{flex-basis:100%!important}summary{grid-template-columns:1fr auto auto}summary .type,summary .track,summary .reason{display:none}}
@media print{:root{color-scheme:light;--page:#fff;--well:#eef1f4}body{font-size:11px}main{max-width:none;padding:0}
.card,details,.metric{box-shadow:none}.card,figure{break-inside:avoid}h2{break-after:avoid;margin-top:20px}
.charts,.pair{display:block}.charts figure{margin-bottom:12px}figure .view{display:block}figure .live>svg,figure img{margin:0 auto;max-height:100mm;width:auto}
summary{grid-template-columns:1.2fr 1fr .8fr .8fr 1.2fr 3fr}.graph svg{max-width:100%;height:auto}.save,#tip,.cross-hair{display:none!important}}
`;
