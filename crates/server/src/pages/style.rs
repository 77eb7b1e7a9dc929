//! The one stylesheet of our pages; its digest stands in the content security policy.

/// Light and dark, phone and desk.
pub(super) const CSS: &str = "\
:root{color-scheme:light dark;--ink:#1c1a17;--soft:#645e55;--paper:#fbf9f5;--card:#fff;\
--line:#e4ded3;--brass:#8a6412;--on-brass:#fff;--good:#1d6b3a;--bad:#a12a20}\
@media (prefers-color-scheme:dark){:root{--ink:#f1ede6;--soft:#aba396;--paper:#171512;\
--card:#211e1a;--line:#3a352d;--brass:#e0b354;--on-brass:#1c1a17;--good:#7fd09b;--bad:#f2938a}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.25rem;\
background:var(--paper);color:var(--ink);\
font:1rem/1.55 ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{width:100%;max-width:28rem;background:var(--card);border:1px solid var(--line);\
border-radius:14px;padding:2rem}\
header{display:flex;align-items:center;gap:.6rem;color:var(--soft);font-size:.9rem;\
margin-bottom:1.5rem}\
header svg{width:1.4rem;height:1.4rem;color:var(--brass)}\
h1{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem;overflow-wrap:anywhere}\
p{margin:0 0 .9rem}.soft{color:var(--soft);font-size:.93rem}\
.good h1{color:var(--good)}.bad h1{color:var(--bad)}\
dl{margin:1.1rem 0;padding:.9rem 1rem;border:1px solid var(--line);border-radius:10px;\
display:grid;grid-template-columns:auto 1fr;gap:.35rem 1rem;font-size:.93rem}\
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\
button{appearance:none;border:0;border-radius:10px;padding:.75rem 1.1rem;width:100%;\
background:var(--brass);color:var(--on-brass);font:inherit;font-weight:600;cursor:pointer}\
button:hover{filter:brightness(1.08)}\
button:focus-visible{outline:3px solid var(--ink);outline-offset:2px}\
code{font:.9em ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--paper);\
border:1px solid var(--line);border-radius:5px;padding:.1em .35em;overflow-wrap:anywhere}";
