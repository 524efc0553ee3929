/** The look of the pages without `page` or `errorPage`. Its hash is in their Content-Security-Policy. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  --back: #f2f4f7; --card: #fff; --line: #d5dae1; --edge: #747d8a;
  --text: #1a1f26; --quiet: #515b68; --accent: #0b57b0; --alert: #a8201a;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #101418; --card: #1a2027; --line: #36404c; --edge: #8793a1;
    --text: #e8ecf1; --quiet: #a9b4c1; --accent: #8ec2ff; --alert: #ff9d96;
  }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; background: var(--back); color: var(--text); }
main {
  max-width: 30rem; margin: 6vh auto; padding: 1.75rem;
  border: 1px solid var(--line); border-radius: .75rem; background: var(--card);
  overflow-wrap: break-word;
}
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; }
p, dl { margin: 0 0 1rem; }
main > :last-child, form > :last-child { margin-bottom: 0; }
form + p { margin-top: 1rem; }
small { color: var(--quiet); font-size: .875rem; }
a { color: var(--accent); }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .5rem 1.25rem; }
dt { color: var(--quiet); }
dd { margin: 0; font-weight: 600; }
.code { margin: 0 0 1.25rem; font: 600 2rem/1.25 ui-monospace, Menlo, Consolas, monospace; letter-spacing: .08em; }
label { font-weight: 600; }
input {
  width: 100%; min-height: 3rem; padding: .5rem .75rem;
  border: 1px solid var(--edge); border-radius: .5rem; background: var(--card); color: inherit;
  font: 1.5rem/1.25 ui-monospace, Menlo, Consolas, monospace; letter-spacing: .08em; text-transform: uppercase;
}
[aria-invalid] { border-color: var(--alert); }
[role="alert"] { color: var(--alert); font-weight: 600; }
.actions { display: grid; grid-auto-columns: minmax(0, 1fr); grid-auto-flow: column; gap: 1.5rem; }
button {
  min-height: 3rem; padding: .5rem 1rem;
  border: 1px solid var(--edge); border-radius: .5rem; background: var(--card); color: var(--text);
  font: inherit; font-weight: 600; cursor: pointer;
}
button:hover { border-color: var(--accent); color: var(--accent); }
@media (max-width: 26rem) {
  main { margin: 0 auto; padding: 1.25rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .5rem; }
}
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
`
