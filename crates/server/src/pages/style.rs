//! The one stylesheet of our pages; its digest stands in the content security policy.

/// Light and dark, phone and desk.
pub(super) const CSS: &str = "\
:root{color-scheme:light dark;--ink:#1f1b16;--soft:#645c50;--paper:#f6f2ea;--card:#fffdf9;\
--line:#e5dccb;--brass:#845c0c;--on-brass:#fff;--good:#1c6a3a;--bad:#a3281c;--tint:#f5ecd8;\
--shade:0 1px 2px rgb(60 45 15/.06),0 12px 32px rgb(60 45 15/.08)}\
@media(prefers-color-scheme:dark){:root{--ink:#f2ede4;--soft:#b3aa9b;--paper:#151310;\
--card:#1e1b17;--line:#38322a;--brass:#e2b65a;--on-brass:#1c1710;--good:#84d4a0;--bad:#f5988d;\
--tint:#2a241a;--shade:0 1px 2px rgb(0 0 0/.3),0 16px 40px rgb(0 0 0/.35)}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;\
align-items:center;justify-content:center;gap:1.25rem;padding:1.25rem;background:var(--paper);\
color:var(--ink);font:1rem/1.55 ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
.brand,main{width:100%;max-width:29rem}\
.brand{display:flex;align-items:center;gap:.55rem;padding-left:.15rem;color:var(--soft);\
font-weight:600;letter-spacing:.01em}\
.brand svg{width:1.5rem;height:1.5rem;color:var(--brass)}\
main{background:var(--card);border:1px solid var(--line);border-radius:16px;padding:2rem;\
box-shadow:var(--shade)}\
h1{display:flex;gap:.75rem;align-items:flex-start;font-size:1.4rem;line-height:1.3;\
letter-spacing:-.01em;text-wrap:balance;margin:0 0 .9rem}\
h1 span{min-width:0;overflow-wrap:anywhere}\
h1 svg{flex:none;width:1.8rem;height:1.8rem;padding:.2rem;border-radius:50%;color:var(--card)}\
.good h1 svg{background:var(--good)}.bad h1 svg{background:var(--bad)}\
p{margin:0 0 .8rem;overflow-wrap:anywhere}p:last-child{margin-bottom:0}\
dl{margin:1.4rem 0 0;border:1px solid var(--line);border-radius:12px;background:var(--tint);\
font-size:.95rem}\
dl div{display:flex;flex-wrap:wrap;gap:.1rem 1rem;justify-content:space-between;\
padding:.65rem .95rem}\
dl div+div{border-top:1px solid var(--line)}\
dt{color:var(--soft)}dd{margin:0;font-weight:600;min-width:0;overflow-wrap:anywhere}\
form{margin:1.4rem 0 0}\
button{appearance:none;border:0;border-radius:12px;min-height:3rem;padding:.7rem 1.1rem;width:100%;\
background:var(--brass);color:var(--on-brass);font:inherit;font-weight:600;cursor:pointer}\
button:hover{filter:brightness(1.1)}button:active{filter:brightness(.95)}\
button:focus-visible{outline:3px solid var(--ink);outline-offset:3px}\
@media(max-width:26rem){body{justify-content:flex-start;padding:1rem}main{padding:1.4rem}}\
@media(forced-colors:active){button{border:2px solid}h1 svg{forced-color-adjust:none}}";
